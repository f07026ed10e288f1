"""HTTPServer 简单的单进程.

Differences from the program in the notes: added an app; the port comes from the command line.
"""

import os
import sys

from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.process import task_id
from tornado.web import Application, RequestHandler


class MainHandler(RequestHandler):
    def get(self):
        self.write({"pid": os.getpid(), "task": task_id()})


app = Application([("/", MainHandler)])

if __name__ == "__main__":
    server = HTTPServer(app)
    server.listen(int(sys.argv[1]))
    IOLoop.current().start()
