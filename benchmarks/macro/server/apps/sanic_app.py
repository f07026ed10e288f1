"""The measured program on Sanic, with uvloop, in a single process."""

from __future__ import annotations

import asyncio

from sanic import Request, Sanic
from sanic.response import HTTPResponse, json, text

import settings

application = Sanic("bench")
application.config.ACCESS_LOG = settings.LOG


@application.get("/")
def root(request: Request) -> HTTPResponse:
    return text(settings.TEXT)


@application.get("/item/<number:int>")
async def item(request: Request, number: int) -> HTTPResponse:
    return json({"id": number, "q": request.args.get("q")})


@application.post("/form")
async def form(request: Request) -> HTTPResponse:
    return text(request.form.get("name"))


@application.get("/suspend")
async def suspend(request: Request) -> HTTPResponse:
    await asyncio.sleep(0)
    return text(settings.TEXT)


if __name__ == "__main__":
    application.run(
        "127.0.0.1",
        settings.PORT,
        single_process=True,
        access_log=settings.LOG,
        motd=False,
        ssl=settings.ssl_context(),
    )
