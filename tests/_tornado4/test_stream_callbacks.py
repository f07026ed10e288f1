"""Callbacks of streams, as keyword arguments and at their position in Tornado 4."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import socket

import pytest

from tests.support.streams import KINDS, closed, run_loop_iterations, socket_pair, stream_pair, tls_stream
from tornado import gen
from tornado.iostream import IOStream, SSLIOStream, StreamClosedError
from tornado.stack_context import ExceptionStackContext

pytestmark = pytest.mark.filterwarnings("ignore:.*style of Tornado 4")


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


class Callback:
    """A callback whose calls can be awaited."""

    def __init__(self) -> None:
        self.calls: list[tuple] = []
        self._called = asyncio.Event()

    def __call__(self, *args):
        self.calls.append(args)
        self._called.set()

    async def result(self):
        await self._called.wait()
        self._called.clear()
        return self.calls[-1]


READS = [
    ("read_until", (b"\n",), None, b"one\n"),
    ("read_until_regex", (rb"\r?\n",), None, b"one\n"),
    ("read_bytes", (3,), None, b"one"),
    ("read_bytes", (100,), True, b"one\ntwo"),
]


@pytest.mark.parametrize(("method", "arguments", "partial", "expected"), READS)
@pytest.mark.parametrize("place", ["keyword", "old"])
async def test_read_calls_callback(kind, certificates, method, arguments, partial, expected, place):
    async with stream_pair(kind, certificates) as (server, client):
        await client.write(b"one\ntwo")
        got = Callback()
        options = {"partial": True} if partial else {}
        if place == "keyword":
            returned = getattr(server, method)(*arguments, callback=got, **options)
        else:
            # The order of Tornado 4: callback, streaming_callback, partial.
            returned = getattr(server, method)(*arguments, got, *([None, True] if partial else []))
        assert returned is None
        assert got.calls == []  # callbacks never run before the call returns
        assert await got.result() == (expected,)


async def test_tornado4_argument_order_with_max_bytes(certificates):
    async with stream_pair("plain", certificates) as (server, client):
        got = Callback()
        server.read_until(b"\n", got, 10)
        await client.write(b"short\n")
        assert await got.result() == (b"short\n",)
        server.read_until_regex(b"\n", got, 10)
        await client.write(b"much too long\n")
        await closed(server)
        assert len(got.calls) == 1


@pytest.mark.parametrize("place", ["keyword", "old"])
async def test_read_into_calls_callback_with_the_size(certificates, place):
    async with stream_pair("plain", certificates) as (server, client):
        await client.write(b"12345")
        got, buffer = Callback(), bytearray(5)
        if place == "keyword":
            server.read_into(buffer, callback=got)
        else:
            server.read_into(buffer, got)
        assert await got.result() == (5,)
        assert buffer == b"12345"


@pytest.mark.parametrize("place", ["keyword", "old"])
async def test_read_until_close_calls_callback(kind, certificates, place):
    async with stream_pair(kind, certificates) as (server, client):
        got = Callback()
        if place == "keyword":
            server.read_until_close(callback=got)
        else:
            server.read_until_close(got)
        await client.write(b"all of it")
        client.close()
        assert await got.result() == (b"all of it",)


@pytest.mark.parametrize("place", ["keyword", "old"])
async def test_read_bytes_with_streaming_callback(kind, certificates, place):
    async with stream_pair(kind, certificates, read_chunk_size=4) as (server, client):
        got, parts = Callback(), []
        if place == "keyword":
            server.read_bytes(10, callback=got, streaming_callback=parts.append)
        else:
            server.read_bytes(10, got, parts.append)
        await client.write(b"0123456789and more")
        assert await got.result() == (b"",)
        assert b"".join(parts) == b"0123456789"
        assert max(map(len, parts)) <= 4
        assert await server.read_bytes(8) == b"and more"


async def test_read_bytes_with_streaming_callback_only(certificates):
    async with stream_pair("plain", certificates) as (server, client):
        parts = []
        await client.write(b"0123456789")
        assert await server.read_bytes(10, streaming_callback=parts.append) == b""
        assert b"".join(parts) == b"0123456789"


@pytest.mark.parametrize("place", ["keyword", "old"])
async def test_read_until_close_with_streaming_callback(certificates, place):
    async with stream_pair("plain", certificates, read_chunk_size=4) as (server, client):
        got, parts = Callback(), []
        if place == "keyword":
            server.read_until_close(callback=got, streaming_callback=parts.append)
        else:
            server.read_until_close(got, parts.append)
        await client.write(b"0123456789")
        client.close()
        assert await got.result() == (b"",)
        assert b"".join(parts) == b"0123456789"


async def test_truncated_streaming_read_calls_only_close_callback(certificates):
    async with stream_pair("plain", certificates) as (server, client):
        got, parts = Callback(), []
        server.read_bytes(10, callback=got, streaming_callback=parts.append)
        await client.write(b"01234")
        client.close()
        await closed(server)
        await run_loop_iterations(5)
        assert b"".join(parts) == b"01234"
        assert got.calls == []


async def test_failed_read_calls_only_close_callback(certificates):
    async with stream_pair("plain", certificates) as (server, client):
        got = Callback()
        server.read_until(b"\n", got)
        client.close()
        await closed(server)
        await run_loop_iterations()
        assert got.calls == []
        with pytest.raises(StreamClosedError):
            server.read_until(b"\n", got)


async def test_write_calls_callback(kind, certificates):
    async with stream_pair(kind, certificates) as (server, client):
        got, large = Callback(), b"x" * 3_000_000
        server.write(b"small", got)
        assert await got.result() == ()
        server.write(large, callback=got)
        assert len(await client.read_bytes(len(large) + 5)) == len(large) + 5
        assert await got.result() == ()
        assert len(got.calls) == 2


async def test_failed_write_does_not_call_callback(certificates):
    async with stream_pair("plain", certificates) as (server, _):
        got = Callback()
        server.write(b"x" * 10_000_000, got)
        server.close()
        await run_loop_iterations()
        assert got.calls == []
        with pytest.raises(StreamClosedError):
            server.write(b"x", got)


@pytest.mark.parametrize("place", ["keyword", "old"])
async def test_connect_calls_callback(place):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stream, got = IOStream(socket.socket()), Callback()
        if place == "keyword":
            stream.connect(listener.getsockname(), callback=got)
        else:
            stream.connect(listener.getsockname(), got)
        assert await got.result() == ()
        stream.close()


async def test_failed_connect_does_not_call_callback():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
    stream, got = IOStream(socket.socket()), Callback()
    stream.connect(address, got)
    await closed(stream)
    await run_loop_iterations()
    assert got.calls == []


@pytest.mark.parametrize("place", ["keyword", "old"])
async def test_tls_connect_calls_callback_after_handshake(certificates, place):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        got = Callback()
        stream = SSLIOStream(socket.socket(), ssl_options=certificates.client_context)
        if place == "keyword":
            stream.connect(listener.getsockname(), server_hostname="localhost", callback=got)
        else:
            stream.connect(listener.getsockname(), got, "localhost")
        accepted, _ = await asyncio.get_running_loop().run_in_executor(None, listener.accept)
        server = tls_stream(accepted, certificates.server_context, server_side=True)
        assert await got.result() == ()
        assert stream.socket.version() is not None
        stream.close()
        server.close()


async def test_wait_for_handshake_calls_callback(certificates):
    one, other = socket_pair()
    server = tls_stream(one, certificates.server_context, server_side=True)
    client = tls_stream(other, certificates.client_context, server_side=False)
    got = Callback()
    server.wait_for_handshake(got)
    assert await got.result() == ()
    client.close()
    server.close()


async def test_exception_in_callback_closes_stream(certificates, expect_log):
    async with stream_pair("plain", certificates) as (server, client):
        await client.write(b"one\n")
        server.read_until(b"\n", lambda data: 1 / 0)
        with expect_log("tornado.application", "Exception in callback"):
            await closed(server)
        assert isinstance(server.error, ZeroDivisionError)


async def test_exception_in_streaming_callback_closes_stream(certificates, expect_log):
    async with stream_pair("plain", certificates) as (server, client):
        await client.write(b"0123456789")
        got = Callback()
        server.read_bytes(10, callback=got, streaming_callback=lambda data: 1 / 0)
        with expect_log("tornado.application", "Exception in callback"):
            await closed(server)
            await run_loop_iterations()
        assert isinstance(server.error, ZeroDivisionError)
        assert got.calls == []


async def test_exception_is_passed_to_handler_of_the_caller(certificates):
    async with stream_pair("plain", certificates) as (server, client):
        seen = []
        with ExceptionStackContext(lambda kind, error, trace: seen.append(kind) or True):
            server.read_until(b"\n", lambda data: 1 / 0)
        await client.write(b"one\n")
        await closed(server)
        await run_loop_iterations()
        assert seen == [ZeroDivisionError]


async def test_protocol_implemented_with_callbacks(kind, certificates):
    """A protocol implemented with callbacks."""
    async with stream_pair(kind, certificates) as (server, client):
        done: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        def on_line(line):
            server.write(b"you said " + line, on_written)

        def on_written():
            server.read_until(b"\n", on_line)

        server.read_until(b"\n", on_line)
        client.write(b"hello\n", lambda: client.read_until(b"\n", on_answer))

        def on_answer(answer):
            client.write(b"bye\n")
            client.read_until(b"\n", done.set_result)

        assert await done == b"you said bye\n"


async def test_gen_task_of_read(certificates):
    async with stream_pair("plain", certificates) as (server, client):
        await client.write(b"one\n")

        @gen.coroutine
        def read():
            return (yield gen.Task(server.read_until, b"\n"))

        assert await read() == b"one\n"


@pytest.mark.filterwarnings("default")
async def test_callbacks_of_reads_and_writes_warn(certificates):
    got = Callback()
    async with stream_pair("plain", certificates) as (server, client):
        await client.write(b"1234567890\n")
        for name, use in [
            ("read_bytes", lambda: server.read_bytes(2, got)),
            ("read_until", lambda: server.read_until(b"4", got)),
            ("read_until_regex", lambda: server.read_until_regex(b"5", callback=got)),
            ("read_into", lambda: server.read_into(bytearray(1), got)),
            ("write", lambda: server.write(b"x", got)),
            ("read_until_close", lambda: server.read_until_close(got)),
        ]:
            with pytest.warns(
                DeprecationWarning, match=rf"IOStream.{name}\(callback=...\) is in the deprecated style"
            ) as caught:
                use()
            assert caught[0].filename == __file__
            if name != "read_until_close":
                await got.result()
    async with stream_pair("plain", certificates) as (server, client):
        with pytest.warns(DeprecationWarning, match=r"IOStream.read_bytes\(streaming_callback=...\)"):
            server.read_bytes(2, got, print)
    stream = IOStream(socket.socket())
    with contextlib.closing(stream), pytest.warns(DeprecationWarning, match=r"IOStream.connect\(callback="):
        stream.connect(("127.0.0.1", 9), got)
    await run_loop_iterations()


@pytest.mark.parametrize(("method", "pattern"), [("read_until", b"\n"), ("read_until_regex", rb"\n")])
async def test_callback_at_tornado4_position_with_keyword_option(kind, certificates, method, pattern):
    async with stream_pair(kind, certificates) as (server, client):
        await client.write(b"one\n")
        got = Callback()
        getattr(server, method)(pattern, got, max_bytes=10)
        assert await got.result() == (b"one\n",)


async def test_read_bytes_with_callbacks_at_tornado4_positions(kind, certificates):
    async with stream_pair(kind, certificates) as (server, client):
        await client.write(b"one")
        got = Callback()
        server.read_bytes(100, got, partial=True)
        assert await got.result() == (b"one",)


@pytest.mark.parametrize("method", ["read_until", "read_until_regex"])
async def test_read_option_at_current_position(kind, certificates, method):
    async with stream_pair(kind, certificates) as (server, client):
        await client.write(b"one\n")
        assert await getattr(server, method)(b"\n", 4) == b"one\n"
        got = Callback()
        await client.write(b"two\n")
        getattr(server, method)(b"\n", None, got)
        assert await got.result() == (b"two\n",)
        await client.write(b"three")
        assert await server.read_bytes(100, True) == b"three"


@pytest.mark.parametrize(
    ("method", "arguments", "named", "message"),
    [
        ("read_until", (b"x", 10), {"max_bytes": 10}, "multiple values for argument 'max_bytes'"),
        ("read_until_regex", (b"x", print), {"callback": print}, "multiple values for argument 'callback'"),
        ("read_until", (b"x", 10, print, 1), {}, "takes at most 2 options, got 3"),
        ("read_bytes", (1, True), {"partial": True}, "multiple values for argument 'partial'"),
    ],
)
async def test_read_option_passed_twice_is_rejected(kind, certificates, method, arguments, named, message):
    async with stream_pair(kind, certificates) as (server, _client):
        with pytest.raises(TypeError, match=message):
            getattr(server, method)(*arguments, **named)
        assert not server.reading()


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("read_until", {"delimiter": inspect.Parameter.empty, "max_bytes": None, "callback": None}),
        ("read_until_regex", {"regex": inspect.Parameter.empty, "max_bytes": None, "callback": None}),
        (
            "read_bytes",
            {
                "num_bytes": inspect.Parameter.empty,
                "partial": False,
                "callback": None,
                "streaming_callback": None,
            },
        ),
    ],
)
def test_reads_show_their_documented_signature(method, options):
    parameters = dict(inspect.signature(getattr(IOStream, method)).parameters)
    del parameters["self"]
    assert {name: parameter.default for name, parameter in parameters.items()} == options
    assert "place" not in getattr(IOStream, method).__annotations__
