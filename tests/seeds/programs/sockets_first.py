"""HTTPServer 高级多进程.

Corrected: there is an app and the imports; two processes in place of one for each processor; the port comes
from the command line.
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
