"""Handlers: arguments, methods that programs override, cookies."""

from __future__ import annotations

import datetime
import enum
from collections.abc import Awaitable, Generator
from typing import Any, assert_type

from tornado import gen, template
from tornado.concurrent import Future
from tornado.httputil import HTTPServerRequest
from tornado.locale import Locale
from tornado.web import (
    Application,
    EventSourceHandler,
    HTTPError,
    RequestHandler,
    StaticFileHandler,
    UIModule,
    UploadHandler,
    authenticated,
    stream_request_body,
)
from tornado.websocket import WebSocketHandler


class Color(enum.Enum):
    RED = "red"


def even(text: str) -> int:
    return int(text) * 2


class Arguments(RequestHandler):
    def get(self, number: str) -> None:
        assert_type(self.get_argument("a"), str)
        assert_type(self.get_argument("a", None), str | None)
        assert_type(self.get_argument("a", "x"), str)
        assert_type(self.get_argument("a", "x", strip=False), str)
        assert_type(self.get_argument("a", type=int), int)
        assert_type(self.get_argument("a", 1, type=int), int)
        assert_type(self.get_argument("a", None, type=int), int | None)
        assert_type(self.get_argument("a", type=float), float)
        assert_type(self.get_argument("a", type=bool), bool)
        assert_type(self.get_argument("a", type=datetime.date), datetime.date)
        assert_type(self.get_argument("a", None, type=datetime.datetime), datetime.datetime | None)
        assert_type(self.get_query_argument("a", default=None, type=datetime.time), datetime.time | None)
        assert_type(self.get_body_argument("a", type=Color), Color)
        assert_type(self.get_argument("a", type=even), int)
        assert_type(self.get_arguments("a"), list[str])
        assert_type(self.get_query_arguments("a", type=datetime.date), list[datetime.date])
        assert_type(self.get_body_arguments("a", type=int), list[int])
        assert_type(self.get_cookie("a"), str | None)
        assert_type(self.get_cookie("a", "x"), str)
        assert_type(self.get_signed_cookie("a"), bytes | None)
        assert_type(self.locale, Locale)
        assert_type(self.request, HTTPServerRequest)
        assert_type(self.request.headers.get("Accept"), str | None)
        assert_type(self.request.headers.get("Accept", ""), str)
        assert_type(self.flush(), Future[None])
        assert_type(self.render("page.html", rows=[1]), Future[None])
        self.set_signed_cookie("user", "ann", httponly=True, secure=True, samesite="Lax")
        self.set_signed_cookie("user", "ann", htponly=True)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
        self.clear_cookie("user", secure=True)
        self.get_argument("a", strip="no")  # type: ignore[call-overload] # pyright: ignore[reportArgumentType]
        self.write(1)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


class Overrides(RequestHandler):
    SUPPORTED_METHODS = (*RequestHandler.SUPPORTED_METHODS, "PROPFIND")

    def initialize(self, database: dict[str, str], limit: int = 10) -> None:
        self.database = database

    async def prepare(self) -> None:
        self.current_user = self.get_current_user()

    @authenticated
    async def get(self, key: str) -> None:
        self.write(self.database[key])

    def post(self) -> None:
        self.set_status(201)

    @gen.coroutine
    def put(self, key: str, *rest: str) -> Generator[Any, Any, None]:
        yield gen.sleep(1)

    def propfind(self) -> None:
        raise HTTPError(404, "no %s", "resource", reason="Nothing")

    def get_current_user(self) -> str | None:
        return self.get_cookie("user")

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        super().write_error(status_code, **kwargs)

    def on_finish(self) -> None:
        pass

    def set_default_headers(self) -> None:
        self.set_header("Server", "x")

    def get_template_namespace(self) -> dict[str, Any]:
        return {**super().get_template_namespace(), "now": 1}

    def get_user_locale(self) -> Locale | None:
        return None

    def create_template_loader(self, template_path: str) -> template.BaseLoader:
        return template.DictLoader({"a": "b"})

    def check_xsrf_cookie(self) -> None:
        pass

    def compute_etag(self) -> None:
        return None


class PlainPrepare(RequestHandler):
    def prepare(self) -> None:
        pass

    def get_current_user(self) -> dict[str, int]:
        return {}

    def delete(self) -> Awaitable[None] | None:
        return None


@stream_request_body
class Upload(RequestHandler):
    async def data_received(self, chunk: bytes) -> None:
        await self.flush()


class Files(UploadHandler):
    async def post(self) -> None:
        for name, files in self.uploads.items():
            self.write({name: len(files)})


class Events(EventSourceHandler):
    async def open(self, channel: str) -> None:
        await self.send_event({"a": 1}, event="x")


class Sockets(WebSocketHandler):
    async def open(self, room: str) -> None:
        assert_type(self.write_message("hello"), Future[None])

    def on_message(self, message: str | bytes) -> None:
        self.close(1000, "bye")

    async def on_close(self) -> None:
        assert_type(self.close_code, int | None)

    def on_pong(self, data: bytes) -> None:
        pass

    def check_origin(self, origin: str) -> bool:
        return True

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        return subprotocols[0]

    async def get(self, room: str) -> None:
        await super().get(room)


class OtherFiles(StaticFileHandler):
    def set_extra_headers(self, path: str) -> None:
        self.set_header("X-Path", path)

    def validate_absolute_path(self, root: str, absolute_path: str) -> str | None:
        return super().validate_absolute_path(root, absolute_path)


class Entry(UIModule):
    def render(self, entry: dict[str, str], show: bool = False) -> bytes:
        return self.render_string("entry.html", entry=entry)

    def javascript_files(self) -> list[str]:
        return ["a.js"]

    def css_files(self) -> str:
        return "a.css"


application = Application(
    [
        (r"/a/(.*)", Arguments),
        (r"/o/(.*)", Overrides, {"database": {}}),
        (r"/s/(.*)", Sockets, {}, "name"),
    ]
)
