"""The measured program on Starlette."""

from __future__ import annotations

import asyncio

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

import asgi
import settings


async def root(request: Request) -> PlainTextResponse:
    return PlainTextResponse(settings.TEXT)


async def item(request: Request) -> JSONResponse:
    return JSONResponse({"id": request.path_params["number"], "q": request.query_params["q"]})


async def form(request: Request) -> PlainTextResponse:
    async with request.form() as fields:
        return PlainTextResponse(fields["name"])


async def suspend(request: Request) -> PlainTextResponse:
    await asyncio.sleep(0)
    return PlainTextResponse(settings.TEXT)


routes = [
    Route("/", root),
    Route("/item/{number:int}", item),
    Route("/form", form, methods=["POST"]),
    Route("/suspend", suspend),
]
asgi.serve(Starlette(routes=routes))
