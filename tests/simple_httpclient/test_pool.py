"""The connection pool: which connections are reused, and when they are closed."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import socket
import ssl
import weakref
from typing import Any

import pytest

from tests.support.client_server import Request, Visit, answering, scripted
from tests.support.clock import FakeClock
from tests.support.program import output_of
from tornado._wire.limits import DEFAULT
from tornado.httpclient import HTTPClientError
from tornado.ioloop import IOLoop
from tornado.iostream import IOStream
from tornado.netutil import Resolver
from tornado.simple_httpclient import HTTPStreamClosedError, SimpleAsyncHTTPClient
from tornado.simple_httpclient._connection import ClientConnection, ClientConnectionState
from tornado.simple_httpclient._connection_key import ConnectionKey
from tornado.simple_httpclient._pool import ConnectionPool

OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def make(**options: Any) -> SimpleAsyncHTTPClient:
    return SimpleAsyncHTTPClient(force_instance=True, **options)


@pytest.mark.parametrize(
    "answer",
    [
        OK,
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nTrailer: x\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\n\r\n" + OK,
        "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
    ],
)
async def test_connection_is_reused_after_a_complete_response(loop_kind: str, answer: str) -> None:
    async with scripted(answer) as server:
        client = make()
        for _ in range(3):
            await client.fetch(server.url, raise_error=False)
        assert server.connections == 1
        assert len(client.pool) == 1
        client.close()
        await server.all_closed()


@pytest.mark.parametrize(
    "answer",
    [
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nConnection: foo, Close\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        OK + "extra",
        OK + OK,
        "HTTP/1.1 204 No Content\r\n\r\nextra",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    ],
)
async def test_connection_is_not_reused_if_the_response_ends_it(loop_kind: str, answer: str) -> None:
    async with scripted(answer) as server:
        client = make()
        for _ in range(2):
            await client.fetch(server.url, raise_error=False)
        assert server.connections == 2
        assert len(client.pool) == 0
        await server.all_closed()


@pytest.mark.parametrize(
    "answer",
    [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/2.0 200 OK\r\n\r\n",
        "nonsense\r\n\r\n",
    ],
)
async def test_ambiguous_response_is_an_error_and_ends_the_connection(loop_kind: str, answer: str) -> None:
    async with scripted(answer) as server:
        client = make()
        with pytest.raises(HTTPStreamClosedError):
            await client.fetch(server.url)
        assert not client.active
        assert len(client.pool) == 0
        await server.all_closed()


async def test_request_with_connection_close() -> None:
    async with scripted(OK) as server:
        client = make()
        await client.fetch(server.url, headers={"Connection": "close"})
        assert len(client.pool) == 0


async def test_early_response_ends_the_connection(loop_kind: str) -> None:
    """The server has not read the body, and would treat the next request as the body."""
    cancelled = asyncio.Event()

    async def produce(write: Any) -> None:
        await write(b"one")
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async def script(visit: Visit) -> None:
        await visit.reader.readuntil(b"one\r\n")
        visit.send(OK)
        await visit.end()

    async with scripted(script) as server:
        client = make()
        response = await client.fetch(server.url, method="PUT", body_producer=produce)
        assert response.body == b"ok"
        await cancelled.wait()
        assert len(client.pool) == 0
        await server.all_closed()


async def test_rejected_expectation_ends_the_connection() -> None:
    async def script(visit: Visit) -> None:
        await visit.reader.readuntil(b"\r\n\r\n")
        visit.send("HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n")
        assert await visit.end() == b""

    async with scripted(script) as server:
        client = make()
        with pytest.raises(HTTPClientError, match="417"):
            await client.fetch(server.url, method="POST", body=b"x", expect_100_continue=True)
        assert len(client.pool) == 0
        await server.all_closed()


async def test_each_part_of_the_key_separates_connections(certificates: Any, tmp_path: Any) -> None:
    class Plain(Resolver):
        def initialize(self) -> None:
            pass

        async def resolve(self, host: str, port: int, family: Any = socket.AF_UNSPEC) -> Any:
            return [(socket.AF_INET, ("127.0.0.1", port))]

    client = make(resolver=Plain())
    trust = {"ca_certs": str(certificates.ca_file)}
    async with scripted(OK) as plain, scripted(OK) as other, scripted(OK, tls=certificates) as tls:
        first, second = certificates.client_context, ssl.create_default_context(cafile=certificates.ca_file)
        by_name = f"http://localhost:{plain.port}/"
        requests: list[tuple[str, dict[str, Any]]] = [
            (plain.url, {}),
            (by_name, {}),  # host
            (other.url, {}),  # port
            (plain.url, {"network_interface": "127.0.0.1"}),
            (plain.url, {"allow_ipv6": False}),
            (tls.url, trust),  # scheme
            (tls.url, {"ssl_options": first}),
            (tls.url, {"ssl_options": second}),  # the same options in another context
            (tls.url, {"ssl_options": {"ca_certs": str(certificates.ca_file)}}),
            (tls.url, {"validate_cert": False}),
            (plain.url, {"proxy_host": "127.0.0.1", "proxy_port": other.port}),
            (
                plain.url,
                {
                    "proxy_host": "127.0.0.1",
                    "proxy_port": other.port,
                    "proxy_username": "a",
                    "proxy_password": "b",
                },
            ),
        ]
        client.pool.max_idle = 100
        for number, (url, options) in enumerate(requests):
            await client.fetch(url, **options)
            assert len(client.pool) == number + 1, options
        for url, options in requests:
            await client.fetch(url, **options)
        assert len(client.pool) == len(requests)
        assert plain.connections + other.connections + tls.connections == len(requests)
        client.close()


async def test_connections_of_another_resolver_are_not_used() -> None:
    async with scripted(OK) as server:
        client = make()
        await client.fetch(server.url)
        client.tcp_client.resolver = Resolver()
        client.routes = type(client.routes)(client.tcp_client)
        await client.fetch(server.url)
        assert server.connections == 2


async def test_limits_on_idle_connections(loop_kind: str) -> None:
    async with scripted(OK) as server:
        client = make(max_clients=5, max_idle_connections=2)
        await asyncio.gather(*[client.fetch(server.url) for _ in range(5)])
        assert len(client.pool) == 2
        none = make(max_idle_connections=0)
        await none.fetch(server.url)
        assert len(none.pool) == 0


async def test_a_thousand_fetches_through_fifty_connections(loop_kind: str) -> None:
    async with scripted(answering(lambda request: OK.replace("ok", request.target[1:3]))) as server:
        client = make(max_clients=50)
        fetches = [client.fetch(f"{server.url}{number % 90 + 10}") for number in range(1000)]
        responses = await asyncio.gather(*fetches)
        assert [int(response.body) for response in responses] == [n % 90 + 10 for n in range(1000)]
        assert server.connections <= 50
        assert not client.active
        assert not client.waiting


async def test_limit_for_each_host(loop_kind: str) -> None:
    running: dict[str, int] = {}
    most: dict[str, int] = {}

    def script_of(name: str) -> Any:
        async def script(visit: Visit) -> None:
            while True:
                await visit.request()
                running[name] = running.get(name, 0) + 1
                most[name] = max(most.get(name, 0), running[name])
                for _ in range(5):
                    await asyncio.sleep(0)
                running[name] -= 1
                visit.send(OK)

        return script

    async with scripted(script_of("a")) as a, scripted(script_of("b")) as b:
        client = make(max_clients=10, max_clients_per_host=2)
        fetches = [client.fetch(server.url) for server in (a, b) for _ in range(20)]
        fetches[7].cancel()
        fetches[0].cancel()
        await asyncio.gather(*fetches, return_exceptions=True)
        assert most == {"a": 2, "b": 2}
        assert not client.active
        assert not client.waiting


async def test_idle_connection_expires(clock: FakeClock) -> None:
    async with scripted(OK) as server:
        client = make(idle_timeout=15)
        await client.fetch(server.url)
        await asyncio.sleep(14)
        await client.fetch(server.url)
        await asyncio.sleep(14)
        assert len(client.pool) == 1
        await asyncio.sleep(2)
        assert len(client.pool) == 0
        await server.all_closed()
        assert server.connections == 1


async def test_idle_connection_that_the_server_closes(loop_kind: str) -> None:
    close = asyncio.Event()

    async def script(visit: Visit) -> None:
        await visit.request()
        visit.send(OK)
        await close.wait()

    async with scripted(script) as server:
        client = make()
        await client.fetch(server.url)
        assert len(client.pool) == 1
        close.set()
        await server.all_closed()
        while len(client.pool):
            await asyncio.sleep(0)


async def test_data_on_an_idle_connection_closes_it(loop_kind: str) -> None:
    more = asyncio.Event()

    async def script(visit: Visit) -> None:
        await visit.request()
        visit.send(OK)
        await more.wait()
        visit.send(OK)
        await visit.end()

    async with scripted(script) as server:
        client = make()
        await client.fetch(server.url)
        more.set()
        while len(client.pool):
            await asyncio.sleep(0)
        await server.all_closed()


async def closing_after_one(visit: Visit) -> None:
    """Respond to one request, and close the connection when the next one has arrived."""
    await visit.request()
    visit.send(OK)
    await visit.request()


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
async def test_request_on_a_stale_connection_is_sent_again(loop_kind: str, method: str) -> None:
    body = b"x" if method == "PUT" else None
    async with scripted(closing_after_one) as server:
        client = make()
        await client.fetch(server.url)
        response = await client.fetch(server.url, method=method, body=body)
        assert response.code == 200
        assert server.connections == 2
        assert [request.connection for request in server.requests] == [1, 1, 2]


async def test_request_is_sent_again_within_the_remaining_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async with scripted(closing_after_one) as server:
        client = make()
        limits = []
        connect = client.connector.connect

        async def observed(key: ConnectionKey, timeout: float | None = None) -> IOStream:
            limits.append(timeout)
            return await connect(key, timeout)

        monkeypatch.setattr(client.connector, "connect", observed)
        await client.fetch(server.url, request_timeout=10)
        await client.fetch(server.url, request_timeout=10)
        first, second = limits
        assert first == 10
        assert second is not None
        assert second < 10


async def test_request_is_sent_again_only_once(loop_kind: str) -> None:
    async def script(visit: Visit) -> None:
        await visit.request()
        if visit.number == 1:
            visit.send(OK)
            await visit.request()

    async with scripted(script) as server:
        client = make()
        await client.fetch(server.url)
        with pytest.raises(HTTPStreamClosedError):
            await client.fetch(server.url)
        assert len(server.requests) == 3


async def test_request_that_is_not_idempotent_is_not_sent_again(loop_kind: str) -> None:
    async with scripted(closing_after_one) as server:
        client = make()
        await client.fetch(server.url)
        with pytest.raises((HTTPStreamClosedError, ConnectionError)):
            await client.fetch(server.url, method="POST", body=b"x")
        assert [request.method for request in server.requests] == ["GET", "POST"]


async def test_request_is_not_sent_again_after_its_response_has_begun(loop_kind: str) -> None:
    async def script(visit: Visit) -> None:
        await visit.request()
        visit.send(OK)
        await visit.request()
        visit.send("H")

    async with scripted(script) as server:
        client = make()
        await client.fetch(server.url)
        with pytest.raises(HTTPStreamClosedError):
            await client.fetch(server.url)
        assert len(server.requests) == 2


async def test_post_uses_only_a_recently_used_connection(clock: FakeClock) -> None:
    async with scripted(OK) as server:
        client = make()
        await client.fetch(server.url)
        await client.fetch(server.url, method="POST", body=b"x")
        assert server.connections == 1
        await asyncio.sleep(1.1)
        await client.fetch(server.url, method="POST", body=b"x")
        assert server.connections == 2
        await asyncio.sleep(1.1)
        await client.fetch(server.url)
        assert server.connections == 2


async def test_post_detects_a_closed_connection_before_it_is_sent(loop_kind: str) -> None:
    """The pool detects a closed connection even before the event loop has reported the end of input."""
    key = ConnectionKey("http", "x", 80, None, None, socket.AF_UNSPEC, None, None, False, None, None)
    pool = ConnectionPool(IOLoop.current(), 10, 15)
    for last_words in (b"", b"x"):
        ours, theirs = socket.socketpair()
        connection = ClientConnection(IOStream(ours), key, DEFAULT)
        pool.put(connection)
        assert connection.is_open()
        assert pool.take(key, fresh=True) is connection
        pool.put(connection)
        theirs.sendall(last_words)
        theirs.close()
        assert not connection.is_open()
        assert pool.take(key, fresh=True) is None
        assert connection.state is ClientConnectionState.CLOSED
        assert len(pool) == 0


async def test_cancelled_fetch_closes_its_connection_immediately(loop_kind: str) -> None:
    async def script(visit: Visit) -> None:
        await visit.request()
        arrived.set()
        await visit.end()

    arrived = asyncio.Event()
    async with scripted(script) as server:
        client = make()
        fetch = client.fetch(server.url)
        await arrived.wait()
        fetch.cancel()
        assert not client.active
        await server.all_closed()
        assert len(client.pool) == 0


async def test_fetch_that_is_cancelled_while_connecting(loop_kind: str) -> None:
    async with scripted(OK) as server:
        client = make()
        fetch = client.fetch(server.url)
        fetch.cancel()
        assert not client.active
        await client.fetch(server.url)
        await asyncio.sleep(0)


async def test_a_fetch_that_is_cancelled_in_the_queue() -> None:
    async with scripted(OK) as server:
        client = make(max_clients=1)
        fetches = [client.fetch(server.url) for _ in range(3)]
        fetches[1].cancel()
        assert len(client.waiting) == 1
        await fetches[2]
        assert len(server.requests) == 2


async def test_unreferenced_client_closes_its_connections(loop_kind: str) -> None:
    async with scripted(OK) as server:
        client = make()
        await client.fetch(server.url)
        gone = weakref.ref(client)
        del client
        gc.collect()
        assert gone() is None
        await server.all_closed()


async def test_closed_client_closes_connections_that_become_idle(loop_kind: str) -> None:
    release = asyncio.Event()

    async def script(visit: Visit) -> None:
        await visit.request()
        await release.wait()
        visit.send(OK)
        await visit.end()

    async with scripted(script) as server:
        client = make()
        fetch = client.fetch(server.url)
        client.close()
        release.set()
        assert (await fetch).body == b"ok"
        await server.all_closed()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
async def test_a_forked_child_does_not_use_its_parents_connections() -> None:
    source = """
        import os, sys
        from tornado.httpclient import HTTPClient
        client = HTTPClient()
        def numbers():
            return client.fetch(sys.argv[1]).body.decode()
        def report(process):
            line = f"{process} {numbers()}\\n"
            os.write(1, line.encode())  # print() might write it in parts, between those of the other
        report("parent")
        child = os.fork()
        report("child" if child == 0 else "parent")
        if child:
            os.waitpid(child, 0)
            report("parent")
    """

    async def script(visit: Visit) -> None:
        while True:
            await visit.request()
            visit.send(OK.replace("ok", f"{visit.number:02}"))

    async with scripted(script) as server:
        output = await asyncio.to_thread(output_of, source, server.url)
    assert sorted(output.splitlines()) == ["child 02", "parent 01", "parent 01", "parent 01"]


@pytest.mark.parametrize(
    "ending",
    [
        "asyncio.run(main())",
        "asyncio.run(main()); asyncio.run(main())",
        "loop = asyncio.new_event_loop(); loop.run_until_complete(main()); loop.close()",
        "loop = IOLoop(); loop.run_sync(main); loop.close()",
        "client = HTTPClient(); client.fetch(sys.argv[1])",
    ],
)
async def test_programs_that_never_close_the_client_cause_no_warning(ending: str) -> None:
    source = f"""
        import asyncio, logging, sys
        from tornado.httpclient import AsyncHTTPClient, HTTPClient
        from tornado.ioloop import IOLoop
        logging.getLogger("asyncio").setLevel(logging.ERROR)
        async def main():
            await AsyncHTTPClient().fetch(sys.argv[1])
            await AsyncHTTPClient(force_instance=True).fetch(sys.argv[1])
        {ending}
    """
    async with scripted(OK) as server:
        assert await asyncio.to_thread(output_of, source, server.url, options=["-X", "dev"]) == ""


async def test_requests_do_not_see_each_others_context(loop_kind: str) -> None:
    """A connection does not keep the context of the request for which it was opened."""
    import contextvars

    who: contextvars.ContextVar[object] = contextvars.ContextVar("who")

    class Token:
        pass

    async def first(url: str) -> weakref.ref[Token]:
        token = Token()
        who.set(token)
        # The request has no timeouts, because asyncio keeps cancelled timers, which refer to the context.
        await client.fetch(url, connect_timeout=0, request_timeout=0)
        return weakref.ref(token)

    async with scripted(OK) as server:
        client = make()
        token = await asyncio.create_task(first(server.url))
        await asyncio.sleep(0)  # the loop drops its reference to the task
        gc.collect()
        assert token() is None
        seen: list[object] = []
        who.set("mine")
        await client.fetch(server.url, streaming_callback=lambda chunk: seen.append(who.get()))
        assert seen == ["mine"]
        assert server.connections == 1


def test_scripted_server_parses_header_fields() -> None:
    request = Request(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 1)
    assert request.headers == {"host": "x"}


@pytest.mark.deadline(120.0)
async def test_ten_thousand_fetches_from_a_server_that_closes_idle_connections(loop_kind: str) -> None:
    """Idempotent requests do not fail, and no other request arrives twice.

    A POST fails if the server closes its connection at the same time.
    """
    chance = random.Random(1)
    arrived: dict[str, list[tuple[str, int]]] = {}
    failed: list[int] = []

    async def script(visit: Visit) -> None:
        while True:
            request = await visit.request()
            arrived.setdefault(request.target, []).append((request.method, visit.number))
            visit.send(OK)
            fate = chance.random()
            if fate < 0.05:
                return  # close cleanly and immediately
            if fate < 0.1:
                await asyncio.sleep(0)  # a request may be in transit by then
                visit.reset()
                return

    async with scripted(script) as server:
        client = make(max_clients=20)

        async def fetch(first: int) -> None:
            for number in range(first, first + 500):
                method = "POST" if number % 5 == 0 else "GET"
                body = b"x" if method == "POST" else None
                try:
                    response = await client.fetch(f"{server.url}{number}", method=method, body=body)
                except (HTTPStreamClosedError, OSError):
                    assert method == "POST"
                    failed.append(number)
                else:
                    assert response.body == b"ok"

        await asyncio.gather(*[fetch(500 * each) for each in range(20)])
        client.close()
        assert len(set(arrived) | {f"/{number}" for number in failed}) == 10_000
        assert len(failed) < 500
        for visits in arrived.values():
            assert len(visits) == (1 if visits[0][0] == "POST" else len({number for _, number in visits}))
            assert len(visits) <= 2
        assert 500 < server.connections < 5000
