"""A server with compressed pages, for clients in other processes."""

from __future__ import annotations

import asyncio

from tornado import web
from tornado.options import define, options, parse_command_line

define("port", type=int)
define("coding", type=str)

DIGITS = "0123456789"


class Whole(web.RequestHandler):
    """A body in one part, with ten times `tens` characters."""

    def initialize(self, tens: int) -> None:
        self.tens = tens

    def get(self) -> None:
        self.write(DIGITS * self.tens)


class Parts(web.RequestHandler):
    """A body in three parts."""

    async def get(self) -> None:
        for _ in range(3):
            self.write(DIGITS * 2_000)
            await self.flush()


async def main() -> None:
    routes = [("/whole", Whole, {"tens": 2_000}), ("/parts", Parts), ("/large", Whole, {"tens": 100_000})]
    settings = {"codings": [options.coding]}
    web.Application(routes, compress_response=settings).listen(options.port, "127.0.0.1")
    await asyncio.Event().wait()


if __name__ == "__main__":
    parse_command_line()
    asyncio.run(main())
