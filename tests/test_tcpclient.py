"""TCPClient: address families, source addresses, TLS, and timeouts in each phase."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import errno
import socket
import ssl

import pytest

from tests.support.references import find_garbage, gc_disabled
from tests.support.tcp import listening
from tornado.concurrent import Future
from tornado.iostream import IOStream, SSLIOStream, StreamClosedError
from tornado.netutil import Resolver, bind_sockets
from tornado.tcpclient import TCPClient, _Connector
from tornado.tcpserver import TCPServer


class Greeter(TCPServer):
    """A server that sends each client the address from which it has connected."""

    async def handle_stream(self, stream, address):
        try:
            await stream.write(f"{address[0]} {address[1]}".encode())
        except StreamClosedError:
            pass
        stream.close()


@contextlib.contextmanager
def greeting(**kwargs):
    with listening(Greeter(**kwargs)) as port:
        yield port


class FixedResolver(Resolver):
    """A resolver that returns the addresses given to the constructor."""

    def initialize(self, answer):
        self.answer = answer

    async def resolve(self, host, port, family=socket.AF_UNSPEC):
        return [(entry_family, (address, port)) for entry_family, address in self.answer]


async def test_connect_returns_a_stream(loop_kind):
    with greeting() as port:
        stream = await TCPClient().connect("localhost", port, af=socket.AF_INET)
        local = stream.socket.getsockname()
        assert await stream.read_until_close() == f"{local[0]} {local[1]}".encode()


async def test_source_ip_is_used():
    with greeting() as port:
        stream = await TCPClient().connect("127.0.0.1", port, source_ip="127.0.0.2")
        assert (await stream.read_until_close()).startswith(b"127.0.0.2 ")


async def test_source_port_is_used():
    with greeting() as port:
        for _ in range(20):  # another process may take the port first
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                free = probe.getsockname()[1]
            try:
                stream = await TCPClient().connect("127.0.0.1", port, source_port=free)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
            else:
                break
        assert (await stream.read_until_close()).endswith(b" %d" % free)


async def test_source_address_of_another_machine():
    with greeting() as port, pytest.raises(OSError):
        await TCPClient().connect("127.0.0.1", port, source_ip="192.0.2.1")


async def test_refused_connection_raises_with_the_real_error():
    (sock,) = bind_sockets(0, "127.0.0.1")
    port = sock.getsockname()[1]
    sock.close()
    with pytest.raises(StreamClosedError) as caught:
        await TCPClient().connect("127.0.0.1", port)
    error = caught.value.real_error
    assert isinstance(error, ConnectionRefusedError)
    assert error.errno == errno.ECONNREFUSED
    assert str(error).endswith(f"Connection refused (connecting to 127.0.0.1:{port})")
    with pytest.raises(StreamClosedError) as caught:
        await TCPClient(FixedResolver([(socket.AF_INET, "127.0.0.1")])).connect("example.com", port)
    assert str(caught.value.real_error).endswith(f"(connecting to example.com, 127.0.0.1:{port})")


async def test_error_for_an_unusable_local_address_names_the_phase():
    with pytest.raises(OSError, match=r"\(connecting to 127\.0\.0\.1:1\)"):
        await TCPClient().connect("127.0.0.1", 1, source_ip="192.0.2.1")


async def test_error_for_an_unknown_name_names_the_host():
    class FailingResolver(Resolver):
        async def resolve(self, host, port, family=socket.AF_UNSPEC):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.raises(socket.gaierror) as caught:
        await TCPClient(FailingResolver()).connect("example.com", 1)
    assert caught.value.errno == socket.EAI_NONAME
    assert str(caught.value).endswith("Name or service not known (looking up 'example.com')")


async def test_error_of_a_custom_resolver_names_the_host():
    class FailingResolver(Resolver):
        async def resolve(self, host, port, family=socket.AF_UNSPEC):
            raise OSError("no answer")

    with pytest.raises(OSError, match=r"^no answer \(looking up 'example\.com'\)$"):
        await TCPClient(FailingResolver()).connect("example.com", 1)


def test_resolver_starts_immediately():
    """The resolver starts in the first step of `connect`. Dask runs this step without an event loop."""

    class FailingResolver(Resolver):
        async def resolve(self, host, port, family=socket.AF_UNSPEC):
            raise OSError("no answer")

    with pytest.raises(OSError, match="no answer"):
        TCPClient(FailingResolver()).connect("example.com", 1).__await__().send(None)


async def test_invalid_host_name():
    with pytest.raises(socket.gaierror, match=r"label.*\(looking up 'xxx.*\)$"):
        await TCPClient().connect("x" * 64 + ".example", 1)


async def test_look_up_that_fails_after_the_timeout_is_not_logged():
    answer: Future[object] = Future()

    class LateResolver(Resolver):
        def resolve(self, *args, **kwargs):
            return answer

    with pytest.raises(TimeoutError):
        await TCPClient(LateResolver()).connect("example.com", 80, timeout=0)
    answer.set_exception(socket.gaierror(socket.EAI_NONAME, "too late"))
    await asyncio.sleep(0)


async def test_close_during_handshake_names_the_phase(expect_log):
    server = TCPServer()
    server.handle_stream = lambda stream, address: stream.close()  # type: ignore[method-assign]
    (sock,) = bind_sockets(0, "127.0.0.1")
    server.add_socket(sock)
    port = sock.getsockname()[1]
    with pytest.raises(OSError) as caught:
        await TCPClient().connect("127.0.0.1", port, ssl_options=ssl.create_default_context())
    assert f"(TLS handshake with 127.0.0.1:{port})" in str(caught.value)
    server.stop()


async def test_ports_out_of_range():
    with pytest.raises(ValueError, match="port 70000 is out of range"):
        await TCPClient().connect("127.0.0.1", 70000)


async def test_failed_handshake_names_the_phase(expect_log):
    with greeting() as port, expect_log("tornado.general", "SSL Error"):
        with pytest.raises(ssl.SSLError, match="WRONG_VERSION_NUMBER") as caught:
            await TCPClient().connect("127.0.0.1", port, ssl_options=ssl.create_default_context())
    assert str(caught.value).endswith(f"(TLS handshake with 127.0.0.1:{port})")


async def test_second_address_is_used_if_the_first_refuses():
    client = TCPClient(FixedResolver([(socket.AF_INET, "127.0.0.3"), (socket.AF_INET, "127.0.0.1")]))
    with greeting() as port:
        stream = await client.connect("example.com", port)
        assert stream.socket.getpeername()[0] == "127.0.0.1"
        stream.close()
    client.close()


async def test_empty_resolver_result_raises():
    with pytest.raises(OSError, match="no address"):
        await TCPClient(FixedResolver([])).connect("example.com", 1)


async def test_tls_connection_is_verified(certificates):
    with greeting(ssl_options=certificates.server_context) as port:
        context = certificates.client_context
        stream = await TCPClient().connect("localhost", port, ssl_options=context, timeout=20)
        assert isinstance(stream, SSLIOStream)
        assert (await stream.read_until_close()).startswith(b"127.0.0.1")


async def test_invalid_tls_options(certificates):
    with greeting() as port, pytest.raises(ValueError, match="unknown ssl_options"):
        await TCPClient().connect("localhost", port, ssl_options={"wrong": 1})


async def test_timeout_while_resolving_names_the_host(clock):
    class UnresponsiveResolver(Resolver):
        def resolve(self, *args, **kwargs):
            return Future()

    with pytest.raises(TimeoutError, match=r"^Timeout while resolving example\.com$"):
        await TCPClient(UnresponsiveResolver()).connect("example.com", 80, timeout=3)


class HangingClient(TCPClient):
    """A client whose connection attempts never finish."""

    def __init__(self, *args):
        super().__init__(*args)
        self.streams: list[IOStream] = []

    def _create_stream(self, max_buffer_size, af, addr, source_ip=None, source_port=None):
        self.streams.append(IOStream(socket.socket()))
        return self.streams[-1], Future()


async def test_timeout_while_connecting_names_the_addresses(clock):
    client = HangingClient(FixedResolver([(socket.AF_INET6, "::1"), (socket.AF_INET, "127.0.0.1")]))
    with pytest.raises(TimeoutError) as caught:
        await client.connect("example.com", 80, timeout=datetime.timedelta(seconds=3))
    assert str(caught.value) == "Timeout while connecting to 127.0.0.1:80, [::1]:80"
    assert caught.value.__notes__ == ["(addresses of example.com)"]
    assert len(client.streams) == 2
    assert all(stream.closed() for stream in client.streams)


async def test_timeout_of_a_literal_address_has_no_note(clock):
    client = HangingClient(FixedResolver([(socket.AF_INET, "127.0.0.1")]))
    with pytest.raises(TimeoutError, match=r"^Timeout while connecting to 127\.0\.0\.1:80$") as caught:
        await client.connect("127.0.0.1", 80, timeout=3)
    assert not hasattr(caught.value, "__notes__")


class UnknownNameResolver(Resolver):
    """A resolver that cannot resolve any name."""

    async def resolve(self, host, port, family=socket.AF_UNSPEC):
        await asyncio.sleep(0)
        raise OSError(f"no {host}")


@pytest.mark.parametrize("phase", ["look-up", "connection", "TLS"])
async def test_failure_leaves_no_reference_cycle(phase):
    client = {"look-up": TCPClient(UnknownNameResolver()), "connection": HangingClient(), "TLS": TCPClient()}[
        phase
    ]
    with socket.create_server(("127.0.0.1", 0)) as listener, gc_disabled():
        port = listener.getsockname()[1]
        with pytest.raises(OSError):
            await client.connect("127.0.0.1", port, ssl_options={}, timeout=0.02)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not any(isinstance(each, (OSError, IOStream)) for each in find_garbage())


async def test_cancelled_connect_closes_its_streams(clock):
    client = HangingClient(FixedResolver([(socket.AF_INET, "127.0.0.1")]))
    task = asyncio.create_task(client.connect("example.com", 80))
    while not client.streams:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0)
    assert client.streams[0].closed()


class ReportingServer(TCPServer):
    """A server that reports the end of its connection."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.disconnected = asyncio.Event()

    async def handle_stream(self, stream, address):
        with contextlib.suppress(OSError):
            await stream.read_until_close()
        self.disconnected.set()


@pytest.mark.parametrize("timeout", [None, 20])
@pytest.mark.parametrize("tls", [False, True])
async def test_cancelled_in_the_iteration_of_its_success(tls, timeout, loop_kind, certificates, monkeypatch):
    """The caller does not receive the stream, so the stream is closed."""
    server = ReportingServer(ssl_options=certificates.server_context if tls else None)
    (sock,) = bind_sockets(0, "127.0.0.1")
    server.add_socket(sock)
    holder, name = (SSLIOStream, "_on_ready") if tls else (_Connector, "_on_done")
    original = getattr(holder, name)
    kept = []

    def cancelling(self, *args):
        original(self, *args)
        if not tls or not self.socket.server_side:
            assert task.cancel()
            kept.append(self)  # otherwise the garbage collector would close it

    monkeypatch.setattr(holder, name, cancelling)
    options = certificates.client_context if tls else None
    task = asyncio.create_task(
        TCPClient().connect("localhost", sock.getsockname()[1], ssl_options=options, timeout=timeout)
    )
    with pytest.raises(asyncio.CancelledError):
        await task
    assert kept
    await server.disconnected.wait()
    server.stop()


async def test_timeout_during_handshake_closes_the_connection():
    """The server accepts the connection and sends nothing. The timeout closes the connection."""
    accepted: asyncio.Future[IOStream] = asyncio.get_running_loop().create_future()
    server = TCPServer()
    server.handle_stream = lambda stream, address: accepted.set_result(stream)  # type: ignore[method-assign]
    (sock,) = bind_sockets(0, "127.0.0.1")
    server.add_socket(sock)
    port = sock.getsockname()[1]
    context = ssl.create_default_context()
    with pytest.raises(TimeoutError, match=rf"^Timeout during TLS handshake with 127\.0\.0\.1:{port}$"):
        await TCPClient().connect("127.0.0.1", port, ssl_options=context, timeout=0.1)
    stream = await accepted
    await stream.read_until_close()
    server.stop()


class FakeStream:
    def __init__(self):
        self.closed = False

    def close(self):
        self.closed = True


class Race:
    """A connector whose attempts finish when the test decides."""

    def __init__(self, addresses, failing=(), delay=3600):
        self.attempts = {}
        self.streams = {}
        self.failing = failing
        self.connector = _Connector([(address[0], address) for address in addresses], self._connect)
        self.future = self.connector.start(timeout=delay)

    def _connect(self, family, address):
        if address in self.failing:
            raise OSError(f"cannot start {address}")
        self.streams[address] = FakeStream()
        self.attempts[address] = Future()
        return self.streams[address], self.attempts[address]

    async def succeed(self, address):
        self.attempts[address].set_result(self.streams[address])
        await asyncio.sleep(0)

    async def fail(self, address):
        self.attempts[address].set_exception(OSError(f"no {address}"))
        await asyncio.sleep(0)


async def test_other_family_starts_after_the_delay():
    race = Race(["6a", "6b", "4a"])
    assert list(race.attempts) == ["6a"]
    race.connector.on_timeout()
    assert list(race.attempts) == ["6a", "4a"]
    await race.succeed("4a")
    assert race.future.result()[1] == "4a"
    assert race.streams["6a"].closed
    assert not race.streams["4a"].closed


async def test_failure_starts_the_other_family():
    race = Race(["6a", "6b", "4a"])
    await race.fail("6a")
    assert sorted(race.attempts) == ["4a", "6a", "6b"]
    await race.fail("4a")
    assert not race.future.done()
    await race.succeed("6b")
    assert race.future.result()[:2] == ("6", "6b")


async def test_slower_connection_is_closed():
    race = Race(["6a", "4a"])
    race.connector.on_timeout()
    await race.succeed("6a")
    await race.succeed("4a")
    assert race.streams["4a"].closed
    assert not race.streams["6a"].closed


async def test_all_attempts_fail_with_the_last_error():
    race = Race(["6a", "4a"], failing=["4a"])
    await race.fail("6a")
    with pytest.raises(OSError, match="4a|6a"):
        race.future.result()


async def test_unresponsive_addresses_do_not_delay_the_others(clock):
    """One attempt starts after each delay, alternating between the two families."""
    race = Race(["6a", "6b", "6c", "4a"], delay=0.25)
    began = [list(race.attempts)]
    for _ in range(5):
        await asyncio.sleep(0.25)
        await asyncio.sleep(0)
        began.append(list(race.attempts))
    assert began == [
        ["6a"],
        ["6a", "4a"],
        ["6a", "4a", "6b"],
        *[["6a", "4a", "6b", "6c"]] * 3,
    ]
    await race.fail("6b")
    await race.succeed("6a")
    assert race.future.result()[1] == "6a"
    assert all(stream.closed is (name != "6a") for name, stream in race.streams.items())


async def test_failure_waits_for_attempts_in_progress(clock):
    race = Race(["6a", "6b"], delay=0.25)
    await asyncio.sleep(0.3)
    await race.fail("6b")
    assert not race.future.done()
    await race.fail("6a")
    with pytest.raises(OSError, match="no 6a"):
        race.future.result()


async def test_no_attempt_starts_after_the_end(clock):
    race = Race(["6a", "6b", "4a"], delay=0.25)
    race.future.cancel()
    await asyncio.sleep(1)
    race.connector.on_timeout()
    assert list(race.attempts) == ["6a"]
    assert race.streams["6a"].closed


async def test_address_that_fails_immediately_does_not_end_the_race():
    race = Race(["6a", "6b", "4a"], failing=["6a", "4a"])
    assert list(race.attempts) == ["6b"]
    assert not race.future.done()
    await race.succeed("6b")
    assert race.future.result()[1] == "6b"


async def test_timeout_of_another_type_is_rejected():
    message = "TCPClient.connect: timeout must be seconds, a timedelta or None, got '5'"
    with pytest.raises(TypeError, match=message):
        await TCPClient().connect("127.0.0.1", 1, timeout="5")  # type: ignore[arg-type]
