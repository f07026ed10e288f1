"""简单示例.

Differences from the program in the notes: the port comes from the command line instead of 8888.
"""

import sys

import tornado.ioloop
import tornado.web


class MainHandler(tornado.web.RequestHandler):
    def get(self):
        self.write("Hello, world")


if __name__ == "__main__":
    application = tornado.web.Application([
        (r"/", MainHandler),
    ])  # fmt: skip
    application.listen(int(sys.argv[1]))
    tornado.ioloop.IOLoop.current().start()
