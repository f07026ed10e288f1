"""The measured program, for Waterspout and Tornado. Only Waterspout can spool form parts to disk."""

from __future__ import annotations

import asyncio
import os

import tornado.web


class Whole(tornado.web.RequestHandler):
    def post(self) -> None:
        self.write(str(len(self.request.body)))


class Form(tornado.web.RequestHandler):
    def post(self) -> None:
        self.write(str(len(self.request.files["file"][0].body)))


@tornado.web.stream_request_body
class Streamed(tornado.web.RequestHandler):
    def initialize(self) -> None:
        self.received = 0

    def data_received(self, chunk: bytes) -> None:
        self.received += len(chunk)

    def post(self) -> None:
        self.write(str(self.received))


routes = [("/whole", Whole), ("/form", Form), ("/streamed", Streamed)]

if hasattr(tornado.web, "UploadHandler"):

    class Spooled(tornado.web.UploadHandler):
        def post(self) -> None:
            self.write(str(sum(each.size for files in self.uploads.values() for each in files)))

    routes.append(("/spooled", Spooled))


async def main() -> None:
    application = tornado.web.Application(routes)
    application.listen(int(os.environ["BENCH_PORT"]), "127.0.0.1", max_buffer_size=2**30)
    await asyncio.Event().wait()


asyncio.run(main())
