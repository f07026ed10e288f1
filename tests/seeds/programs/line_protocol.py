"""IOLoop和IOStream: 异步网络库，也可以用来实现其他协议. This program implements such a protocol."""

from tornado import gen
from tornado.ioloop import IOLoop, PeriodicCallback
from tornado.iostream import StreamClosedError
from tornado.locks import Semaphore
from tornado.tcpclient import TCPClient
from tornado.tcpserver import TCPServer
from tornado.testing import bind_unused_port

two_at_a_time = Semaphore(2)


class UpperServer(TCPServer):
    @gen.coroutine
    def handle_stream(self, stream, address):
        try:
            while True:
                line = yield stream.read_until(b"\n")
                yield stream.write(line.upper())
        except StreamClosedError:
            pass


async def ask(port, text):
    async with two_at_a_time:
        stream = await TCPClient().connect("127.0.0.1", port)
        await stream.write(text.encode() + b"\n")
        answer = await stream.read_until(b"\n")
        stream.close()
        return answer.decode().strip()


async def main():
    sock, port = bind_unused_port()
    server = UpperServer()
    server.add_socket(sock)
    ticks = []
    ticking = PeriodicCallback(lambda: ticks.append(1), 1)
    ticking.start()
    print(await gen.multi([ask(port, text) for text in ("one", "two", "three")]))
    while len(ticks) < 2:
        await gen.sleep(0.001)
    ticking.stop()
    print("ticked")
    server.stop()


IOLoop.current().run_sync(main)
