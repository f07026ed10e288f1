"""The measured program on aiohttp, with uvloop."""

from __future__ import annotations

import asyncio
import logging

import uvloop
from aiohttp import web

import settings


async def root(request: web.Request) -> web.Response:
    return web.Response(text=settings.TEXT)


async def item(request: web.Request) -> web.Response:
    return web.json_response({"id": int(request.match_info["number"]), "q": request.query["q"]})


async def form(request: web.Request) -> web.Response:
    return web.Response(text=(await request.post())["name"])


async def suspend(request: web.Request) -> web.Response:
    await asyncio.sleep(0)
    return web.Response(text=settings.TEXT)


async def main() -> None:
    logging.basicConfig(level=logging.INFO if settings.LOG else logging.ERROR)
    application = web.Application()
    application.add_routes(
        [
            web.get("/", root),
            web.get("/item/{number:[0-9]+}", item),
            web.post("/form", form),
            web.get("/suspend", suspend),
        ]
    )
    log = logging.getLogger("aiohttp.access") if settings.LOG else None
    runner = web.AppRunner(application, access_log=log)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", settings.PORT, ssl_context=settings.ssl_context(), backlog=1024)
    await site.start()
    await asyncio.Event().wait()


uvloop.run(main())
