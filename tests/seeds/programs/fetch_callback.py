"""AsyncHTTPClient 使用示例: 基于回调.

Differences from the program in the notes: print is a function; the loop is started, and is stopped after the
last response; the URLs come from the command line.
"""

import sys

from tornado.httpclient import AsyncHTTPClient
from tornado.ioloop import IOLoop

waiting = len(sys.argv) - 1


def handle_request(response):
    global waiting
    if response.error:
        print("Error:", response.error)
    else:
        print(response.body)
    waiting -= 1
    if not waiting:
        IOLoop.instance().stop()


http_client = AsyncHTTPClient()
for url in sys.argv[1:]:
    http_client.fetch(url, handle_request)
IOLoop.instance().start()
