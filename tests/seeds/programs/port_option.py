"""options: define, parse_command_line, parse_config_file.

Differences from the program in the notes: tornado.ioloop is imported. The line that is commented out in the
note is executed if a file is passed.
"""

import tornado.ioloop
from tornado import web
from tornado.options import define, options

define("port", default=8888, help="在指定端口运行", type=int)
define("config", default=None, help="conf.cfg", type=str)
define("greeting", default="hello1", help="问候", type=str)
options.parse_command_line()
if options.config:
    options.parse_config_file(options.config)


class IndexHandler(web.RequestHandler):
    async def get(self, *args, **kwargs):
        self.write(options.greeting)


urls = [
    web.URLSpec("/", IndexHandler, name="index"),
]

if __name__ == "__main__":
    app = web.Application(
        urls,
        debug=True,
    )
    app.listen(options.port)
    tornado.ioloop.IOLoop.current().start()
