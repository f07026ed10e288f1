"""运行和部署: 定义一个main函数，启动服务器.

Differences from the program in the notes: added make_app(); the port comes from the command line instead of
8888.
"""

import sys

from tornado.ioloop import IOLoop
from tornado.web import Application, RequestHandler


class MainHandler(RequestHandler):
    def get(self):
        self.write("started by main()")


def make_app():
    return Application([(r"/", MainHandler)])


def main():
    app = make_app()
    app.listen(int(sys.argv[1]))
    IOLoop.current().start()


if __name__ == "__main__":
    main()
