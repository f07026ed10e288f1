"""认证和安全: set_secure_cookie和get_secure_cookie, 需要在创建应用的时候指定一个名为cookie_secret的密钥.

Differences from the program in the notes: added a handler that uses them; the port comes from the command
line. set_secure_cookie and get_secure_cookie are the older names of set_signed_cookie and get_signed_cookie.
"""

import sys

import tornado.ioloop
import tornado.web


class MainHandler(tornado.web.RequestHandler):
    def get(self):
        if not self.get_secure_cookie("mycookie"):
            self.set_secure_cookie("mycookie", "myvalue")
            self.write("Your cookie was not set yet!")
        else:
            self.write(b"Your cookie was " + self.get_secure_cookie("mycookie"))


application = tornado.web.Application(
    [
        (r"/", MainHandler),
    ],
    cookie_secret="__TODO:_GENERATE_YOUR_OWN_RANDOM_VALUE_HERE__",
)

if __name__ == "__main__":
    application.listen(int(sys.argv[1]))
    tornado.ioloop.IOLoop.current().start()
