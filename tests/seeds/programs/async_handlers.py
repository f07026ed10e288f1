"""协同程序和并发: 基于回调的异步处理程序, 改为协程, 生成一个列表或词典Futures的写法.

Differences from the program in the notes: added imports, do_something_with_response(), routes and a server;
the URLs come from the command line.
"""

import os
import sys

from tornado import gen
from tornado.httpclient import AsyncHTTPClient
from tornado.ioloop import IOLoop
from tornado.web import Application, RequestHandler, asynchronous

PORT, URL = int(sys.argv[1]), sys.argv[2]


def do_something_with_response(response):
    print("got", response.body.decode())


# 基于回调的异步处理程序
class AsyncHandler(RequestHandler):
    @asynchronous
    def get(self):
        http_client = AsyncHTTPClient()
        http_client.fetch(URL, callback=self.on_fetch)

    def on_fetch(self, response):
        do_something_with_response(response)
        self.render("plain.html")


# 回调中的错误
class FailingHandler(AsyncHandler):
    def on_fetch(self, response):
        raise ValueError("in the callback")


# 改为协程
class GenAsyncHandler(RequestHandler):
    @gen.coroutine
    def get(self):
        http_client = AsyncHTTPClient()
        response = yield http_client.fetch(URL)
        do_something_with_response(response)
        self.render("plain.html")


# 生成一个列表或词典Futures的写法
class ManyHandler(RequestHandler):
    @gen.coroutine
    def get(self):
        url1, url2, url3, url4 = ["%s?%d" % (URL, number) for number in range(1, 5)]
        http_client = AsyncHTTPClient()
        response1, response2 = yield [http_client.fetch(url1), http_client.fetch(url2)]
        response_dict = yield dict(response3=http_client.fetch(url3), response4=http_client.fetch(url4))
        response3 = response_dict["response3"]
        response4 = response_dict["response4"]
        for response in (response1, response2, response3, response4):
            self.write("%s %s\n" % (response.effective_url.rpartition("?")[2], response.body.decode()))


# 4.x 的其他写法
class EngineHandler(RequestHandler):
    @asynchronous
    @gen.engine
    def get(self):
        http_client = AsyncHTTPClient()
        response = yield gen.Task(http_client.fetch, URL)
        http_client.fetch(URL, callback=(yield gen.Callback("second")))
        second = yield gen.Wait("second")
        self.finish(response.body + b" " + second.body)


if __name__ == "__main__":
    Application(
        [
            ("/callback", AsyncHandler),
            ("/failing", FailingHandler),
            ("/coroutine", GenAsyncHandler),
            ("/many", ManyHandler),
            ("/engine", EngineHandler),
        ],
        template_path=os.path.join(os.path.dirname(__file__), "templates"),
    ).listen(PORT)
    IOLoop.current().start()
