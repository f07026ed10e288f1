"""url配置.

Differences from the program in the notes: the patterns are raw strings; tornado.ioloop is imported; the port
comes from the command line instead of 8888.
"""

import sys

import tornado.ioloop
from tornado import web


class IndexHandler(web.RequestHandler):
    async def get(self, *args, **kwargs):
        self.write("hello1")


class PeopleNameHandler(web.RequestHandler):
    def initialize(self, name):
        print(name)

    async def get(self, name, *args, **kwargs):
        self.write(f"hello1:{name}")


class PeopleAgeHandler(web.RequestHandler):
    async def get(self, age, *args, **kwargs):
        self.write(age)


class PeopleInfoHandler(web.RequestHandler):
    async def get(self, name, age, *args, **kwargs):
        self.write(name + age)


urls = [
    web.URLSpec("/", IndexHandler, name="index"),
    web.URLSpec(r"/people/(\d+)/?", PeopleAgeHandler),
    web.URLSpec(r"/people/(\w+)/?", PeopleNameHandler, {"name": "wh"}),
    web.URLSpec(r"/people/(?P<name>\w+)/(?P<age>\d+)/?", PeopleInfoHandler),
]

if __name__ == "__main__":
    app = web.Application(
        urls,
        debug=True,
    )
    app.listen(int(sys.argv[1]))
    tornado.ioloop.IOLoop.current().start()
