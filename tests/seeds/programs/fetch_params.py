"""HTTP服务端和客户端.

Differences from the program in the notes: IOLoop is imported from tornado.ioloop; main() is a coroutine
without parameters, which fetches the prepared request; all names are defined.
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
