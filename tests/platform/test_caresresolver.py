"""The c-ares resolver, with a name server in this process."""

from __future__ import annotations

import asyncio
import gc
import socket
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from unittest.mock import Mock

import pytest

from tests.conftest import loop_factory
from tests.support import dns
from tests.support.configuration import restored_configuration
from tests.support.dns import NameServer, name_server
from tests.support.platform import has_timer, set_options, watch_late
from tests.support.tcpserver import listening_sockets
from tests.support.tools import need_module
from tornado.ioloop import IOLoop
from tornado.netutil import Resolver
from tornado.platform.asyncio import AsyncIOLoop
from tornado.tcpclient import TCPClient
from tornado.tcpserver import TCPServer

pycares = need_module("pycares", "caresresolver")

from tornado.platform.caresresolver import CaresResolver  # noqa: E402 - after the check for pycares


def options(server: NameServer, **more: Any) -> dict[str, Any]:
    """Return arguments that make c-ares query only ``server``, without appending search domains.

    ``lookups="b"`` would also exclude the hosts file, but pycares 5.2 passes c-ares the address of a string
    that it has freed.
    """
    return {
        "servers": ["127.0.0.1"],
        "udp_port": server.port,
        "tcp_port": server.port,
        "flags": pycares.ARES_FLAG_NOSEARCH,
        "tries": 2,
        **more,
    }


@asynccontextmanager
async def serving(**more: Any) -> AsyncIterator[tuple[NameServer, CaresResolver]]:
    """Provide a name server, and a resolver that queries it."""
    async with name_server() as server:
        resolver = CaresResolver(**options(server, **more))
        try:
            yield server, resolver
        finally:
            resolver.close()
            assert resolver.fds == {}


async def test_addresses_of_both_families(loop_kind: str) -> None:
    async with serving() as (server, resolver):
        server.addresses["host.test"] = ["192.0.2.7", "2001:db8::7"]
        found = await resolver.resolve("host.test", 80)
        assert sorted(found) == [
            (socket.AF_INET, ("192.0.2.7", 80)),
            (socket.AF_INET6, ("2001:db8::7", 80, 0, 0)),
        ]
        assert isinstance(found[0][0], int)
        assert {(name, kind) for name, kind, _ in server.queries} == {
            ("host.test", dns.A),
            ("host.test", dns.AAAA),
        }


@pytest.mark.parametrize(
    ("family", "kind", "expected"),
    [
        (socket.AF_INET, dns.A, ("192.0.2.7", 443)),
        (socket.AF_INET6, dns.AAAA, ("2001:db8::7", 443, 0, 0)),
    ],
)
async def test_resolving_one_family(
    family: socket.AddressFamily, kind: int, expected: tuple[Any, ...]
) -> None:
    """If one address family is requested, no query for the other family is sent."""
    async with serving() as (server, resolver):
        server.addresses["host.test"] = ["192.0.2.7", "2001:db8::7"]
        assert await resolver.resolve("host.test", 443, family) == [(family, expected)]
        assert [each for _, each, _ in server.queries] == [kind]


async def test_alias_is_followed_and_addresses_are_unique() -> None:
    async with serving() as (server, resolver):
        server.aliases["www.test"] = "host.test"
        server.addresses["host.test"] = ["192.0.2.1", "192.0.2.2"]
        found = await resolver.resolve("www.test", 80, socket.AF_INET)
        assert sorted(address for _, address in found) == [("192.0.2.1", 80), ("192.0.2.2", 80)]


async def test_many_concurrent_queries(loop_kind: str) -> None:
    async with serving() as (server, resolver):
        names = [f"n{number}.test" for number in range(100)]
        server.addresses = {name: [f"192.0.2.{number}"] for number, name in enumerate(names)}
        found = await asyncio.gather(*(resolver.resolve(name, 1, socket.AF_INET) for name in names))
        assert [each[0][1][0] for each in found] == [f"192.0.2.{number}" for number in range(100)]
        assert not has_timer(resolver), "a timer is running without pending queries"


@pytest.mark.parametrize(("literal", "family"), [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)])
async def test_literal_address_needs_no_query(literal: str, family: int) -> None:
    async with serving() as (server, resolver):
        ((found_family, address),) = await resolver.resolve(literal, 80)
        assert (found_family, address[:2]) == (family, (literal, 80))
        assert server.queries == []


async def test_internationalized_name_is_queried_in_punycode() -> None:
    async with serving() as (server, resolver):
        server.addresses["xn--bcher-kva.test"] = ["192.0.2.7"]
        assert await resolver.resolve("bücher.test", 80, socket.AF_INET)


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ({}, socket.EAI_NONAME),
        ({"addresses": {"host.test": []}}, socket.EAI_NONAME),
        ({"codes": {"host.test": dns.SERVER_FAILURE}}, socket.EAI_AGAIN),
    ],
    ids=["no such name", "no address", "server failure"],
)
async def test_failed_queries_raise_gaierror(rule: dict[str, Any], code: int, loop_kind: str) -> None:
    async with serving() as (server, resolver):
        vars(server).update(rule)
        with pytest.raises(socket.gaierror, match=r"look-up of 'host\.test' failed: \w") as caught:
            await resolver.resolve("host.test", 80)
        assert caught.value.errno == code


@pytest.mark.parametrize("name", ["a" * 64 + ".test", "host..test"])
async def test_invalid_names_are_not_queried(name: str) -> None:
    async with serving() as (server, resolver):
        with pytest.raises(socket.gaierror) as caught:
            await resolver.resolve(name, 80)
        assert caught.value.errno == socket.EAI_NONAME
        assert server.queries == []


async def test_query_is_repeated_after_a_lost_packet(loop_kind: str) -> None:
    """Only the resolver's timer can cause the second query, because no socket becomes ready."""
    async with serving(timeout=0.05) as (server, resolver):
        server.addresses["host.test"] = ["192.0.2.7"]
        server.silent["host.test"] = 1
        assert await resolver.resolve("host.test", 80, socket.AF_INET)
        assert len(server.queries) == 2


async def test_unresponsive_server_raises_gaierror() -> None:
    async with serving(timeout=0.05, tries=1) as (server, resolver):
        server.silent["host.test"] = 99
        with pytest.raises(socket.gaierror) as caught:
            await resolver.resolve("host.test", 80, socket.AF_INET)
        assert caught.value.errno == socket.EAI_AGAIN


async def test_truncated_response_is_repeated_over_tcp(loop_kind: str) -> None:
    """The TCP socket is also watched for writing until it is connected."""
    async with serving() as (server, resolver):
        server.addresses["host.test"] = [f"192.0.2.{number}" for number in range(1, 101)]
        server.truncated.add("host.test")
        assert len(await resolver.resolve("host.test", 80, socket.AF_INET)) == 100
        assert [tcp for *_, tcp in server.queries] == [False, True]


async def test_resolver_can_be_used_after_a_cancelled_query(loop_kind: str) -> None:
    async with serving() as (server, resolver):
        asked = asyncio.Event()
        server.on_query = lambda name: asked.set()
        server.silent["host.test"] = 99
        task = asyncio.ensure_future(resolver.resolve("host.test", 80, socket.AF_INET))
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        server.addresses["other.test"] = ["192.0.2.7"]
        assert await resolver.resolve("other.test", 80, socket.AF_INET)


async def test_close_fails_pending_queries(loop_kind: str) -> None:
    async with serving() as (server, resolver):
        asked = asyncio.Event()
        server.on_query = lambda name: asked.set()
        server.silent["host.test"] = 99
        task = asyncio.ensure_future(resolver.resolve("host.test", 80, socket.AF_INET))
        await asked.wait()
        resolver.close()
        with pytest.raises(socket.gaierror, match=r"host\.test"):
            await task
        assert resolver.fds == {}
        assert resolver.io_loop is not None
        resolver.close()
        with pytest.raises(RuntimeError, match="has been closed"):
            await resolver.resolve("host.test", 80)


async def test_close_removes_sockets_that_stay_open(loop_kind: str) -> None:
    """c-ares may keep sockets open for the next query. Closing the resolver removes them from the loop."""
    flags = pycares.ARES_FLAG_NOSEARCH | pycares.ARES_FLAG_STAYOPEN
    async with serving(flags=flags) as (server, resolver):
        loop: Any = IOLoop.current()
        server.addresses["host.test"] = ["192.0.2.7"]
        await resolver.resolve("host.test", 80, socket.AF_INET)
        before = resolver.fds
        (number,) = before
        assert number in loop.handlers
        resolver.close()
        assert loop.handlers == {}
        # pycares closes the sockets later in a thread, when their numbers may have been reused.
        resolver.io_loop = Mock()
        watch_late(resolver, before, number)
        assert resolver.io_loop.mock_calls == []


async def test_invalid_server_raises() -> None:
    with pytest.raises((pycares.AresError, ValueError)):
        CaresResolver(servers=["nonsense"])


async def test_configured_by_name(loop_kind: str) -> None:
    """After `Resolver.configure`, a TCPClient resolves its server's name with c-ares."""
    async with name_server() as server:
        with restored_configuration(Resolver):
            server.addresses["host.test"] = ["127.0.0.1"]
            Resolver.configure("tornado.platform.caresresolver.CaresResolver", **options(server))

            class Greeter(TCPServer):
                async def handle_stream(self, stream: Any, address: Any) -> None:
                    await stream.write(b"hello")
                    stream.close()

            tcp_server = Greeter()
            tcp_server.listen(0, "127.0.0.1")
            (listening,) = listening_sockets(tcp_server).values()
            client = TCPClient()
            assert isinstance(client.resolver, CaresResolver)
            stream = await client.connect("host.test", listening.getsockname()[1])
            assert await stream.read_until_close() == b"hello"
            client.close()
            assert client.resolver.channel is None
            tcp_server.stop()


async def test_resolve_with_callback_argument() -> None:
    async with serving() as (server, resolver):
        server.addresses["host.test"] = ["192.0.2.7"]
        found: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        resolve: Callable[..., Any] = resolver.resolve
        with pytest.warns(DeprecationWarning, match=r"resolve\(callback=\.\.\.\)"):
            resolve("host.test", 80, socket.AF_INET, callback=found.set_result)
        assert await found == [(socket.AF_INET, ("192.0.2.7", 80))]


def test_resolver_used_in_two_loops(loop_kind: str) -> None:
    """Pending queries of the first loop do not disturb the second."""
    kept: list[CaresResolver] = []

    async def leave_one_under_way() -> None:
        async with name_server() as server:
            kept.append(CaresResolver(**options(server)))
            asked = asyncio.Event()
            server.on_query = lambda name: asked.set()
            server.silent["host.test"] = 99
            task = asyncio.ensure_future(kept[0].resolve("host.test", 80, socket.AF_INET))
            await asked.wait()
            task.cancel()

    async def resolve_another() -> Any:
        async with name_server() as server:
            server.addresses["host.test"] = ["192.0.2.7"]
            set_options(kept[0], options(server))
            return await kept[0].resolve("host.test", 80, socket.AF_INET)

    factory = loop_factory(loop_kind)
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(leave_one_under_way())
    assert kept[0].fds
    with asyncio.Runner(loop_factory=factory) as runner:
        assert runner.run(resolve_another())
    kept[0].close()


async def test_constructor_needs_no_loop(loop_kind: str) -> None:
    def make() -> None:
        CaresResolver().close()
        with pytest.raises(RuntimeError, match="no current event loop"):
            asyncio.get_event_loop()

    await asyncio.to_thread(make)


def test_dropped_resolver_is_garbage_collected() -> None:
    async def use() -> weakref.ref[Any]:
        async with name_server() as server:
            server.addresses["host.test"] = ["192.0.2.7"]
            resolver = CaresResolver(**options(server))
            await resolver.resolve("host.test", 80, socket.AF_INET)
            return weakref.ref(resolver)

    loop = AsyncIOLoop(make_current=False)
    reference = loop.run_sync(use)
    gc.collect()
    assert reference() is None
    loop.close()
    assert IOLoop.current(instance=False) is not loop
