"""HTTP服务端和客户端.

Corrected: IOLoop is in tornado.ioloop; main() takes nothing, is a coroutine, fetches what it has prepared,
and the names it uses are there.
"""

import sys

import tornado.ioloop
from tornado import gen, httpclient
from tornado.httputil import url_concat

params = {"type": 1, "page": "二"}
headers = {"X-Note": "seed"}


@gen.coroutine
def main():
    http_client = httpclient.AsyncHTTPClient()
    url = url_concat(sys.argv[1], params)
    request = httpclient.HTTPRequest(url=url, method="GET", headers=headers)
    response = yield http_client.fetch(request)
    print(response.body.decode())


tornado.ioloop.IOLoop.current().run_sync(main)
