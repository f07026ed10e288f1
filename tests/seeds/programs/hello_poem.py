"""The first greeting.

Differences from the program in the notes: the routes are a list of tuples (the note passes a pattern and a
class); added imports; the port comes from the command line instead of 8080.
"""

import sys

import tornado.ioloop
import tornado.web


class MainHandler(tornado.web.RequestHandler):
    def get(self):
        self.write("行到水穷处，坐看云起时")


if __name__ == "__main__":
    app = tornado.web.Application([(r"/", MainHandler)])
    app.listen(int(sys.argv[1]))
    tornado.ioloop.IOLoop.current().start()
