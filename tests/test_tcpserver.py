"""TCPServer: handlers of each kind, TLS, stopping, and invalid arguments."""

from __future__ import annotations

import asyncio
import gc
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys

import pytest

from tests.support.tcp import listening
from tests.support.tcpserver import bound_sockets, connection_limits, listening_sockets, tls_context
from tornado import gen
from tornado.iostream import IOStream, SSLIOStream, StreamClosedError
from tornado.netutil import bind_sockets, bind_unix_socket
from tornado.tcpclient import TCPClient
from tornado.tcpserver import TCPServer


async def read_response(port: int, **kwargs: object) -> bytes:
    stream = await TCPClient().connect("127.0.0.1", port, **kwargs)
    return await stream.read_until_close()


async def test_function(loop_kind):
    class Server(TCPServer):
        def handle_stream(self, stream, address):
            stream.write(b"hello")
            stream.close()

    with listening(Server()) as port:
        assert await read_response(port) == b"hello"


async def test_coroutine(loop_kind):
    class Server(TCPServer):
        async def handle_stream(self, stream, address):
            assert asyncio.current_task() is not None
            await stream.write(await stream.read_until(b"\n"))
            stream.close()

    with listening(Server()) as port:
        stream = await TCPClient().connect("127.0.0.1", port)
        await stream.write(b"line\n")
        assert await stream.read_until_close() == b"line\n"


async def test_generator():
    class Server(TCPServer):
        @gen.coroutine
        def handle_stream(self, stream, address):
            yield stream.write(b"hello")
            stream.close()

    with listening(Server()) as port:
        assert await read_response(port) == b"hello"


async def test_handler_set_on_the_instance():
    def handle(stream, address):
        stream.write(repr(address[0]).encode())
        stream.close()

    server = TCPServer()
    server.handle_stream = handle  # type: ignore[method-assign]
    with listening(server) as port:
        assert await read_response(port) == b"'127.0.0.1'"


async def test_unix_socket(tmp_path):
    class Server(TCPServer):
        def handle_stream(self, stream, address):
            stream.write(b"hello")
            stream.close()

    server = Server()
    path = str(tmp_path / "s")
    server.add_socket(bind_unix_socket(path))
    stream = IOStream(socket.socket(socket.AF_UNIX))
    await stream.connect(path)
    assert await stream.read_until_close() == b"hello"
    server.stop()


async def test_handler_error_is_logged_and_closes(expect_log):
    class Server(TCPServer):
        def handle_stream(self, stream, address):
            raise ZeroDivisionError("at once")

    with listening(Server()) as port, expect_log("tornado.application", "connection callback for 127.0.0.1:"):
        assert await read_response(port) == b""


async def test_error_after_await_is_logged_and_closes(expect_log):
    class Server(TCPServer):
        async def handle_stream(self, stream, address):
            await stream.write(b"begun")
            await asyncio.sleep(0)
            raise ZeroDivisionError("later")

    with listening(Server()) as port, expect_log("tornado.application", "Exception in callback") as log:
        assert await read_response(port) == b"begun"
    assert log.records[0].exc_info[0] is ZeroDivisionError
    assert "handle_stream of Server for 127.0.0.1:" in log.records[0].getMessage()


async def test_missing_handler(expect_log):
    with listening(TCPServer()) as port, expect_log("tornado.application", "connection callback") as log:
        assert await read_response(port) == b""
    assert "handle_stream" in str(log.records[0].exc_info[1])


async def test_buffer_sizes_are_passed_to_the_stream():
    seen: asyncio.Future[IOStream] = asyncio.get_running_loop().create_future()
    server = TCPServer(max_buffer_size=12345, read_chunk_size=4096)
    server.handle_stream = lambda stream, address: seen.set_result(stream)  # type: ignore[method-assign]
    with listening(server) as port:
        client = await TCPClient().connect("127.0.0.1", port)
        stream = await seen
        assert stream.max_buffer_size == 12345
        assert stream.read_chunk_size == 4096
        stream.close()
        client.close()


async def test_sockets_are_known_by_descriptor_until_stopped():
    server = TCPServer()
    sockets = bind_sockets(0, "127.0.0.1") + bind_sockets(0, "127.0.0.1")
    server.add_sockets(sockets)
    assert listening_sockets(server) == {sock.fileno(): sock for sock in sockets}
    server.stop()
    assert all(sock.fileno() == -1 for sock in sockets)
    server.stop()


async def test_listen():
    server = TCPServer()
    server.listen(0, "127.0.0.1")
    (sock,) = listening_sockets(server).values()
    assert sock.getsockname()[1] > 0
    server.stop()


async def test_bind_and_start():
    server = TCPServer()
    server.bind(0, "127.0.0.1")
    assert not listening_sockets(server)
    server.start()
    assert len(listening_sockets(server)) == 1
    server.bind(0, "127.0.0.1")
    assert len(listening_sockets(server)) == 2
    with pytest.raises(RuntimeError, match="once"):
        server.start()
    server.stop()


def test_bound_but_not_started():
    server = TCPServer()
    server.bind(0, "127.0.0.1")
    (sock,) = bound_sockets(server)
    server.stop()
    assert sock.fileno() == -1


async def test_waiting_handler_is_not_garbage_collected():
    """The handler awaits a Future to which nothing else refers, and no longer uses its stream."""
    began, ends = asyncio.Event(), []

    class Server(TCPServer):
        async def handle_stream(self, stream, address):
            mine = asyncio.Future()
            began.set()
            try:
                await mine
            except asyncio.CancelledError:
                ends.append("it was cancelled")
                raise
            finally:
                ends.append("it ended")
                stream.close()

    server = Server()
    server.listen(0, "127.0.0.1")
    (sock,) = listening_sockets(server).values()
    with socket.create_connection(sock.getsockname()):
        await began.wait()
        gc.collect()
        assert ends == []
        (task,) = asyncio.all_tasks() - {asyncio.current_task()}
        task.cancel()
        await asyncio.wait([task])
    server.stop()
    assert ends == ["it was cancelled", "it ended"]


def test_start_forks_by_the_public_name(monkeypatch):
    """Bokeh's tests replace `tornado.process.fork_processes`."""
    asked = []
    monkeypatch.setattr("tornado.process.fork_processes", lambda *arguments: asked.append(arguments))
    TCPServer().start(3, max_restarts=5)
    assert asked == [(3, 5)]


async def test_start_does_not_fork_a_running_loop():
    with pytest.raises(RuntimeError, match="event loop is running"):
        TCPServer().start(2)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform cannot fork")
@pytest.mark.parametrize("how", ["bind and start", "add_sockets after the fork"])
def test_several_processes_share_a_port(how):
    """Each child responds with its number. A child that dies is restarted, and the port stays open."""
    program = f"""
import os
from tornado.ioloop import IOLoop
from tornado.netutil import bind_sockets
from tornado.process import fork_processes, task_id
from tornado.tcpserver import TCPServer

class Server(TCPServer):
    async def handle_stream(self, stream, address):
        await stream.write(b"%d %d" % (task_id(), os.getpid()))
        stream.close()

server = Server()
if {how == "bind and start"!r}:
    server.bind(0, "127.0.0.1")
    print(server._pending_sockets[0].getsockname()[1], flush=True)
    server.start(2)
else:
    sockets = bind_sockets(0, "127.0.0.1")
    print(sockets[0].getsockname()[1], flush=True)
    fork_processes(2)
    server.add_sockets(sockets)
IOLoop.current().start()
"""

    def ask(port: int) -> tuple[int, int]:
        with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
            number, pid = client.makefile().read().split()
        return int(number), int(pid)

    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        port = int(parent.stdout.readline())
        pids: dict[int, int] = {}
        try:
            while len(pids) < 2:
                number, pid = ask(port)
                pids[number] = pid
            os.kill(pids[1], signal.SIGKILL)
            killed, again = pids[1], pids[1]
            while again == killed:
                number, pid = ask(port)
                again = pid if number == 1 else again
            pids[1] = again
        finally:
            parent.kill()
            for pid in pids.values():
                os.kill(pid, signal.SIGKILL)


class TLSServer(TCPServer):
    async def handle_stream(self, stream, address):
        assert isinstance(stream, SSLIOStream)
        try:
            await stream.write(b"secret")
        except StreamClosedError:
            return
        stream.close()


async def test_tls_by_context(loop_kind, certificates):
    with listening(TLSServer(certificates.server_context)) as port:
        assert await read_response(port, ssl_options=certificates.client_context) == b"secret"


async def test_tls_by_dictionary(certificates, tmp_path):
    copy = tmp_path / "server.pem"
    shutil.copy(certificates.certificate_file, copy)
    server = TLSServer({"certfile": str(copy), "keyfile": str(certificates.key_file)})
    with listening(server) as port:
        assert await read_response(port, ssl_options=certificates.client_context) == b"secret"
        context = tls_context(server)
        assert tls_context(server) is context
        os.utime(copy, ns=(1, 1))
        assert tls_context(server) is not context
        assert await read_response(port, ssl_options=certificates.client_context) == b"secret"


async def test_tls_peer_that_disconnects_immediately(certificates):
    """A disconnect during the handshake is not logged, and the server continues to serve."""
    with listening(TLSServer(certificates.server_context)) as port:
        for _ in range(3):
            sock = socket.create_connection(("127.0.0.1", port))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            sock.close()
        assert await read_response(port, ssl_options=certificates.client_context) == b"secret"


class ResettingContext:
    """An `ssl.SSLContext` whose peers reset the connection immediately after it was wrapped."""

    def __init__(self, context):
        self.context = context
        self.peers = {}

    def wrap_socket(self, sock, **options):
        peer = self.peers.pop(sock.getpeername())
        wrapped = self.context.wrap_socket(sock, **options)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        peer.close()
        return wrapped


async def test_tls_reset_after_wrapping_releases_descriptor_and_connection_count(loop_kind, certificates):
    class Keeping(TCPServer):
        def handle_stream(self, stream, address):
            streams.append(stream)

    streams = []
    context = ResettingContext(certificates.server_context)
    server = Keeping(context, max_connections=100)
    with listening(server) as port:
        for _ in range(5):
            client = socket.socket()
            client.bind(("127.0.0.1", 0))
            context.peers[client.getsockname()] = client
            client.connect(("127.0.0.1", port))
        while len(streams) < 5:
            await asyncio.sleep(0)
        while not all(stream.closed() for stream in streams) or connection_limits(server).count:
            await asyncio.sleep(0)


def test_invalid_tls_options_are_rejected_early(certificates, tmp_path):
    text = tmp_path / "text.pem"
    text.write_text("no certificate")
    with pytest.raises(ssl.SSLError, match="cannot use certfile"):
        TCPServer(ssl_options={"certfile": str(text)})
    with pytest.raises(ValueError, match="unknown ssl_options"):
        TCPServer(ssl_options={"certfile": str(certificates.certificate_file), "wrong": 1})
    with pytest.raises(KeyError, match="certfile"):
        TCPServer(ssl_options={})
    with pytest.raises(ValueError, match='certfile "/none" does not exist'):
        TCPServer(ssl_options={"certfile": "/none"})
    with pytest.raises(ValueError, match='keyfile "/none" does not exist'):
        TCPServer(ssl_options={"certfile": str(certificates.certificate_file), "keyfile": "/none"})
    for wrong in (5, "cert.pem", True):
        with pytest.raises(
            TypeError, match=f"ssl_options must be an ssl.SSLContext or a dict .*, got {wrong!r}"
        ):
            TCPServer(ssl_options=wrong)
    TCPServer(ssl_options=ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))


async def test_blocking_inherited_socket_does_not_block_the_loop(loop_kind):
    class Greeter(TCPServer):
        async def handle_stream(self, stream, address):
            await stream.write(b"hello")
            stream.close()

    with socket.create_server(("127.0.0.1", 0)) as made:
        inherited = socket.socket(fileno=os.dup(made.fileno()))
    assert inherited.getblocking()
    server = Greeter()
    server.add_sockets([inherited])
    try:
        reader, writer = await asyncio.open_connection(*inherited.getsockname())
        assert await reader.read() == b"hello"
        writer.close()
        await writer.wait_closed()
    finally:
        server.stop()


async def test_result_that_is_not_awaitable_is_logged_and_closes(expect_log):
    server = TCPServer()
    server.handle_stream = lambda stream, address: "done"  # type: ignore[method-assign]
    with listening(server) as port, expect_log("tornado.application", "connection callback") as log:
        assert await read_response(port) == b""
    assert log.records[0].exc_info[0] is gen.BadYieldError


@pytest.mark.parametrize("fault", [asyncio.CancelledError, GeneratorExit])
async def test_base_exception_is_logged_and_closes(loop_kind, fault, expect_log):
    class Failing(TCPServer):
        def handle_stream(self, stream, address):
            streams.append(stream)
            raise fault

    streams = []
    server = Failing(max_connections=10)
    with listening(server) as port:
        with expect_log("tornado.application", "Error in connection callback"):
            assert await read_response(port) == b""
        assert streams[0].closed()
        assert connection_limits(server).count == 0
