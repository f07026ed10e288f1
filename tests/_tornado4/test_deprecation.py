"""Deprecation warnings name a line of the program, and appear only if it uses the Tornado 4 API."""

from __future__ import annotations

import subprocess
import sys
import warnings

import pytest

from tornado import gen, testing
from tornado._tornado4.deprecation import deprecated
from tornado.httpclient import AsyncHTTPClient
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop, PeriodicCallback
from tornado.iostream import IOStream
from tornado.netutil import Resolver, add_accept_handler
from tornado.process import Subprocess
from tornado.tcpclient import TCPClient
from tornado.tcpserver import TCPServer
from tornado.web import Application


def test_warning_names_line_of_caller():
    with pytest.warns(DeprecationWarning, match="old is in the deprecated style of Tornado 4; new") as caught:
        deprecated("old", "new")
    assert caught[0].filename == __file__


async def test_warning_skips_frames_of_the_package():
    with pytest.warns(DeprecationWarning, match="io_loop argument of HTTPServer") as caught:
        Application().listen(0, "127.0.0.1", io_loop=IOLoop.current()).stop()
    assert [each.filename for each in caught] == [__file__]


async def test_warning_is_shown_once_per_line():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(3):
            gen.Callback("key")
        gen.Callback("key")
    assert len(caught) == 2


def test_attribute_access_does_not_warn():
    from tornado import concurrent, web

    assert hasattr(web, "asynchronous")
    assert hasattr(gen, "engine")
    assert hasattr(gen, "Task")
    assert hasattr(concurrent, "return_future")
    assert hasattr(testing, "get_unused_port")
    assert hasattr(testing, "LogTrapTestCase")
    for module in (web, gen, concurrent, testing):
        with pytest.raises(AttributeError, match="no attribute 'nothing'"):
            _ = module.nothing


def test_current_api_does_not_import_tornado4_modules():
    program = """
import sys, tornado.web, tornado.gen, tornado.httpserver, tornado.httpclient, tornado.iostream
loaded = {name for name in sys.modules if name.startswith("tornado._tornado4.")}
assert loaded == {"tornado._tornado4.legacy_arguments", "tornado._tornado4.deprecation"}, loaded
from tornado import gen, ioloop
assert ioloop._call_in_contexts is None and gen._start_yield_points is None
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


# -- io_loop


@pytest.mark.parametrize("position", ["keyword", "positional"])
async def test_io_loop_of_stream_is_ignored(position):
    import socket

    sock, other = socket.socketpair()
    loop = IOLoop.current()
    arguments = {"io_loop": loop, "max_buffer_size": 1000} if position == "keyword" else {}
    with pytest.warns(DeprecationWarning, match="io_loop argument of IOStream"):
        stream = IOStream(sock, **arguments) if arguments else IOStream(sock, loop, 1000)
    assert stream.max_buffer_size == 1000
    stream.close()
    other.close()


async def test_io_loop_of_pipe_is_ignored():
    import os

    from tornado.iostream import PipeIOStream

    readable, writable = os.pipe()
    with pytest.warns(DeprecationWarning, match="io_loop argument of PipeIOStream"):
        stream = PipeIOStream(readable, IOLoop.current())
    stream.close()
    os.close(writable)


def in_accept_handler(loop):
    sock, _ = testing.bind_unused_port()
    add_accept_handler(sock, print, io_loop=loop)()
    sock.close()


def in_subprocess(loop):
    Subprocess([sys.executable, "-c", ""], io_loop=loop).proc.wait()


def in_with_timeout(loop):
    return gen.with_timeout(loop.time() + 60, gen.maybe_future(1), loop)


def in_run_on_executor(loop):
    from tornado.concurrent import run_on_executor

    run_on_executor(io_loop="io_loop", executor="executor")


@pytest.mark.parametrize(
    ("what", "use"),
    [
        ("AsyncHTTPClient", lambda loop: AsyncHTTPClient(io_loop=loop).close()),
        ("AsyncHTTPClient", lambda loop: AsyncHTTPClient(loop, True).close()),
        ("AsyncHTTPClient", lambda loop: AsyncHTTPClient(loop, force_instance=True).close()),
        ("AsyncHTTPClient", lambda loop: AsyncHTTPClient(force_instance=True, io_loop=loop).close()),
        ("HTTPServer", lambda loop: HTTPServer(Application(), io_loop=loop)),
        ("TCPServer", lambda loop: TCPServer(loop)),
        ("TCPServer", lambda loop: TCPServer(io_loop=loop)),
        ("TCPClient", lambda loop: TCPClient(io_loop=loop).close()),
        ("Resolver", lambda loop: Resolver(io_loop=loop).close()),
        ("PeriodicCallback", lambda loop: PeriodicCallback(print, 100, loop)),
        ("PeriodicCallback", lambda loop: PeriodicCallback(print, 100, io_loop=loop)),
        ("add_accept_handler", in_accept_handler),
        ("Subprocess", in_subprocess),
        ("Subprocess.initialize", Subprocess.initialize),
        ("with_timeout", in_with_timeout),
        ("run_on_executor", in_run_on_executor),
    ],
)
async def test_io_loop_is_ignored(what, use):
    with pytest.warns(DeprecationWarning, match=f"io_loop argument of {what} is in the deprecated style"):
        use(IOLoop.current())


def test_io_loop_of_autoreload_is_ignored():
    program = """
import warnings
from tornado import autoreload
from tornado.ioloop import IOLoop
for start in (lambda loop: autoreload.start(loop), lambda loop: autoreload.start(io_loop=loop)):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        start(IOLoop.current())
    assert "io_loop argument of autoreload.start" in str(caught[-1].message), caught
IOLoop.current().close()
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


async def test_io_loop_none_does_not_warn():
    client = AsyncHTTPClient(io_loop=None)
    assert AsyncHTTPClient() is client
    client.close()
    assert PeriodicCallback(print, 100, io_loop=None).jitter == 0
    HTTPServer(Application(), io_loop=None)


async def test_client_with_io_loop_is_shared():
    with pytest.warns(DeprecationWarning, match="io_loop"):
        client = AsyncHTTPClient(io_loop=IOLoop.current())
    assert AsyncHTTPClient() is client
    client.close()


# -- names


def test_ioloop_initialized_is_true_after_instance():
    program = """
import warnings; warnings.simplefilter("ignore")
from tornado.ioloop import IOLoop
assert not IOLoop.initialized()
loop = IOLoop.instance()
assert IOLoop.initialized() and loop is IOLoop.current() is IOLoop.instance()
assert IOLoop.configurable_default().__name__ == "AsyncIOLoop"
loop.close()
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


async def test_ioloop_initialized_warns():
    with pytest.warns(DeprecationWarning, match="IOLoop.initialized"):
        assert not IOLoop.initialized()


def test_get_unused_port():
    import socket

    with pytest.warns(DeprecationWarning, match="bind_unused_port"):
        port = testing.get_unused_port()
    with socket.create_server(("127.0.0.1", port)):
        assert testing.get_unused_port.__module__ == "tornado.testing"


def test_string_type_names():
    from tornado import options, util

    assert (util.unicode_type, util.bytes_type, util.basestring_type, util.PY3) == (str, bytes, str, True)
    assert options.enable_pretty_logging.__module__ == "tornado.log"


async def test_handle_callback_exception_can_be_replaced():
    seen = []
    loop = IOLoop.current()
    loop.handle_callback_exception = lambda callback: seen.append(sys.exc_info()[1])
    loop.add_callback(lambda: 1 / 0)
    while not seen:
        await gen.sleep(0)
    assert isinstance(seen[0], ZeroDivisionError)
