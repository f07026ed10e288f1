"""The IOLoop classes on asyncio, conversions of Futures, and the event loop policy for any thread."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import socket
import sys
import threading
import warnings
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import tornado.platform.asyncio as platform_asyncio
from tests.conftest import loop_factory
from tests.support.ioloop import loop_registry
from tests.support.tcpserver import listening_sockets
from tests.support.tools import need_module
from tornado.gen import convert_yielded, coroutine
from tornado.ioloop import IOLoop
from tornado.iostream import IOStream
from tornado.locks import Event
from tornado.platform.asyncio import (
    AddThreadSelectorEventLoop,
    AsyncIOLoop,
    AsyncIOMainLoop,
    BaseAsyncIOLoop,
    to_asyncio_future,
    to_tornado_future,
)
from tornado.tcpclient import TCPClient
from tornado.tcpserver import TCPServer


async def test_main_loop_uses_the_running_asyncio_loop(loop_kind: str) -> None:
    made = AsyncIOMainLoop()
    assert made.asyncio_loop is asyncio.get_running_loop()
    assert made.selector_loop is made.asyncio_loop
    assert IOLoop.current() is made


def test_given_asyncio_loop_is_used(loop_kind: str) -> None:
    given = asyncio.new_event_loop()
    made = AsyncIOLoop(asyncio_loop=given, make_current=False)
    assert isinstance(made, BaseAsyncIOLoop)
    assert made.asyncio_loop is given
    with pytest.raises(RuntimeError, match="already has an IOLoop"):
        AsyncIOLoop(asyncio_loop=given, make_current=False)
    assert not given.is_closed()
    made.close()
    assert given.is_closed()


def test_new_asyncio_loop_is_closed_if_construction_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def new_event_loop() -> asyncio.AbstractEventLoop:
        made.append(asyncio.SelectorEventLoop())
        return made[0]

    monkeypatch.setattr(asyncio, "new_event_loop", new_event_loop)
    with pytest.raises(TypeError):
        AsyncIOLoop(make_current=False, unknown=True)
    assert made[0].is_closed()


async def test_futures_are_returned_unchanged_by_conversions() -> None:
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    assert to_tornado_future(future) is future
    assert to_asyncio_future(future) is future
    future.set_result(1)
    both = to_asyncio_future([future, future])  # type: ignore[arg-type, var-annotated]
    assert await both == [1, 1]


def test_missing_attribute_raises() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        platform_asyncio.nothing  # noqa: B018
    assert "AnyThreadEventLoopPolicy" in dir(platform_asyncio)


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="asyncio itself deprecates all policies")
def test_any_thread_policy() -> None:
    def work() -> bool:
        loop = asyncio.get_event_loop()
        same = asyncio.get_event_loop() is loop
        loop.close()
        return same

    policy_class = platform_asyncio.AnyThreadEventLoopPolicy
    assert platform_asyncio.AnyThreadEventLoopPolicy is policy_class
    assert policy_class.__module__ == "tornado.platform.asyncio"
    before = asyncio.get_event_loop_policy()
    with pytest.warns(DeprecationWarning, match="AnyThreadEventLoopPolicy is deprecated"):
        asyncio.set_event_loop_policy(policy_class())
    try:
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(work).result()
    finally:
        asyncio.set_event_loop_policy(before)
    with ThreadPoolExecutor(1) as pool, pytest.raises(RuntimeError, match="no current event loop"):
        pool.submit(work).result()


def test_import_emits_no_warnings() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        vars(platform_asyncio).pop("AnyThreadEventLoopPolicy", None)
        assert platform_asyncio.AnyThreadEventLoopPolicy


# ---- Loops that cannot watch file descriptors


def loop_without_readers(kind: str) -> asyncio.AbstractEventLoop:
    """Create a loop whose ``add_reader`` and related methods raise NotImplementedError, as on Windows."""
    base: Any = pytest.importorskip("uvloop").Loop if kind == "uvloop" else asyncio.SelectorEventLoop

    class Proactor(base):  # type: ignore[misc]
        add_reader = asyncio.AbstractEventLoop.add_reader
        add_writer = asyncio.AbstractEventLoop.add_writer
        remove_reader = asyncio.AbstractEventLoop.remove_reader
        remove_writer = asyncio.AbstractEventLoop.remove_writer

    made: asyncio.AbstractEventLoop = Proactor()
    with pytest.raises(NotImplementedError):
        made.add_reader(0, print)
    return made


class Shouting(TCPServer):
    async def handle_stream(self, stream: IOStream, address: Any) -> None:
        await stream.write((await stream.read_until(b"\n")).upper())
        stream.close()


async def converse() -> None:
    """Use one connection with streams and one with handlers of the IOLoop."""
    server = Shouting()
    server.listen(0, "127.0.0.1")
    (listening,) = listening_sockets(server).values()
    address = listening.getsockname()
    stream = await TCPClient().connect(*address)
    await stream.write(b"by stream\n")
    assert await stream.read_until(b"\n") == b"BY STREAM\n"
    stream.close()

    io_loop = IOLoop.current()
    with socket.create_connection(address) as plain:
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        def ready(fd: socket.socket, events: int) -> None:
            if events & IOLoop.WRITE:
                fd.send(b"by handler\n")
                io_loop.update_handler(fd, IOLoop.READ)
            else:
                answer.set_result(fd.recv(100))
                io_loop.remove_handler(fd)

        io_loop.add_handler(plain, ready, IOLoop.WRITE)
        assert await answer == b"BY HANDLER\n"
    server.stop()


def test_asyncio_run_with_loop_without_readers(loop_kind: str) -> None:
    """A thread watches the descriptors, and ends with the loop."""
    before = set(threading.enumerate())

    async def main() -> None:
        assert isinstance(IOLoop.current().selector_loop, AddThreadSelectorEventLoop)  # type: ignore[attr-defined]
        await converse()
        assert len(set(threading.enumerate()) - before) == 1

    with asyncio.Runner(loop_factory=lambda: loop_without_readers(loop_kind)) as runner:
        runner.run(main())
    assert set(threading.enumerate()) <= before


def test_loop_without_readers_closed_by_the_ioloop(loop_kind: str) -> None:
    before = set(threading.enumerate())
    loop = AsyncIOLoop(asyncio_loop=loop_without_readers(loop_kind), make_current=False)
    loop.run_sync(converse)
    loop.close()
    assert loop.asyncio_loop.is_closed()  # type: ignore[attr-defined]
    assert set(threading.enumerate()) <= before


def test_loops_without_readers_in_several_threads(loop_kind: str) -> None:
    before = set(threading.enumerate())

    def work() -> None:
        with asyncio.Runner(loop_factory=lambda: loop_without_readers(loop_kind)) as runner:
            for _ in range(5):
                runner.run(converse())

    with ThreadPoolExecutor(4) as pool:
        for each in [pool.submit(work) for _ in range(4)]:
            each.result()
    assert set(threading.enumerate()) <= before


def test_failed_construction_leaves_no_thread() -> None:
    before = set(threading.enumerate())
    given = loop_without_readers("asyncio")
    first = AsyncIOLoop(asyncio_loop=given, make_current=False)
    with pytest.raises(RuntimeError, match="already has an IOLoop"):
        AsyncIOLoop(asyncio_loop=given, make_current=False)
    first.close()
    assert set(threading.enumerate()) <= before


def test_asyncio_loop_can_be_used_after_thread_creation_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """If an IOLoop cannot be created for lack of threads or descriptors, it can be created later."""
    given = loop_without_readers("asyncio")

    def fail(loop: asyncio.AbstractEventLoop) -> None:
        raise OSError("none left")

    with monkeypatch.context() as patch:
        patch.setattr(platform_asyncio, "AddThreadSelectorEventLoop", fail)
        with pytest.raises(OSError, match="none left"):
            AsyncIOLoop(asyncio_loop=given, make_current=False)
    assert given not in loop_registry()
    AsyncIOLoop(asyncio_loop=given, make_current=False).close()


# ---- Loops that asyncio creates or closes


def test_given_loop_can_be_used_after_failed_construction() -> None:
    given = asyncio.new_event_loop()
    with pytest.raises(TypeError):
        AsyncIOLoop(asyncio_loop=given, unknown=True)
    AsyncIOLoop(asyncio_loop=given, make_current=False).close()


def test_runner_has_one_ioloop(loop_kind: str) -> None:
    async def current() -> IOLoop:
        return IOLoop.current()

    with asyncio.Runner(loop_factory=loop_factory(loop_kind)) as runner:
        first = runner.run(current())
        assert runner.run(current()) is first
        assert first.asyncio_loop is runner.get_loop()  # type: ignore[attr-defined]
    assert asyncio.run(current()) is not first


def test_loop_closed_by_asyncio(loop_kind: str) -> None:
    """Resources can still be released; new timers are refused, and new callbacks are dropped."""
    ours, theirs = socket.socketpair()

    async def main() -> IOLoop:
        loop = IOLoop.current()
        loop.add_handler(ours, print, IOLoop.READ | IOLoop.WRITE)
        loop.add_handler(theirs, print, IOLoop.WRITE)
        main.timer = loop.call_later(1000, print)  # type: ignore[attr-defined]
        return loop

    with asyncio.Runner(loop_factory=loop_factory(loop_kind)) as runner:
        loop: Any = runner.run(main())
    assert loop.asyncio_loop.is_closed()
    loop.remove_handler(ours)
    loop.remove_timeout(main.timer)  # type: ignore[attr-defined]
    loop.add_callback(pytest.fail, "called")
    with pytest.raises(RuntimeError, match="closed"):
        loop.call_later(1, print)
    with pytest.raises(RuntimeError, match="closed"):
        loop.start()
    assert IOLoop.current(instance=False) is not loop
    loop.close(all_fds=True)
    loop.close(all_fds=True)
    assert theirs.fileno() == -1
    assert ours.fileno() != -1
    ours.close()


def test_stream_that_outlives_its_loop(loop_kind: str) -> None:
    ours, theirs = socket.socketpair()

    async def main() -> IOStream:
        stream = IOStream(ours)
        waiting = asyncio.ensure_future(stream.read_bytes(1))
        await asyncio.sleep(0)
        waiting.cancel()
        return stream

    with asyncio.Runner(loop_factory=loop_factory(loop_kind)) as runner:
        stream = runner.run(main())
    stream.close()
    assert ours.fileno() == -1
    theirs.close()


async def test_loop_created_inside_a_running_loop(loop_kind: str) -> None:
    """An IOLoop can be created and used inside a running loop, and can run in another thread."""
    inner = AsyncIOLoop(asyncio_loop=loop_factory(loop_kind)(), make_current=False)
    assert IOLoop.current() is not inner
    assert await asyncio.to_thread(inner.run_sync, current_ioloop) is inner
    # The running loop is the current one, even if another loop is made current.
    with contextlib.closing(AsyncIOLoop()) as other:
        assert IOLoop.current() is not other
    with contextlib.closing(inner), pytest.raises(RuntimeError, match="running"):
        inner.run_sync(current_ioloop)


async def current_ioloop() -> IOLoop:
    return IOLoop.current()


@pytest.mark.parametrize("use_uvloop", [False, True])
def test_anyio_works_with_coroutines_on_an_ioloop(use_uvloop: bool) -> None:
    """anyio's task groups, cancel scopes, threads and portals work with coroutines that wait on an IOLoop."""
    anyio = need_module("anyio", "test")
    if use_uvloop:
        pytest.importorskip("uvloop")

    async def main() -> list[str]:
        loop = IOLoop.current()
        event, seen = Event(), []

        async def wait() -> None:
            await event.wait()
            seen.append("woken")

        async with anyio.create_task_group() as group:
            group.start_soon(wait)
            await anyio.to_thread.run_sync(loop.add_callback, event.set)
        with anyio.move_on_after(0) as scope:
            await Event().wait()
        assert scope.cancelled_caught
        seen.append(await anyio.to_thread.run_sync(anyio.from_thread.run, generator, "from a thread"))
        seen.append(await convert_yielded(anyio.to_thread.run_sync(str, "yielded")))
        return seen

    @coroutine
    def generator(text: str) -> Any:
        yield anyio.sleep(0)
        return text

    found = anyio.run(main, backend_options={"use_uvloop": use_uvloop})
    assert found == ["woken", "from a thread", "yielded"]

    async def in_a_scope() -> None:
        with anyio.fail_after(0):
            await Event().wait()

    with contextlib.closing(AsyncIOLoop(make_current=False)) as loop, pytest.raises(TimeoutError):
        loop.run_sync(in_a_scope)


# ---- Resources that are released


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="this system does not list open descriptors")
def test_many_loops_leave_no_resources(loop_kind: str) -> None:
    """The loops are closed by the IOLoop or by asyncio, or garbage-collected with pending work."""

    async def main() -> None:
        loop = IOLoop.current()
        loop.call_later(1000, print)
        loop.add_callback(print, end="")
        await loop.run_in_executor(None, str)
        read, write = os.pipe()
        loop.add_handler(read, print, IOLoop.READ)
        os.close(write)
        await asyncio.sleep(0)
        loop.remove_handler(read)
        os.close(read)

    def round_trip() -> None:
        with asyncio.Runner(loop_factory=loop_factory(loop_kind)) as runner:
            runner.run(main())
        own = AsyncIOLoop(asyncio_loop=loop_factory(loop_kind)(), make_current=False)
        own.run_sync(main)
        references.append(weakref.ref(own))
        own.close()

    references: list[weakref.ref[IOLoop]] = []
    round_trip()
    gc.collect()
    open_before = set(map(id, loop_registry()))  # loops of other tests
    threads, descriptors = threading.active_count(), open_descriptors()
    for _ in range(50):
        round_trip()
    gc.collect()
    for thread in threading.enumerate():
        if thread.name.startswith("asyncio_"):
            thread.join()  # the thread is ending; closing the loop did not wait for it
    assert threading.active_count() <= threads
    assert open_descriptors() <= descriptors
    assert [each for each in references if each() is not None] == []
    left = [each for each in loop_registry() if not each.is_closed()]
    assert [each for each in left if id(each) not in open_before] == []
