"""The measured program on Falcon's ASGI interface."""

from __future__ import annotations

import asyncio

import falcon
import falcon.asgi

import asgi
import settings


class Root:
    async def on_get(self, request: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        response.content_type = falcon.MEDIA_TEXT
        response.text = settings.TEXT


class Item:
    async def on_get(self, request: falcon.asgi.Request, response: falcon.asgi.Response, number: int) -> None:
        response.media = {"id": number, "q": request.get_param("q", required=True)}


class Form:
    async def on_post(self, request: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        response.content_type = falcon.MEDIA_TEXT
        response.text = (await request.get_media())["name"]


class Suspend(Root):
    async def on_get(self, request: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        await asyncio.sleep(0)
        response.text = settings.TEXT


application = falcon.asgi.App()
application.add_route("/", Root())
application.add_route("/item/{number:int}", Item())
application.add_route("/form", Form())
application.add_route("/suspend", Suspend())
asgi.serve(application)
