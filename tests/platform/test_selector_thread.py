"""Socket readiness provided by a thread."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import loop_factory
from tests.support.platform import is_closed, registered_readers, selector_thread, waker_descriptor
from tornado.iostream import IOStream
from tornado.platform import _selector_thread
from tornado.platform.asyncio import AddThreadSelectorEventLoop, SelectorThread

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    a, b = socket.socketpair()
    a.setblocking(False)
    b.setblocking(False)
    yield a, b
    a.close()
    b.close()


@pytest.fixture(autouse=True)
def no_thread_remains() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before
    assert not _selector_thread._selector_loops


@pytest.fixture(params=["PollSelector", "SelectSelector"])
def selector_class(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    import selectors

    monkeypatch.setattr(_selector_thread, "_Selector", getattr(selectors, request.param))


@pytest.mark.usefixtures("selector_class")
async def test_reader_and_writer_are_called_in_the_thread_of_the_loop(pair: Pair, loop_kind: str) -> None:
    a, b = pair
    thread = SelectorThread(asyncio.get_running_loop())
    seen: asyncio.Queue[Any] = asyncio.Queue()

    def readable(name: str) -> None:
        seen.put_nowait((name, a.recv(10), threading.get_ident()))

    thread.add_reader(a, readable, "read")
    b.send(b"one")
    assert await seen.get() == ("read", b"one", threading.get_ident())
    b.send(b"two")
    assert (await seen.get())[1] == b"two"

    def writable() -> None:
        seen.put_nowait("writable")
        assert thread.remove_writer(a)

    thread.add_writer(a.fileno(), writable)
    assert await seen.get() == "writable"
    assert not thread.remove_writer(a)
    assert thread.remove_reader(a)
    assert not thread.remove_reader(a)
    thread.close()


async def test_ready_descriptor_is_reported_repeatedly(pair: Pair) -> None:
    a, b = pair
    thread = SelectorThread(asyncio.get_running_loop())
    times = asyncio.Semaphore(0)
    thread.add_reader(a, times.release)
    b.send(b"x")
    for _ in range(5):
        await times.acquire()
    thread.close()


async def test_callback_is_replaced(pair: Pair) -> None:
    a, b = pair
    thread = SelectorThread(asyncio.get_running_loop())
    called = asyncio.Event()
    thread.add_reader(a, pytest.fail, "replaced")
    thread.add_reader(a, called.set)
    b.send(b"x")
    await called.wait()
    thread.close()


async def test_callback_that_removes_another(pair: Pair) -> None:
    a, b = pair
    thread = SelectorThread(asyncio.get_running_loop())
    count = 0
    first = asyncio.Event()

    def remove_both() -> None:
        nonlocal count
        count += 1
        thread.remove_writer(a)
        thread.remove_writer(b)
        first.set()

    thread.add_writer(a, remove_both)
    thread.add_writer(b, remove_both)
    await first.wait()
    again = asyncio.Event()
    thread.add_reader(a, again.set)
    b.send(b"x")
    await again.wait()
    assert count == 1
    thread.close()


async def test_callback_exception_is_logged(pair: Pair, expect_log: Any) -> None:
    a, b = pair
    thread = SelectorThread(asyncio.get_running_loop())
    later = asyncio.Event()

    def fail() -> None:
        thread.add_reader(a, later.set)
        raise KeyError("k")

    thread.add_reader(a, fail)
    with expect_log("asyncio", "Exception in callback"):
        b.send(b"x")
        await later.wait()
    thread.close()


@pytest.mark.usefixtures("selector_class")
async def test_descriptor_closed_while_it_is_watched(pair: Pair) -> None:
    """The thread calls the callback of the closed descriptor, so that the callback can detect the error."""
    read, write = os.pipe()
    thread = SelectorThread(asyncio.get_running_loop())
    found = asyncio.Event()

    def callback() -> None:
        with pytest.raises(OSError):
            os.read(read, 1)
        thread.remove_reader(read)
        found.set()

    os.close(write)
    os.close(read)
    thread.add_reader(read, callback)
    thread.add_writer(pair[0], lambda: None)
    await found.wait()
    thread.close()


async def test_closed_selector_thread_rejects_descriptors(pair: Pair) -> None:
    thread = SelectorThread(asyncio.get_running_loop())
    thread.add_reader(pair[0], print)
    thread.close()
    thread.close()
    assert not thread.remove_reader(pair[0])
    with pytest.raises(RuntimeError, match="is closed"):
        thread.add_reader(pair[0], print)


async def test_result_after_close_is_ignored(pair: Pair) -> None:
    thread = SelectorThread(asyncio.get_running_loop())
    thread.add_writer(pair[0], pytest.fail, "called")
    thread.close()
    await asyncio.sleep(0)


def test_asyncio_run_stops_the_thread(pair: Pair) -> None:
    async def main() -> SelectorThread:
        thread = SelectorThread(asyncio.get_running_loop())
        thread.add_reader(pair[0], print)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return thread

    thread = asyncio.run(main())
    assert waker_descriptor(thread) == -1


def test_interpreter_exit_stops_the_thread(pair: Pair) -> None:
    loop = asyncio.new_event_loop()
    thread = SelectorThread(loop)
    thread.add_reader(pair[0], print)
    _selector_thread._atexit_callback()
    assert is_closed(thread)
    loop.close()


def test_loop_that_stops_immediately() -> None:
    loop = asyncio.new_event_loop()
    thread = SelectorThread(loop)
    loop.call_soon(loop.stop)
    loop.run_forever()
    thread.close()
    # The loop can still continue without an error.
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    del thread, loop
    gc.collect()


def test_loop_closed_before_the_selector_thread(pair: Pair) -> None:
    loop = asyncio.new_event_loop()
    thread = SelectorThread(loop)
    thread.add_reader(pair[0], print)
    loop.close()
    pair[1].send(b"x")
    selector_thread(thread).join()
    thread.close()


def test_wrapped_loop_has_readers(pair: Pair) -> None:
    class Loop(asyncio.SelectorEventLoop):
        def add_reader(self, *args: Any) -> None:
            raise NotImplementedError

        add_writer = remove_reader = remove_writer = add_reader

    real = Loop()
    loop = AddThreadSelectorEventLoop(real)
    assert loop.time.__self__ is real  # type: ignore[attr-defined]
    assert not hasattr(loop, "nothing")
    seen = []

    def readable() -> None:
        seen.append(pair[0].recv(10))
        loop.add_writer(pair[0], writable)

    def writable() -> None:
        assert loop.remove_writer(pair[0])
        assert loop.remove_reader(pair[0])
        loop.stop()

    loop.add_reader(pair[0], readable)
    pair[1].send(b"x")
    loop.run_forever()
    assert seen == [b"x"]
    loop.close()
    assert real.is_closed()


def test_loop_with_replaced_close(pair: Pair) -> None:
    """pyzmq replaces `close` in this way, so that the thread ends with a loop that has no reference to it."""
    real = asyncio.new_event_loop()
    with_readers = AddThreadSelectorEventLoop(real)  # type: ignore[abstract]
    close = real.close

    def close_both() -> None:
        real.close = close  # type: ignore[method-assign]
        with_readers.close()

    real.close = close_both  # type: ignore[method-assign]
    with_readers.add_reader(pair[0], real.stop)
    pair[1].send(b"x")
    real.run_forever()
    real.close()
    assert real.is_closed()
    assert not selector_thread(with_readers).is_alive()


def test_selector_thread_created_before_the_loop_runs(loop_kind: str, pair: Pair) -> None:
    """ipykernel creates and uses the thread outside the loop, which then runs, stops and runs again."""
    loop = loop_factory(loop_kind)()
    thread = SelectorThread(loop)
    thread.add_reader(pair[0], loop.stop)
    for _ in range(3):
        pair[1].send(b"x")
        loop.run_forever()
        pair[0].recv(1)
    thread.remove_reader(pair[0])
    thread.close()
    loop.close()


async def test_many_descriptors_are_reported(loop_kind: str) -> None:
    """Each readable descriptor is reported, although others are added and removed at the same time."""
    thread = SelectorThread(asyncio.get_running_loop())
    pairs = [socket.socketpair() for _ in range(100)]
    left = set(range(100))
    done = asyncio.Event()

    def ready(number: int) -> None:
        ours, theirs = pairs[number]
        ours.recv(1)
        if theirs.fileno() != -1:
            theirs.close()  # the end of the stream makes the descriptor readable once more
            return
        assert thread.remove_reader(ours)
        left.discard(number)
        ours.close()
        if not left:
            done.set()

    for number, (ours, theirs) in enumerate(pairs):
        thread.add_reader(ours, ready, number)
        theirs.send(b"x")
    await done.wait()
    assert not registered_readers(thread)
    thread.close()


class LoopWithoutReaders(asyncio.SelectorEventLoop):
    """A loop like that of Windows: the methods of the abstract class raise NotImplementedError."""

    add_reader = asyncio.AbstractEventLoop.add_reader
    add_writer = asyncio.AbstractEventLoop.add_writer


def test_stream_has_the_running_loop_although_a_thread_watches_its_socket(pair: Pair) -> None:
    """The loop of a stream is compared with the running loop, for example by each WebSocket message."""

    async def main() -> None:
        with contextlib.closing(IOStream(pair[0])) as stream:
            reading = stream.read_bytes(1)
            pair[1].send(b"x")
            assert await reading == b"x"
            assert stream.loop is asyncio.get_running_loop()
        assert len(_selector_thread._selector_loops) == 1

    with asyncio.Runner(loop_factory=LoopWithoutReaders) as runner:
        runner.run(main())
