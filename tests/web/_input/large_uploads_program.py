"""The program for `test_large_uploads`, with the options ``--port`` and ``--folder``."""

from __future__ import annotations

import asyncio

import tornado.web
from tornado.options import define, options

define("port", type=int)
define("folder", type=str)


@tornado.web.stream_request_body
class Raw(tornado.web.RequestHandler):
    max_body_size = 2**31

    def prepare(self) -> None:
        self.received = 0

    def data_received(self, chunk: bytes) -> None:
        self.received += len(chunk)

    def post(self) -> None:
        self.write(str(self.received))


class Parts(tornado.web.UploadHandler):
    max_body_size = 2**31

    def post(self) -> None:
        self.write(" ".join(str(each.size) for each in self.uploads["file"]))


async def main() -> None:
    options.parse_command_line()
    application = tornado.web.Application([("/raw", Raw), ("/parts", Parts)], upload_directory=options.folder)
    application.listen(options.port, "127.0.0.1")
    await asyncio.Event().wait()


asyncio.run(main())
