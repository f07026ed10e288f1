"""The smallest program: one handler, one route.

Run it with ``python demos/hello/main.py`` and open http://localhost:8888.
"""

from __future__ import annotations

import sys

import tornado.web
from tornado.options import Error, define, options

define("port", default=8888, help="port to listen on; 0 chooses a free port", type=int)


class HelloHandler(tornado.web.RequestHandler):
    """Sends a greeting."""

    def get(self) -> None:
        self.write("Hello, world")


def make_app() -> tornado.web.Application:
    """Return the application, for ``main`` and for tests."""
    return tornado.web.Application([(r"/", HelloHandler)])


def main() -> None:
    """Serve until interrupted."""
    if unknown := options.parse_command_line():
        raise Error(f"unknown argument {unknown[0]!r}; usage: main.py [--port=8888]")
    tornado.web.run(make_app(), options.port)


if __name__ == "__main__":
    try:
        main()
    except (Error, ValueError) as error:
        sys.exit(f"hello: {error}")
