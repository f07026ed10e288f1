"""The smallest program: one handler, one route.

Run it with ``python demos/hello/main.py`` and open http://localhost:8888.
"""

from __future__ import annotations

import asyncio

import tornado.web
from tornado.options import define, options

define("port", default=8888, help="port to listen on", type=int)


class HelloHandler(tornado.web.RequestHandler):
    """Greets whoever asks."""

    def get(self) -> None:
        self.write("Hello, world")


def make_app() -> tornado.web.Application:
    """The application, for ``main`` and for tests."""
    return tornado.web.Application([(r"/", HelloHandler)])


async def main() -> None:
    """Serve until interrupted."""
    options.parse_command_line()
    make_app().listen(options.port)
    await asyncio.Event().wait()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        pass
