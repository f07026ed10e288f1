"""The resolvers, and `is_valid_ip`."""

from __future__ import annotations

import concurrent.futures
import os
import socket

import pytest

from tests.support.netutil import shared_pool
from tornado.ioloop import IOLoop
from tornado.netutil import (
    BlockingResolver,
    DefaultExecutorResolver,
    DefaultLoopResolver,
    ExecutorResolver,
    OverrideResolver,
    Resolver,
    ThreadedResolver,
    is_valid_ip,
)

REAL = [BlockingResolver, DefaultExecutorResolver, DefaultLoopResolver, ThreadedResolver]


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1",
        "4.4.4.4",
        "::1",
        "2001:db8::1",
        "::ffff:4.4.4.4",
        "2001:DB8::",
        "1:2:3:4:5:6:255.255.255.255",
    ],
)
def test_literal_addresses_are_valid(text):
    assert is_valid_ip(text)


@pytest.mark.skipif(not hasattr(socket, "if_nameindex"), reason="interface names are not available")
def test_address_with_a_zone_of_this_machine():
    name = socket.if_nameindex()[0][1]
    assert is_valid_ip(f"fe80::1%{name}")
    assert not is_valid_ip("fe80::1%nosuch")
    assert not is_valid_ip(f"4.4.4.4%{name}")


@pytest.mark.parametrize(
    "text",
    [
        "127.1",
        "1",
        "2130706433",
        "0x7f.1",
        "0x7f.0.0.1",
        "010.0.0.1",
        "4.4.4.\u00b2",
        "\uff14.4.4.4",
        "4.4.4.4.",
    ],
)
def test_ambiguous_addresses_are_not_valid(text):
    """The C library or Python interprets each of these strings as an address that readers do not expect."""
    assert not is_valid_ip(text)


@pytest.mark.parametrize("unit", ["\u00e9.", "4.", "::", "fe80::1%", "4.4.4.4,"])
def test_long_input_needs_no_look_up(unit, monkeypatch):
    """Python's IDNA codec needs 8 microseconds per character, and would block the event loop."""

    def asked(*_):
        raise AssertionError("getaddrinfo was called")

    monkeypatch.setattr(socket, "getaddrinfo", asked)
    assert not is_valid_ip(unit * 10_000)
    assert not is_valid_ip("\u00e9.\u00e9")


@pytest.mark.parametrize(
    "text",
    ["", " ", "localhost", "example.com", "4.4.4.4.5", "4.4.4.4 x", "\n", "::1\0", "\0", "x" * 300, "é.é"],
)
def test_text_that_is_not_an_address(text):
    assert not is_valid_ip(text)


def test_default_class_uses_the_executor_of_the_loop():
    assert Resolver.configured_class() is DefaultLoopResolver


@pytest.mark.parametrize("kind", REAL)
async def test_literal_address_is_returned(loop_kind, kind):
    resolver = kind()
    assert await resolver.resolve("127.0.0.1", 80) == [(socket.AF_INET, ("127.0.0.1", 80))]
    resolver.close()


@pytest.mark.parametrize("kind", REAL)
async def test_name_is_resolved(kind):
    resolver = kind()
    answer = await resolver.resolve("localhost", 80, socket.AF_INET)
    assert (socket.AF_INET, ("127.0.0.1", 80)) in answer
    resolver.close()


@pytest.mark.parametrize("kind", REAL)
async def test_failed_look_up_raises_oserror(kind, monkeypatch):
    def getaddrinfo(*args, **kwargs):
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    resolver = kind()
    with pytest.raises(OSError, match="no such name"):
        await resolver.resolve("name.invalid", 80)
    resolver.close()


async def test_literal_needs_no_thread(monkeypatch):
    monkeypatch.setattr(IOLoop, "run_in_executor", None)
    loop_class = type(__import__("asyncio").get_running_loop())
    monkeypatch.setattr(loop_class, "getaddrinfo", None)
    assert await DefaultLoopResolver().resolve("::1", 1) == [(socket.AF_INET6, ("::1", 1, 0, 0))]


async def test_own_executor_is_shut_down():
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        resolver = ExecutorResolver(executor=pool)
        assert await resolver.resolve("127.0.0.1", 1)
        resolver.close()
        with pytest.raises(RuntimeError, match="shutdown"):
            pool.submit(int)
        with pytest.raises(RuntimeError, match="closed"):
            resolver.resolve("127.0.0.1", 1)


async def test_executor_of_the_program_is_kept():
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        ExecutorResolver(executor=pool, close_executor=False).close()
        assert pool.submit(int).result() == 0


async def test_threaded_resolvers_share_a_pool():
    first, second = ThreadedResolver(), ThreadedResolver(num_threads=3)
    assert first.executor is second.executor
    assert shared_pool() == (first.executor, os.getpid())


class Recorder(Resolver):
    def initialize(self):
        self.asked = []

    async def resolve(self, host, port, family=socket.AF_UNSPEC):
        self.asked.append((host, port, family))
        return []

    def close(self):
        self.asked = None


async def test_overrides_apply_to_hosts_ports_and_families():
    recorder = Recorder()
    resolver = OverrideResolver(
        recorder,
        {
            "name": "other",
            ("name", 443): ("secure", 1443),
            ("name", 443, socket.AF_INET6): ("six", 6),
        },
    )
    for question in [("name", 80), ("name", 443), ("name", 443, socket.AF_INET6), ("unknown", 1)]:
        await resolver.resolve(*question)
    assert recorder.asked == [
        ("other", 80, socket.AF_UNSPEC),
        ("secure", 1443, socket.AF_UNSPEC),
        ("six", 6, socket.AF_INET6),
        ("unknown", 1, socket.AF_UNSPEC),
    ]
    resolver.close()
    assert recorder.asked is None


@pytest.mark.parametrize("kind", REAL)
@pytest.mark.parametrize("name", ["a" * 64 + ".com", "a..b"])
async def test_invalid_host_name_raises_gaierror(kind, name, loop_kind):
    with pytest.raises(socket.gaierror, match="invalid host name: .*label") as caught:
        await kind().resolve(name, 80)
    assert caught.value.errno == socket.EAI_NONAME
