"""`EpollWatcher`: readiness of descriptors with a separate epoll object."""

from __future__ import annotations

import asyncio
import contextvars
import os
import select
import socket
import struct
import weakref
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

import pytest

from tests.support.platform import epoll_of, ready_callback, selector
from tornado._loop import epoll
from tornado._loop.epoll import EpollWatcher, abandon_watcher, close_watcher, replace_epoll, watcher_of
from tornado.ioloop import IOLoop
from tornado.platform.asyncio import AsyncIOLoop

pytestmark = pytest.mark.skipif(not hasattr(select, "epoll"), reason="this system has no epoll")

variable: ContextVar[str] = ContextVar("variable", default="unset")


class Loop(asyncio.SelectorEventLoop):
    """A loop that records what it is told about exceptions."""

    def __init__(self) -> None:
        super().__init__()
        self.reported: list[dict[str, Any]] = []
        self.set_exception_handler(lambda loop, context: self.reported.append(context))

    def turn(self) -> None:
        """Run one iteration."""
        self.call_soon(self.stop)
        self.run_forever()


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    close_watcher(loop)
    loop.close()
    assert loop.reported == []


@pytest.fixture
def watcher(loop: Loop) -> EpollWatcher:
    watcher = watcher_of(loop)
    assert isinstance(watcher, EpollWatcher)
    return watcher


@pytest.fixture
def pairs() -> Iterator[Callable[[], tuple[socket.socket, socket.socket]]]:
    """A function that returns a socket to watch, which has input to read, and its peer."""
    opened: list[socket.socket] = []

    def pair() -> tuple[socket.socket, socket.socket]:
        ours, theirs = socket.socketpair()
        opened.extend((ours, theirs))
        ours.setblocking(False)
        theirs.send(b"x")
        return ours, theirs

    yield pair
    for each in opened:
        each.close()


Pairs = Callable[[], tuple[socket.socket, socket.socket]]


def test_reader_is_called_until_removed(loop: Loop, watcher: EpollWatcher, pairs: Pairs) -> None:
    ours, _ = pairs()
    calls: list[str] = []
    watcher.add_reader(ours.fileno(), lambda: calls.append("first"))
    loop.turn()
    watcher.add_reader(ours.fileno(), lambda: calls.append("second"))
    loop.turn()
    assert calls == ["first", "second"]
    assert watcher.remove_reader(ours.fileno())
    assert not watcher.remove_reader(ours.fileno())
    loop.turn()
    assert calls == ["first", "second"]


def test_reader_and_writer_of_one_descriptor(loop: Loop, watcher: EpollWatcher, pairs: Pairs) -> None:
    ours, _ = pairs()
    fd = ours.fileno()
    calls: list[str] = []
    watcher.add_writer(fd, lambda: calls.append("writer"))
    watcher.add_reader(fd, lambda: calls.append("reader"))
    loop.turn()
    assert calls == ["reader", "writer"]
    watcher.remove_reader(fd)
    loop.turn()
    assert calls == ["reader", "writer", "writer"]
    watcher.add_reader(fd, lambda: calls.append("reader"))
    assert watcher.remove_writer(fd)
    loop.turn()
    assert calls == ["reader", "writer", "writer", "reader"]
    assert not watcher.remove_writer(fd)


def test_broken_connection_is_reported_to_both(loop: Loop, watcher: EpollWatcher, pairs: Pairs) -> None:
    ours, theirs = pairs()
    ours.recv(1)
    theirs.close()
    calls: list[str] = []
    watcher.add_writer(ours.fileno(), lambda: calls.append("writer"))
    loop.turn()
    assert calls == ["writer"]
    watcher.remove_writer(ours.fileno())
    watcher.add_reader(ours.fileno(), lambda: calls.append("reader"))
    loop.turn()
    assert calls == ["writer", "reader"]


def test_callbacks_have_the_context_of_their_registration(
    loop: Loop, watcher: EpollWatcher, pairs: Pairs
) -> None:
    ours, other = pairs()[0], pairs()[0]
    seen: list[str] = []

    def callback() -> None:
        seen.append(variable.get())
        variable.set(variable.get() + "+")

    for sock, value in ((ours, "first"), (other, "second")):
        token = variable.set(value)
        watcher.add_reader(sock.fileno(), callback)
        variable.reset(token)
    loop.turn()
    loop.turn()
    assert sorted(seen) == ["first", "first+", "second", "second+"]
    assert variable.get() == "unset"


def test_removed_callback_is_not_called_for_a_reported_event(
    loop: Loop, watcher: EpollWatcher, pairs: Pairs
) -> None:
    first, second = pairs()[0].fileno(), pairs()[0].fileno()
    calls: list[int] = []

    def callback(own: int, other: int) -> None:
        calls.append(own)
        watcher.remove_reader(other)

    watcher.add_reader(first, lambda: callback(first, second))
    watcher.add_reader(second, lambda: callback(second, first))
    loop.turn()
    assert len(calls) == 1


@pytest.mark.parametrize("kind", ["reader", "writer"])
def test_event_is_not_passed_to_a_new_descriptor_of_the_same_number(
    loop: Loop, watcher: EpollWatcher, pairs: Pairs, kind: str
) -> None:
    """A client that is connecting would otherwise take the event of a closed socket for its own."""
    watched = [pairs()[0], pairs()[0]]
    quiet = socket.socket()
    add = watcher.add_reader if kind == "reader" else watcher.add_writer
    remove = watcher.remove_reader if kind == "reader" else watcher.remove_writer
    calls: list[str] = []

    def callback(other: socket.socket) -> None:
        calls.append("first")
        fd = other.fileno()
        remove(fd)
        other.close()
        os.dup2(quiet.fileno(), fd)
        add(fd, lambda: calls.append("new"))
        reused.append(fd)

    reused: list[int] = []
    add(watched[0].fileno(), lambda: callback(watched[1]) if not reused else None)
    add(watched[1].fileno(), lambda: callback(watched[0]) if not reused else None)
    with quiet:
        quiet.bind(("127.0.0.1", 0))
        quiet.listen()  # neither readable nor writable
        loop.turn()
        loop.turn()
        assert calls == ["first"]
        with socket.create_connection(quiet.getsockname()):
            if kind == "reader":
                loop.turn()
                assert calls == ["first", "new"]
        remove(reused[0])
        os.close(reused[0])


def test_error_is_not_passed_to_a_new_writer(loop: Loop, watcher: EpollWatcher) -> None:
    """A reader that is called for a reset closes its socket, and a new client connects with its number."""
    calls: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        ours = socket.create_connection(server.getsockname())
        theirs, _ = server.accept()
        fd = ours.fileno()
        with socket.socket() as quiet:
            quiet.bind(("127.0.0.1", 0))
            quiet.listen()  # never writable, and not broken

            def reset() -> None:
                calls.append("reset")
                watcher.remove_reader(fd)
                os.dup2(quiet.fileno(), fd)
                watcher.add_writer(fd, lambda: calls.append("writer"))

            watcher.add_reader(fd, reset)
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            theirs.close()
            loop.turn()
            assert calls == ["reset"]
            watcher.remove_writer(fd)
            ours.close()


def test_exception_is_reported_and_the_others_are_called(
    loop: Loop, watcher: EpollWatcher, pairs: Pairs
) -> None:
    calls: list[str] = []
    error = ValueError("in a callback")

    def fail() -> None:
        raise error

    broken = pairs()[0].fileno()
    watcher.add_reader(broken, fail)
    watcher.add_writer(broken, fail)
    watcher.add_reader(pairs()[0].fileno(), lambda: calls.append("called"))
    loop.turn()
    assert calls == ["called"]
    assert [each["exception"] for each in loop.reported] == [error, error]
    assert "fail" in loop.reported[0]["message"]
    loop.reported.clear()


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("method", ["add_reader", "add_writer"])
def test_interrupt_ends_the_loop_and_loses_no_event(
    loop: Loop, watcher: EpollWatcher, pairs: Pairs, kind: type[BaseException], method: str
) -> None:
    left = {pairs()[0].fileno(), pairs()[0].fileno()}

    def interrupt(fd: int) -> None:
        left.discard(fd)
        watcher.remove_reader(fd)
        watcher.remove_writer(fd)
        raise kind

    for fd in tuple(left):
        getattr(watcher, method)(fd, lambda fd=fd: interrupt(fd))
    for remaining in (1, 0):
        with pytest.raises(kind):
            loop.run_forever()
        assert len(left) == remaining


def test_descriptor_that_the_program_has_closed(loop: Loop, watcher: EpollWatcher, pairs: Pairs) -> None:
    """Neither its removal nor a new descriptor with its number raises an exception."""
    calls: list[str] = []
    ours, other = pairs()[0], pairs()[0]
    fd = ours.fileno()
    watcher.add_reader(fd, lambda: calls.append("old"))
    ours.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        watcher.add_writer(fd, lambda: None)
    os.dup2(other.fileno(), fd)
    watcher.add_reader(fd, lambda: calls.append("new"))
    loop.turn()
    assert calls == ["new"]
    os.close(fd)
    assert watcher.remove_reader(fd)


def test_descriptor_that_the_kernel_still_watches(loop: Loop, watcher: EpollWatcher, pairs: Pairs) -> None:
    """The description of a descriptor that was closed is still open under another number."""
    ours, _ = pairs()
    fd = ours.fileno()
    calls: list[str] = []
    saved = os.dup(fd)
    watcher.add_reader(fd, lambda: calls.append("old"))
    os.close(fd)
    watcher.remove_reader(fd)  # the kernel keeps the registration: the number is not open
    os.dup2(saved, fd)
    watcher.add_reader(fd, lambda: calls.append("new"))
    loop.turn()
    assert calls == ["new"]
    watcher.remove_reader(fd)
    os.close(saved)


def test_file_that_cannot_be_watched(watcher: EpollWatcher, tmp_path: Any) -> None:
    with (tmp_path / "file").open("w") as file, pytest.raises(PermissionError):
        watcher.add_writer(file.fileno(), lambda: None)
    assert not watcher.remove_writer(0)


def test_all_of_many_ready_descriptors_are_called(
    loop: Loop, watcher: EpollWatcher, pairs: Pairs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(epoll, "_MAX_EVENTS", 4)
    waiting = {pairs()[0].fileno() for _ in range(10)}

    def callback(fd: int) -> None:
        waiting.discard(fd)

    for fd in tuple(waiting):
        watcher.add_reader(fd, lambda fd=fd: callback(fd))
    for _ in range(6):
        loop.turn()
    assert waiting == set()


def test_reentrant_loop_watches_descriptors_itself(
    loop: Loop, watcher: EpollWatcher, pairs: Pairs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A callback may run a loop that ``nest_asyncio`` has patched; a handle cannot run within itself."""
    ours, writable = pairs()[0].fileno(), pairs()[0].fileno()
    calls: list[str] = []
    token = variable.set("kept")
    watcher.add_reader(ours, lambda: calls.append(f"reader {variable.get()}"))
    watcher.add_writer(writable, lambda: calls.append("writer"))
    variable.reset(token)
    monkeypatch.setattr(Loop, "run_forever", lambda self: asyncio.SelectorEventLoop.run_forever(self))
    loop.turn()  # reports the epoll object
    loop.turn()
    assert sorted(calls) == ["reader kept", "writer"]
    later = pairs()[0].fileno()
    watcher.add_reader(later, lambda: calls.append("later"))
    watcher.add_writer(later, lambda: calls.append("later writer"))
    loop.turn()
    assert sorted(calls) == ["later", "later writer", "reader kept", "reader kept", "writer", "writer"]
    assert all(loop.remove_reader(fd) for fd in (ours, later))
    assert watcher.remove_writer(writable)
    assert watcher.remove_writer(later)
    assert not loop.remove_writer(later)


def test_loop_becomes_reentrant_during_a_callback(
    loop: Loop, watcher: EpollWatcher, pairs: Pairs, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, later = pairs()[0].fileno(), pairs()[0].fileno()

    def callback() -> None:
        monkeypatch.setattr(Loop, "run_forever", lambda self: asyncio.SelectorEventLoop.run_forever(self))
        watcher.add_reader(later, lambda: None)

    watcher.add_reader(ours, callback)
    loop.turn()
    assert loop.reported == []
    assert loop.remove_reader(ours)
    assert loop.remove_reader(later)


def test_closed_descriptor_does_not_affect_others_of_a_reentrant_loop(
    loop: Loop, watcher: EpollWatcher, pairs: Pairs, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed, other = pairs()[0], pairs()[0]
    calls: list[str] = []
    watcher.add_reader(closed.fileno(), lambda: calls.append("closed"))
    watcher.add_reader(other.fileno(), lambda: calls.append("other"))
    closed.close()
    monkeypatch.setattr(Loop, "run_forever", lambda self: asyncio.SelectorEventLoop.run_forever(self))
    loop.turn()
    loop.turn()
    assert calls == ["other"]
    assert [type(each["exception"]) for each in loop.reported] == [OSError]
    loop.reported.clear()
    assert loop.remove_reader(other.fileno())


def test_descriptor_added_first_after_the_loop_became_reentrant(
    loop: Loop, watcher: EpollWatcher, pairs: Pairs, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, later = pairs()[0].fileno(), pairs()[0].fileno()
    watcher.add_reader(ours, lambda: None)
    monkeypatch.setattr(Loop, "run_forever", lambda self: asyncio.SelectorEventLoop.run_forever(self))
    watcher.add_writer(later, lambda: None)
    assert loop.remove_reader(ours)
    assert loop.remove_writer(later)


def test_closed_loop(pairs: Pairs) -> None:
    loop = Loop()
    watcher = watcher_of(loop)
    fd = pairs()[0].fileno()
    watcher.add_reader(fd, lambda: None)
    loop.close()
    with pytest.raises(RuntimeError, match="Event loop is closed"):
        watcher.add_writer(fd, lambda: None)
    close_watcher(loop)
    close_watcher(loop)
    replace_epoll(loop)


def is_open(number: int) -> bool:
    try:
        return os.readlink(f"/proc/self/fd/{number}") == "anon_inode:[eventpoll]"
    except FileNotFoundError:
        return False


def test_ioloop_closes_the_epoll_object() -> None:
    io_loop = AsyncIOLoop(make_current=False)
    watcher = watcher_of(io_loop.asyncio_loop)
    epoll_object = epoll_of(watcher)
    assert is_open(epoll_object.fileno())
    io_loop.close()
    assert epoll_object.closed


def test_epoll_object_of_a_loop_closed_by_asyncio_is_closed_with_the_next_ioloop() -> None:
    async def main() -> Any:
        return watcher_of(IOLoop.current().asyncio_loop)  # type: ignore[attr-defined]

    first = asyncio.run(main())
    assert not epoll_of(first).closed
    asyncio.run(main())
    assert epoll_of(first).closed


def test_context_of_the_first_stream_is_not_kept(loop: Loop) -> None:
    class Value:
        pass

    held: ContextVar[Value] = ContextVar("held")

    def create() -> weakref.ref[Value]:
        value = Value()
        held.set(value)
        assert isinstance(watcher_of(loop), EpollWatcher)
        return weakref.ref(value)

    reference = contextvars.Context().run(create)
    assert reference() is None


def test_loops_that_watch_descriptors_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    class Own(asyncio.SelectorEventLoop):
        def add_reader(self, *args: Any) -> None:
            super().add_reader(*args)

    for loop in (Own(), Loop(), Loop()):
        if type(loop) is Loop:
            loop.set_debug(True)
        assert watcher_of(loop) is loop
        loop.close()
    loop = Loop()
    monkeypatch.setattr(Loop, "run_forever", lambda self: None)
    assert watcher_of(loop) is loop
    loop.close()


def test_uvloop_watches_descriptors_itself() -> None:
    uvloop = pytest.importorskip("uvloop")
    loop = uvloop.new_event_loop()
    assert watcher_of(loop) is loop
    loop.close()


def test_forked_child_abandons_the_epoll_object(loop: Loop, watcher: EpollWatcher, pairs: Pairs) -> None:
    """Neither closing a stream nor closing the loop in the child changes what the parent has registered."""
    reader = pairs()[0].fileno()
    watcher.add_reader(reader, lambda: None)
    number = epoll_of(watcher).fileno()
    of_loop = selector(loop).fileno()
    with (
        select.epoll.fromfd(os.dup(number)) as of_parent,
        select.epoll.fromfd(os.dup(of_loop)) as of_loop_of_parent,
    ):
        abandon_watcher(loop)
        assert not watcher.remove_reader(reader)
        with pytest.raises(RuntimeError, match="Event loop is closed"):
            watcher.add_reader(reader, lambda: None)
        close_watcher(loop)
        assert [fd for fd, _ in of_parent.poll(0)] == [reader]
        assert number in [fd for fd, _ in of_loop_of_parent.poll(0)]
    loop.remove_reader(number)


def test_forked_child_has_a_separate_epoll_object(loop: Loop, watcher: EpollWatcher, pairs: Pairs) -> None:
    """What the child registers and removes does not change the object of the parent."""
    reader, writer = pairs()[0].fileno(), pairs()[0].fileno()
    calls: list[str] = []
    watcher.add_reader(reader, lambda: calls.append("reader"))
    watcher.add_writer(writer, lambda: calls.append("writer"))
    closed = pairs()[0]
    watcher.add_reader(closed.fileno(), lambda: calls.append("closed"))
    number = epoll_of(watcher).fileno()
    with select.epoll.fromfd(os.dup(number)) as of_parent:
        closed.close()
        callback = ready_callback(watcher)
        loop.remove_reader(number)
        replace_epoll(loop)
        loop.add_reader(number, callback)
        loop.turn()
        assert sorted(calls) == ["reader", "writer"]
        watcher.remove_reader(reader)
        watcher.remove_writer(writer)
        assert sorted(fd for fd, _ in of_parent.poll(0)) == sorted([reader, writer])
