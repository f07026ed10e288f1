"""cookies用来标识当前用户.

Differences from the program in the notes: added imports and a server for the handler.
"""

import sys

import tornado.ioloop
import tornado.web


class MainHandler(tornado.web.RequestHandler):
    def get(self):
        if not self.get_cookie("mycookie"):
            self.set_cookie("mycookie", "myvalue")
            self.write("Your cookie was not set yet!")
        else:
            self.write("Your cookie was set!")


if __name__ == "__main__":
    tornado.web.Application([(r"/", MainHandler)]).listen(int(sys.argv[1]))
    tornado.ioloop.IOLoop.current().start()
