"""``TornadoReactor``, ``TwistedIOLoop`` and ``TwistedResolver``, names of Tornado 4 in ``platform.twisted``.

A process has only one global reactor, so each program that uses it runs in a separate process.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from tests.support.platform import replace_twisted_client, twisted_client
from tests.support.program import output_of
from tests.support.tools import need_module
from tornado.ioloop import IOLoop

need_module("twisted", "twisted")

from twisted.internet import defer, protocol, selectreactor, task  # noqa: E402 - after the check for Twisted
from twisted.names import client as dns_client  # noqa: E402
from twisted.names import dns, error  # noqa: E402

from tornado._tornado4 import twisted_reactors  # noqa: E402
from tornado.gen import convert_yielded  # noqa: E402
from tornado.platform.twisted import TornadoReactor, TwistedIOLoop, TwistedResolver  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:.*style of Tornado 4")

#: A program that serves one request on a TwistedIOLoop, on the reactor that it installs first.
SERVING = """
import asyncio, importlib, sys, warnings
warnings.simplefilter("ignore", DeprecationWarning)
importlib.import_module("twisted.internet." + sys.argv[1]).install()
from twisted.internet import reactor, task, threads
from tornado import gen, httpclient, httpserver, ioloop, netutil, web
from tornado.platform.twisted import TwistedIOLoop
loop = TwistedIOLoop()
assert ioloop.IOLoop.current() is loop

class Hello(web.RequestHandler):
    async def get(self):
        await asyncio.sleep(0.001)
        self.write(await asyncio.to_thread(lambda: "hello"))

[sock] = netutil.bind_sockets(0, "127.0.0.1")
server = httpserver.HTTPServer(web.Application([("/", Hello)]))
server.add_socket(sock)

async def main():
    assert asyncio.get_running_loop() is loop.asyncio_loop
    response = await httpclient.AsyncHTTPClient().fetch("http://127.0.0.1:%d/" % sock.getsockname()[1])
    print(response.body.decode())
    print(await gen.convert_yielded(task.deferLater(reactor, 0.001, lambda: "later")))
"""


@pytest.mark.parametrize("kind", ["selectreactor", "pollreactor", "asyncioreactor"])
def test_ioloop_on_a_reactor_started_by_the_ioloop(kind: str) -> None:
    out = output_of(
        SERVING + "loop.run_sync(main)\nloop.run_sync(main)\nserver.stop()\nloop.close(all_fds=True)\n", kind
    )
    assert out.split("\n") == ["hello", "later"] * 2 + [""]


@pytest.mark.parametrize("kind", ["selectreactor", "pollreactor", "asyncioreactor"])
def test_ioloop_on_a_reactor_started_by_the_reactor(kind: str) -> None:
    out = output_of(
        SERVING
        + """
async def once():
    await main()
    # Only a reactor that is stopped ends its threads.
    print(await gen.convert_yielded(threads.deferToThread(lambda: "in a thread")))
    reactor.stop()
loop.add_callback(once)
reactor.run()
print("stopped")
server.stop()
loop.close(all_fds=True)
""",
        kind,
    )
    assert out.split("\n") == ["hello", "later", "in a thread", "stopped", ""]


def test_ioloop_on_the_default_reactor() -> None:
    out = output_of("""
        import warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        from tornado.platform.twisted import TwistedIOLoop
        from twisted.internet import reactor
        loop = TwistedIOLoop()
        print(loop.reactor is reactor)
        loop.call_later(0.002, reactor.stop)
        loop.call_later(0.001, print, "first")
        reactor.run()
        loop.close()
    """)
    assert out == "True\nfirst\n"


def test_stop_before_start_runs_what_is_due() -> None:
    out = output_of("""
        import warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        from tornado.platform.twisted import TwistedIOLoop
        loop = TwistedIOLoop()
        loop.add_callback(print, "due")
        loop.stop()
        loop.start()
        loop.close()
    """)
    assert out == "due\n"


@pytest.fixture
def reactor() -> Any:
    made = selectreactor.SelectReactor()
    yield made
    for reader in made.removeAll():
        reader.connectionLost(None)
    # The reactor's own waker is not included.
    for reader in list(made._internalReaders):
        made.removeReader(reader)
        reader.connectionLost(None)


def turn(reactor: Any) -> None:
    """Run one iteration of the reactor without blocking."""
    reactor.runUntilCurrent()
    reactor.doIteration(0)


def test_reactor_has_one_timer_for_the_earliest_timeout(reactor: Any) -> None:
    readers = reactor.getReaders()
    loop = twisted_reactors.ReactorEventLoop(reactor)
    late = loop.call_later(1000, print)
    early = loop.call_later(10, print)
    loop.call_later(2000, print)
    [call] = reactor.getDelayedCalls()
    assert call.getTime() - reactor.seconds() <= 10
    early.cancel()
    late.cancel()
    loop.call_soon(lambda: None)  # this iteration discards cancelled timers
    turn(reactor)
    [call] = reactor.getDelayedCalls()
    assert call.getTime() - reactor.seconds() > 1000
    loop.close()
    assert reactor.getDelayedCalls() == []
    assert reactor.getReaders() == readers


def test_callback_from_another_thread_makes_the_descriptor_readable(reactor: Any) -> None:
    loop = twisted_reactors.ReactorEventLoop(reactor)
    called = []
    loop.call_soon_threadsafe(called.append, 1)
    reactor.doIteration(1)
    assert called == [1]
    loop.close()


def test_nested_iteration_restores_the_outer_running_loop(reactor: Any) -> None:
    async def outer() -> None:
        loop = twisted_reactors.ReactorEventLoop(reactor)
        inside = []
        loop.call_soon(lambda: inside.append(asyncio.get_running_loop()))
        turn(reactor)
        assert inside == [loop]
        assert asyncio.get_running_loop() is not loop
        loop.close()

    asyncio.run(outer())


def test_selector_without_descriptor_is_rejected(reactor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        twisted_reactors.selectors, "DefaultSelector", twisted_reactors.selectors.SelectSelector
    )
    with pytest.raises(RuntimeError, match="TwistedIOLoop requires epoll, kqueue or /dev/poll"):
        twisted_reactors.ReactorEventLoop(reactor)


class Echo(protocol.Protocol):
    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(data)


async def exchange(reactor: Any) -> bytes:
    """Exchange data between a Twisted server and a Tornado stream."""
    from tornado.tcpclient import TCPClient

    factory = protocol.Factory.forProtocol(Echo)
    port = reactor.listenTCP(0, factory, interface="127.0.0.1")
    stream = await TCPClient().connect("127.0.0.1", port.getHost().port)
    await stream.write(b"to and fro")
    answer: bytes = await stream.read_bytes(10)
    stream.close()
    await convert_yielded(port.stopListening())
    return answer


def test_reactor_on_a_loop_started_by_the_loop() -> None:
    loop = IOLoop(make_current=False)
    reactor = TornadoReactor(loop)
    assert loop.run_sync(lambda: exchange(reactor)) == b"to and fro"
    assert reactor.running
    loop.run_sync(lambda: convert_yielded(task.deferLater(reactor, 0.001, lambda: None)))
    close(reactor, loop)


def test_reactor_on_a_loop_started_by_the_reactor() -> None:
    loop = IOLoop(make_current=False)
    reactor = TornadoReactor(loop)
    answers = []

    async def main() -> None:
        answers.append(await exchange(reactor))
        reactor.stop()

    loop.add_callback(main)
    reactor.run(installSignalHandlers=False)
    assert answers == [b"to and fro"]
    assert reactor.getDelayedCalls() == []
    close(reactor, loop)


def close(reactor: Any, loop: IOLoop) -> None:
    for reader in list(reactor._internalReaders):
        reactor.removeReader(reader)
        reader.connectionLost(None)
    loop.close()


def test_install_ignores_a_loop_with_a_warning() -> None:
    out = output_of("""
        import warnings
        from tornado.ioloop import IOLoop
        import tornado.platform.twisted
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            tornado.platform.twisted.install(IOLoop.current())
        print(caught[0].message)
        IOLoop.current().close()
    """)
    assert out.startswith("the io_loop argument of install is in the deprecated style of Tornado 4")


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: TornadoReactor(IOLoop.current()), "TornadoReactor is in the deprecated style of Tornado 4"),
        (lambda: TwistedResolver(), "TwistedResolver is in the deprecated style of Tornado 4"),
    ],
)
async def test_deprecated_names_warn(make: Any, text: str) -> None:
    with pytest.warns(DeprecationWarning, match=text):
        made = make()
    for reader in getattr(made, "_internalReaders", ()):
        made.removeReader(reader)
        reader.connectionLost(None)


# -- the resolver


class Answers:
    """A DNS client with fixed answers, by name and record type."""

    def __init__(self, **known: Any) -> None:
        self.known = known
        self.asked: list[str] = []

    def lookupAddress(self, name: str) -> Any:
        return self._answer(name, "A")

    def lookupIPV6Address(self, name: str) -> Any:
        return self._answer(name, "AAAA")

    def _answer(self, name: str, kind: str) -> Any:
        self.asked.append(f"{name} {kind}")
        answer = self.known.get(f"{name}_{kind}")
        if isinstance(answer, Exception):
            return defer.fail(answer)
        return defer.succeed(([dns.RRHeader(name, each.TYPE, payload=each) for each in answer], [], []))


def resolver_with(monkeypatch: pytest.MonkeyPatch, client: Answers) -> Any:
    resolver = TwistedResolver()
    replace_twisted_client(monkeypatch, resolver, client)
    return resolver


async def test_hosts_file_is_consulted_first(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Answers()
    resolver = resolver_with(monkeypatch, client)
    assert (socket.AF_INET, ("127.0.0.1", 80)) in await resolver.resolve("localhost", 80)
    assert client.asked == []


async def test_literal_addresses_need_no_query(monkeypatch: pytest.MonkeyPatch) -> None:
    resolver = resolver_with(monkeypatch, Answers())
    assert await resolver.resolve("192.0.2.1", 80) == [(socket.AF_INET, ("192.0.2.1", 80))]
    assert await resolver.resolve("::1", 80) == [(socket.AF_INET6, ("::1", 80, 0, 0))]


async def test_all_ipv4_addresses_of_a_name_and_not_its_aliases(monkeypatch: pytest.MonkeyPatch) -> None:
    records = [dns.Record_CNAME("other.test"), dns.Record_A("192.0.2.1"), dns.Record_A("192.0.2.2")]
    resolver = resolver_with(monkeypatch, Answers(**{"name.test_A": records}))
    found = await resolver.resolve("name.test", 443)
    assert found == [(socket.AF_INET, ("192.0.2.1", 443)), (socket.AF_INET, ("192.0.2.2", 443))]


async def test_ipv6_is_queried_if_there_is_no_ipv4_address(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Answers(**{"six.test_A": [], "six.test_AAAA": [dns.Record_AAAA("2001:db8::1")]})
    resolver = resolver_with(monkeypatch, client)
    assert await resolver.resolve("six.test", 1) == [(socket.AF_INET6, ("2001:db8::1", 1, 0, 0))]
    assert client.asked == ["six.test A", "six.test AAAA"]


async def test_family_limits_the_queries(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Answers(**{"six.test_AAAA": [dns.Record_AAAA("2001:db8::1")]})
    resolver = resolver_with(monkeypatch, client)
    await resolver.resolve("six.test", 1, socket.AF_INET6)
    assert client.asked == ["six.test AAAA"]


@pytest.mark.parametrize(
    "failure", [error.DNSNameError(), error.DNSQueryTimeoutError(1), error.ResolverError()]
)
async def test_failed_queries_become_gaierror(monkeypatch: pytest.MonkeyPatch, failure: Exception) -> None:
    resolver = resolver_with(monkeypatch, Answers(**{"no.test_A": failure, "no.test_AAAA": failure}))
    with pytest.raises(socket.gaierror, match="no address for 'no.test'"):
        await resolver.resolve("no.test", 80)


async def test_name_that_cannot_be_encoded_has_no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    resolver = resolver_with(monkeypatch, Answers())
    with pytest.raises(socket.gaierror, match="no address for"):
        await resolver.resolve("é" * 70 + ".test", 80)


async def test_callback_gets_the_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    resolver = resolver_with(monkeypatch, Answers())
    got: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    resolver.resolve("192.0.2.1", 80, callback=got.set_result)
    assert await got == [(socket.AF_INET, ("192.0.2.1", 80))]


async def test_new_client_for_another_loop() -> None:
    resolver = TwistedResolver()
    first = twisted_client(resolver, IOLoop.current())
    assert isinstance(first, dns_client.Resolver)
    assert twisted_client(resolver, IOLoop.current()) is first
    other = IOLoop(make_current=False)
    assert twisted_client(resolver, other) is not first
    other.close()


def test_twisted_ioloop_warns_of_its_replacement(reactor: Any) -> None:
    with pytest.warns(DeprecationWarning, match="TwistedIOLoop is in the deprecated style of Tornado 4"):
        TwistedIOLoop(reactor, make_current=False).close()
