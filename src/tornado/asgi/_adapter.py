"""`ASGIAdapter`: an `.Application` as an ASGI application."""

from __future__ import annotations

from typing import Any

from tornado.asgi._adapter_lifespan import serve_lifespan
from tornado.asgi._adapter_websocket import ASGIWebSocketRequest
from tornado.asgi._request import ASGIRequest
from tornado.asgi._types import Receive, Scope, Send
from tornado.http1connection import HTTP1ConnectionParameters
from tornado.http1connection._protection import Protection
from tornado.httputil import HTTPServerConnectionDelegate


class ASGIAdapter:
    """An ASGI 3 application that runs an `.Application`.

    ::

        # program.py
        application = Application([(r"/", MainHandler)], on_startup=[connect])
        asgi_app = ASGIAdapter(application)

    It runs under any ASGI server that uses asyncio or uvloop: ``uvicorn program:asgi_app``, ``hypercorn
    program:asgi_app``, ``granian --interface asgi program:asgi_app``. Handlers work as with `.HTTPServer`,
    with streamed bodies, event streams, WebSockets, static files, and the settings ``lifespan``,
    ``on_startup`` and ``on_shutdown``. The server determines ``remote_ip`` and ``protocol``, also behind a
    proxy, and all timeouts and limits but those below.

    Not available under an ASGI server, which gives an application events instead of the bytes of a
    connection: ``detach()``, ``request.connection.stream``, ``get_ssl_certificate()``, and the pings of
    WebSockets, which the server sends itself.

    Routes match the path below ``root_path``. The scope of a request is ``request.connection.scope``.

    :param application: an `.Application`, or another `.HTTPServerConnectionDelegate`.
    :param max_body_size: the maximum size of a request body in bytes, for handlers that do not set a limit
        (default 100 MiB). Larger bodies are rejected with 413.
    :param body_timeout: how long receiving a request body may take, in seconds (default: no limit).
    :param chunk_size: the maximum number of bytes in one call of a streaming handler's ``data_received``
        (default 64 KiB).
    :param decompress_request: decode ``Content-Encoding: gzip`` of request bodies.
    :param protection: other limits, as in `.HTTPServer`. Those that concern connections have no effect.
    :raises TypeError: if `application` is not an application.
    """

    def __init__(
        self,
        application: HTTPServerConnectionDelegate,
        *,
        max_body_size: int | None = None,
        body_timeout: float | None = None,
        chunk_size: int | None = None,
        decompress_request: bool = False,
        protection: str | Protection | None = None,
    ) -> None:
        if not isinstance(application, HTTPServerConnectionDelegate):
            raise TypeError(
                f"ASGIAdapter({application!r:.100}): expected a tornado.web.Application or another "
                "HTTPServerConnectionDelegate"
            )
        self.application = application
        self._params = HTTP1ConnectionParameters(
            max_body_size=max_body_size,
            body_timeout=body_timeout,
            chunk_size=chunk_size,
            decompress=decompress_request,
            protection=Protection.of(protection),
        )
        listens: Any = getattr(application, "server_listens", None)
        if listens is not None:
            listens(runs_lifespan=True)

    def __repr__(self) -> str:
        return f"<ASGIAdapter {self.application!r}>"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or run the lifespan of the application.

        :raises ValueError: if the type of `scope` is unknown.
        """
        kind = scope["type"]
        if kind == "http":
            await ASGIRequest(self.application, self._params, scope, receive, send).run()
        elif kind == "websocket":
            await ASGIWebSocketRequest(self.application, self._params, scope, receive, send).run()
        elif kind == "lifespan":
            await serve_lifespan(self.application, receive, send)
        else:
            raise ValueError(
                f"ASGIAdapter: unknown scope type {kind!r}, expected http, websocket or lifespan"
            )


__all__ = ["ASGIAdapter"]
