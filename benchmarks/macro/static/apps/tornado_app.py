"""The measured program, for Waterspout and Tornado: a directory of files, and one page."""

from __future__ import annotations

import asyncio
import logging
import os

import tornado.web


class Page(tornado.web.RequestHandler):
    def get(self) -> None:
        self.write("Hello, world!")


async def main() -> None:
    logging.basicConfig(level=logging.ERROR)
    files = {"path": os.environ["BENCH_FILES"]}
    application = tornado.web.Application(
        [("/", Page), ("/files/(.*)", tornado.web.StaticFileHandler, files)]
    )
    application.listen(int(os.environ["BENCH_PORT"]), "127.0.0.1")
    await asyncio.Event().wait()


if os.environ.get("BENCH_LOOP") == "uvloop":
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
else:
    asyncio.run(main())
