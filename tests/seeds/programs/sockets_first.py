"""HTTPServer 高级多进程.

Differences from the program in the notes: added an app and imports; two processes instead of one per
processor; the port comes from the command line.
"""

import sys

from single_process import app

import tornado.netutil
import tornado.process
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop

if __name__ == "__main__":
    sockets = tornado.netutil.bind_sockets(int(sys.argv[1]))
    tornado.process.fork_processes(2)
    server = HTTPServer(app)
    server.add_sockets(sockets)
    IOLoop.current().start()
