"""开始: 同步.

Differences from the program in the notes: the port comes from the command line instead of 8888.
"""

import sys

import tornado.ioloop
import tornado.web


class MainHandler(tornado.web.RequestHandler):
    def get(self):
        self.write("Hello, world")


def make_app():
    return tornado.web.Application([
        (r"/", MainHandler),
    ])  # fmt: skip


if __name__ == "__main__":
    app = make_app()
    app.listen(int(sys.argv[1]))
    tornado.ioloop.IOLoop.current().start()
