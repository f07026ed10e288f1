"""Settings of an application and arguments of a server."""

from __future__ import annotations

import ssl
from typing import Any, Unpack, assert_type

from tornado.httpserver import HTTPServer, HTTPServerOptions
from tornado.httputil import HTTPServerRequest
from tornado.web import Application, ApplicationSettings, ContentCodings


class Database:
    pass


class Settings(ApplicationSettings, total=False):
    database: Database


Application([], debug=True, cookie_secret="x", database=Database())
Application([], None, None, compress_response=ContentCodings("br"))
typed: Settings = {"cookie_secret": {1: "a"}, "key_version": 1, "database": Database()}
Application([], **typed)
collected = {"debug": True, "template_path": "templates", "cookie_secret": "x"}
Application([], **collected)
anything: dict[str, Any] = {"debug": True}
application = Application([], **anything)
wrong: Settings = {"debug": "yes"}  # type: ignore[typeddict-item] # pyright: ignore[reportAssignmentType]
unknown: Settings = {"databse": 1}  # type: ignore[typeddict-unknown-key] # pyright: ignore[reportAssignmentType]


class Program(Application):
    def __init__(self, database: Database, **settings: Unpack[ApplicationSettings]) -> None:
        super().__init__([], **settings)


def serve(port: int, **options: Unpack[HTTPServerOptions]) -> HTTPServer:
    return application.listen(port, **options)


def answer(request: HTTPServerRequest) -> None:
    pass


assert_type(application.listen(8888), HTTPServer)
assert_type(application.listen(8888, "127.0.0.1", xheaders=True, protection="public"), HTTPServer)
serve(8888, ssl_options=ssl.create_default_context())
HTTPServer(application, xheaders=True, max_body_size=1 << 20)
HTTPServer(answer)
HTTPServer(application, xheader=True)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
HTTPServer(application, max_body_size="1 MB")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
application.listen("8888")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
