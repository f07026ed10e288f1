"""The echo program, for Waterspout and Tornado."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from pathlib import Path
from typing import Any

import tornado.httpserver
import tornado.httputil
import tornado.web

try:  # run as a program in this folder, or imported by the tests
    from echo import MAX_BODY, METHODS, describe, ssl_context
except ImportError:
    from compliance.http1.apps.echo import MAX_BODY, METHODS, describe, ssl_context


def understood(request: tornado.httputil.HTTPServerRequest) -> bytes:
    """Return the echo of a request."""
    return describe(
        request.method or "",
        request.uri or "",
        request.version,
        request.host,
        request.headers.get_all(),
        request.body,
    )


class Handler(tornado.web.RequestHandler):
    """A handler that responds to every known method in the same way."""

    async def answer(self, *words: str) -> None:
        """Respond, unless `prepare` has done so."""

    async def get(self, *words: str) -> None:
        """Call `answer`, which the subclasses override."""
        await self.answer(*words)

    head = post = put = patch = delete = options = get


class Echo(tornado.web.RequestHandler):
    """A handler that responds with the request as understood."""

    def get(self) -> None:
        """Send the echo."""
        self.set_header("Content-Type", "application/json")
        self.write(understood(self.request))

    head = post = put = patch = delete = options = get


class Flushed(Handler):
    """A handler that responds with the echo in two pieces."""

    async def answer(self, *words: str) -> None:
        """Send the echo."""
        text = understood(self.request)
        self.write(text[:5])
        await self.flush()
        self.write(text[5:])


class Status(Handler):
    """A handler that responds with the status in the path, and an empty body."""

    async def answer(self, *words: str) -> None:
        """Set the status."""
        self.set_status(int(words[0]))


class Forbidden(Handler):
    """A handler whose `prepare` raises an error, so that the method is not called."""

    def prepare(self) -> None:
        """Raise the error."""
        raise tornado.web.HTTPError(403)


class Moved(Handler):
    """A handler whose `prepare` redirects, so that the method is not called."""

    def prepare(self) -> None:
        """Send the redirect."""
        self.redirect("/x")


@tornado.web.stream_request_body
class Early(Forbidden):
    """A handler that responds before the body is read."""


@tornado.web.stream_request_body
class Taken(Handler):
    """A handler that responds when the first piece of the body arrives, and ignores the rest."""

    def data_received(self, chunk: bytes) -> None:
        """Send the error, once."""
        if not self._finished:
            self.send_error(403)


class Late(Echo):
    """A handler with a short timeout for its body, set by an attribute that only Waterspout supports."""

    body_timeout = 0.05


#: Targets that request more than an echo.
ROUTES: list[Any] = [
    (r"/flushed", Flushed),
    (r"/status/(\d+)", Status),
    (r"/unread/forbidden", Forbidden),
    (r"/unread/early", Early),
    (r"/unread/taken", Taken),
    (r"/unread/moved", Moved),
    (r"/unread/late", Late),
    (r"/unread/static/(.*)", tornado.web.StaticFileHandler, {"path": str(Path(__file__).parent)}),
]
#: All other targets except /unread/missing, which has no route.
ECHOED = r"(?!/unread/missing$).*"


def make_application() -> tornado.web.Application:
    """Return the application for all targets."""
    return tornado.web.Application([*ROUTES, (ECHOED, Echo)])


def plain_application(request: tornado.httputil.HTTPServerRequest) -> None:
    """Respond to echo requests only, as a callable instead of an application."""
    start_line = tornado.httputil.ResponseStartLine("HTTP/1.1", 200, "OK")
    body = understood(request)
    headers = tornado.httputil.HTTPHeaders({"Date": tornado.httputil.format_timestamp(time.time())})
    if request.method not in METHODS:
        start_line, body = start_line._replace(code=405, reason="Method Not Allowed"), b""
        headers["Allow"] = ", ".join(METHODS)
    headers["Content-Length"] = str(len(body))
    connection = request.connection
    assert connection is not None
    written = connection.write_headers(start_line, headers, b"" if request.method == "HEAD" else body)
    connection.finish()
    # A client that has disconnected is not an error here.
    written.add_done_callback(lambda future: future.exception())


async def main() -> None:
    """Serve until the process is terminated."""
    logging.basicConfig(level=logging.CRITICAL)
    server = tornado.httpserver.HTTPServer(
        make_application(), max_body_size=MAX_BODY, ssl_options=ssl_context()
    )
    server.listen(int(os.environ["ECHO_PORT"]), "127.0.0.1")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
