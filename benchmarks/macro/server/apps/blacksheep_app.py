"""The measured program on BlackSheep."""

from __future__ import annotations

import asyncio

from blacksheep import Application, FromForm, Request, json, text

import asgi
import settings

application = Application()
get, post = application.router.get, application.router.post


class Fields:
    def __init__(self, name: str = "", mail: str = "", note: str = "") -> None:
        self.name = name


@get("/")
async def root(request: Request):
    return text(settings.TEXT)


@get("/item/{int:number}")
async def item(number: int, q: str):
    return json({"id": number, "q": q})


@post("/form")
async def form(fields: FromForm[Fields]):
    return text(fields.value.name)


@get("/suspend")
async def suspend(request: Request):
    await asyncio.sleep(0)
    return text(settings.TEXT)


asyncio.run(application.start())
asgi.serve(application)
