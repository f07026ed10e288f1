"""Routing: patterns, their groups, and arguments that a route passes to ``initialize``.

Run it with ``python demos/urls/main.py`` and try http://localhost:8888/people/ann/42.
"""

from __future__ import annotations

import sys
from typing import Any

from tornado import web
from tornado.options import Error, define, options

define("port", default=8888, help="port to listen on; 0 chooses a free port", type=int)
define("debug", default=False, help="reload on changes, show tracebacks", type=bool)


class IndexHandler(web.RequestHandler):
    """Says hello."""

    async def get(self, *args: Any, **kwargs: Any) -> None:
        self.write("hello1")


class PeopleNameHandler(web.RequestHandler):
    """One group, passed by position; ``greeting`` comes from the route."""

    def initialize(self, greeting: str) -> None:
        self.greeting = greeting

    async def get(self, name: str, *args: Any, **kwargs: Any) -> None:
        self.write(f"{self.greeting}:{name}")


class PeopleAgeHandler(web.RequestHandler):
    """Groups are passed as strings; the handler converts them."""

    async def get(self, age: str, *args: Any, **kwargs: Any) -> None:
        self.write(age)


class PeopleInfoHandler(web.RequestHandler):
    """Named groups, passed by keyword."""

    async def get(self, name: str, age: str, *args: Any, **kwargs: Any) -> None:
        self.write(name + age)


# The first pattern that matches the whole path is used. \w also matches digits, so the pattern with \d comes
# first.
urls = [
    web.URLSpec(r"/", IndexHandler, name="index"),
    web.URLSpec(r"/people/(\d+)/?", PeopleAgeHandler),
    web.URLSpec(r"/people/(\w+)/?", PeopleNameHandler, {"greeting": "hello1"}),
    web.URLSpec(r"/people/(?P<name>\w+)/(?P<age>\d+)/?", PeopleInfoHandler),
]


def main() -> None:
    """Serve until interrupted."""
    if unknown := options.parse_command_line():
        raise Error(f"unknown argument {unknown[0]!r}; usage: main.py [--port=8888] [--debug]")
    web.run(web.Application(urls, debug=options.debug), options.port)


if __name__ == "__main__":
    try:
        main()
    except (Error, ValueError) as error:
        sys.exit(f"urls: {error}")
