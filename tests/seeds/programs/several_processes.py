"""HTTPServer 简单的多进程.

Differences from the program in the notes: added an app; two processes instead of one per processor; the port
comes from the command line.
"""

import sys

from single_process import app

from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop

if __name__ == "__main__":
    server = HTTPServer(app)
    server.bind(int(sys.argv[1]))
    server.start(2)  # Fork 多个子进程
    IOLoop.current().start()
