"""简单httpclient测试.

Differences from the program in the notes: tornado.ioloop is imported; the URL comes from the command line.
"""

import sys

import tornado.ioloop
from tornado import httpclient


async def f():
    http_client = httpclient.AsyncHTTPClient()
    try:
        response = await http_client.fetch(sys.argv[1])
    except Exception as e:
        print("Error: %s" % e)
    else:
        print(response.body.decode())


if __name__ == "__main__":
    io_loop = tornado.ioloop.IOLoop.current()
    io_loop.run_sync(f)
