"""The echoing program on Tornado's API: ours and upstream's alike."""

from __future__ import annotations

import asyncio
import logging
import os

import tornado.httpserver
import tornado.web

try:  # as a program, beside this file; or as a part of the tests
    from echo import MAX_BODY, describe, ssl_context
except ImportError:
    from compliance.http1.apps.echo import MAX_BODY, describe, ssl_context


class Echo(tornado.web.RequestHandler):
    """Answers every known method."""

    def get(self) -> None:
        """Say what was understood."""
        request = self.request
        self.set_header("Content-Type", "application/json")
        self.write(
            describe(
                request.method,
                request.uri,
                request.version,
                request.host,
                request.headers.get_all(),
                request.body,
            )
        )

    post = put = patch = delete = options = head = get


def make_application() -> tornado.web.Application:
    """The application."""
    return tornado.web.Application([(r".*", Echo)])


async def main() -> None:
    """Serve until the process is ended."""
    logging.basicConfig(level=logging.CRITICAL)
    server = tornado.httpserver.HTTPServer(
        make_application(), max_body_size=MAX_BODY, ssl_options=ssl_context()
    )
    server.listen(int(os.environ["ECHO_PORT"]), "127.0.0.1")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
