"""Deferreds in coroutines, and Twisted's reactor on an IOLoop."""

from __future__ import annotations

import asyncio
import datetime
from typing import Any

import pytest

from tests.support.clock import FakeClock
from tests.support.program import output_of
from tests.support.tools import need_module
from tornado import gen
from tornado.gen import convert_yielded
from tornado.ioloop import IOLoop

need_module("twisted", "twisted")

from twisted.internet import defer  # noqa: E402 - after the check for Twisted

import tornado.platform.twisted  # noqa: E402


async def test_result_of_a_deferred_is_returned(loop_kind: str) -> None:
    @gen.coroutine
    def main() -> Any:
        deferred: defer.Deferred[int] = defer.Deferred()
        IOLoop.current().add_callback(deferred.callback, 42)
        return (yield deferred)

    assert await main() == 42


async def test_fired_deferred_needs_no_loop_iteration() -> None:
    @gen.coroutine
    def main() -> Any:
        return (yield defer.succeed(42))

    assert main().done()


async def test_failure_of_a_deferred_is_raised(loop_kind: str) -> None:
    async def main() -> None:
        await convert_yielded(defer.fail(ZeroDivisionError("by zero")))

    with pytest.raises(ZeroDivisionError, match="by zero"):
        await main()


async def test_with_inline_callbacks() -> None:
    @defer.inlineCallbacks
    def add(first: Any, second: Any) -> Any:
        one = yield first
        other = yield second
        return one + other

    first: defer.Deferred[int] = defer.Deferred()
    IOLoop.current().add_callback(first.callback, 1)
    assert await convert_yielded(add(first, defer.succeed(2))) == 3


async def test_multi_with_deferreds(clock: FakeClock) -> None:
    deferreds: dict[str, defer.Deferred[int]] = {"a": defer.Deferred(), "b": defer.succeed(2)}
    IOLoop.current().add_callback(deferreds["a"].callback, 1)
    assert await gen.multi({**deferreds, "c": asyncio.sleep(0, 3)}) == {"a": 1, "b": 2, "c": 3}
    with pytest.raises(TimeoutError):
        await gen.with_timeout(datetime.timedelta(seconds=1), defer.Deferred())


async def test_cancelling_the_future_cancels_the_deferred() -> None:
    cancelled = []
    deferred: defer.Deferred[None] = defer.Deferred(cancelled.append)
    future = convert_yielded(deferred)
    future.cancel()
    with pytest.raises(asyncio.CancelledError):
        await future
    await asyncio.sleep(0)
    assert cancelled == [deferred]


async def test_cancelling_the_deferred_fails_the_future() -> None:
    deferred: defer.Deferred[None] = defer.Deferred()
    future = convert_yielded(deferred)
    deferred.cancel()
    with pytest.raises(defer.CancelledError):
        await future


def test_only_install_is_exported() -> None:
    assert tornado.platform.twisted.__all__ == ["install"]


# A process has only one reactor, so each of the following tests starts a process.


@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
def test_reactor_runs_the_loop(kind: str) -> None:
    """Callbacks of the loop run while the reactor runs, and so do Twisted's threads."""
    if kind == "uvloop":
        pytest.importorskip("uvloop")
    out = output_of(f"""
        import asyncio, {kind}
        asyncio.set_event_loop({kind}.new_event_loop())
        from tornado.ioloop import IOLoop
        from tornado.gen import convert_yielded
        import tornado.platform.twisted
        tornado.platform.twisted.install()
        from twisted.internet import reactor, threads
        assert reactor._asyncioEventloop is IOLoop.current().asyncio_loop
        async def main():
            assert asyncio.get_running_loop() is IOLoop.current().asyncio_loop
            print(await convert_yielded(threads.deferToThread(lambda: "in a thread")))
            reactor.callLater(0, reactor.stop)
        reactor.callWhenRunning(lambda: IOLoop.current().add_callback(main))
        reactor.run()
        print("stopped")
    """)
    assert out.split("\n") == ["in a thread", "stopped", ""]


def test_loop_runs_the_reactor() -> None:
    """Twisted's sockets and timers work while only the loop is running."""
    out = output_of("""
        from tornado.ioloop import IOLoop
        from tornado.gen import convert_yielded
        import tornado.platform.twisted
        tornado.platform.twisted.install()
        from twisted.internet import endpoints, protocol, reactor, task
        class Echo(protocol.Protocol):
            def dataReceived(self, data):
                self.transport.write(data)
        from tornado.tcpclient import TCPClient
        async def main():
            port = reactor.listenTCP(0, protocol.Factory.forProtocol(Echo), interface="127.0.0.1")
            stream = await TCPClient().connect("127.0.0.1", port.getHost().port)
            await stream.write(b"to and fro")
            print((await stream.read_bytes(10)).decode())
            stream.close()
            await convert_yielded(port.stopListening())
            print(await convert_yielded(task.deferLater(reactor, 0.001, lambda: "later")))
        IOLoop.current().run_sync(main)
        IOLoop.current().close()
    """)
    assert out.split("\n") == ["to and fro", "later", ""]


def test_second_reactor_is_rejected() -> None:
    out = output_of("""
        from twisted.internet.error import ReactorAlreadyInstalledError
        from tornado.ioloop import IOLoop
        import tornado.platform.twisted
        tornado.platform.twisted.install()
        try:
            tornado.platform.twisted.install()
        except ReactorAlreadyInstalledError:
            print("refused")
        IOLoop.current().close()
    """)
    assert out == "refused\n"
