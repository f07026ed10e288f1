"""Event loops in forked children. Each test forks in a separate process without other threads."""

from __future__ import annotations

import asyncio
import os
import select
import socket

import pytest

from tests.conftest import loop_factory
from tests.support.clock import FakeClock
from tests.support.platform import selector
from tests.support.program import output_of
from tornado.platform import _after_fork

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork()")

#: The first lines of all programs: the creation of event loops, and a fork that runs a function.
BEGIN = """
import asyncio, os, sys
new_event_loop = __import__(sys.argv[1]).new_event_loop
from tornado.ioloop import IOLoop
from tornado.platform.asyncio import AsyncIOLoop

def child(function, *arguments):
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            function(*arguments)
            status = 0
        finally:
            sys.stdout.flush()
            os._exit(status)
    return pid

def wait(*pids):
    for pid in pids:
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
"""


def program(text: str, kind: str) -> list[str]:
    """Run a program. Return the lines printed by it and by its children, sorted."""
    return sorted(output_of(BEGIN + text, kind).split("\n")[:-1])


def test_idle_loop_works_in_parent_and_children() -> None:
    """All processes watch the same descriptor; the registration in one does not affect the others."""
    out = program(
        """
loop = AsyncIOLoop(asyncio_loop=new_event_loop(), make_current=False)
read, write = os.pipe()

def use(name):
    future = loop.asyncio_loop.create_future()
    loop.add_handler(read, lambda fd, events: future.set_result(os.read(fd, 1)), IOLoop.READ)
    # The thread must wake the loop of this process only.
    loop.run_in_executor(None, os.write, write, name)
    print(loop.run_sync(lambda: future).decode())
    loop.remove_handler(read)

wait(child(use, b"1"))
wait(child(use, b"2"))
use(b"3")
loop.close()
""",
        "asyncio",
    )
    assert out == ["1", "2", "3"]


def test_children_watch_one_socket_concurrently() -> None:
    """All children watch the listening socket at the same time, like forked servers."""
    out = program(
        """
import socket
loop = AsyncIOLoop(asyncio_loop=new_event_loop(), make_current=False)
listening = socket.create_server(("127.0.0.1", 0))
ready, go = os.pipe(), os.pipe()

def serve():
    async def main():
        accepted = asyncio.get_running_loop().create_future()
        loop.add_handler(listening, lambda fd, events: accepted.set_result(None), IOLoop.READ)
        os.write(ready[1], b"r")
        await accepted
        loop.remove_handler(listening)
        os.write(1, b"told\\n")
    loop.run_sync(main)

pids = [child(serve) for _ in range(3)]
for _ in pids:
    os.read(ready[0], 1)
with socket.create_connection(listening.getsockname()):
    wait(*pids)
listening.close()
loop.close()
""",
        "asyncio",
    )
    assert out == ["told"] * 3


def test_fork_inside_a_running_loop(loop_kind: str) -> None:
    """The child starts with a new loop; the parent's loop is not affected."""
    out = program(
        """
async def main():
    parents = IOLoop.current()
    read, write = os.pipe()
    future = parents.asyncio_loop.create_future()
    parents.add_handler(read, lambda fd, events: future.set_result(os.read(fd, 10)), IOLoop.READ)

    def in_child():
        assert IOLoop.current(instance=False) is None or sys.version_info < (3, 14)
        own = IOLoop.current()
        assert own is not parents and own.asyncio_loop is not parents.asyncio_loop
        own.run_sync(lambda: asyncio.sleep(0))
        own.close()
        async def again():
            assert IOLoop.current() is not parents
            return "child"
        print(asyncio.run(again()))
        os.write(write, b"parent")

    pid = child(in_child)
    print((await future).decode())
    wait(pid)
    parents.remove_handler(read)
    assert IOLoop.current() is parents

with asyncio.Runner(loop_factory=new_event_loop) as runner:
    runner.run(main())
""",
        loop_kind,
    )
    assert out == ["child", "parent"]


def test_selector_thread_in_a_child_can_be_closed() -> None:
    """The thread does not exist in the child, which neither waits for it nor disturbs the parent's thread."""
    out = program(
        """
from tornado.platform.asyncio import SelectorThread
async def main():
    loop = asyncio.get_running_loop()
    thread = SelectorThread(loop)
    read, write = os.pipe()
    future = loop.create_future()
    thread.add_reader(read, lambda: future.done() or future.set_result(os.read(read, 10)))
    pid = os.fork()
    if pid == 0:
        thread.close()
        os.write(write, b"read")
        os._exit(0)
    print((await future).decode())
    wait(pid)
    thread.close()
import warnings
with warnings.catch_warnings():
    # Python 3.12 and later warn about a fork in a process with several threads, as here.
    warnings.simplefilter("ignore", DeprecationWarning)
    asyncio.run(main())
""",
        "asyncio",
    )
    assert out == ["read"]


@pytest.mark.skipif(not hasattr(select, "epoll"), reason="needs epoll")
def test_child_gets_a_new_kernel_object() -> None:
    """The child keeps the registrations of its loop, and does not change those of its parent."""
    loop = loop_factory("asyncio")()
    ours, theirs = socket.socketpair()
    loop.add_reader(ours, loop.stop)
    of_parent = os.dup(selector(loop).fileno())
    _after_fork._replace_selector(loop)
    theirs.send(b"x")
    loop.run_forever()
    assert loop.remove_reader(ours)
    assert select.select([of_parent], [], [], 0)[0] == [of_parent]
    os.close(of_parent)
    loop.run_until_complete(loop.run_in_executor(None, str))
    loop.run_until_complete(loop.shutdown_default_executor())
    ours.close()
    theirs.close()
    loop.close()


def test_custom_selector_is_kept(clock: FakeClock) -> None:
    loop = clock.new_event_loop()
    before = selector(loop)
    _after_fork._replace_selector(loop)
    assert selector(loop) is before
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


def test_loop_created_by_current_look_up_works_in_each_child() -> None:
    """The look-up creates an asyncio loop without an IOLoop, which forked children must not share either."""
    out = program(
        """
assert IOLoop.current(instance=False) is None
read, write = os.pipe()

def use(name):
    loop = IOLoop.current()
    future = loop.asyncio_loop.create_future()
    loop.add_handler(read, lambda fd, events: future.set_result(os.read(fd, 1)), IOLoop.READ)
    os.write(write, name)
    print(loop.run_sync(lambda: future).decode())
    loop.close()

first_read, first_write = os.pipe()
def holding():
    IOLoop.current().add_handler(read, lambda fd, events: None, IOLoop.READ)
    os.write(first_write, b"registered")
    os.read(release_read, 1)
    IOLoop.current().remove_handler(read)
    IOLoop.current().close()

release_read, release_write = os.pipe()
pid = child(holding)
os.read(first_read, 10)
wait(child(use, b"2"))
os.write(release_write, b".")
wait(pid)
""",
        "asyncio",
    )
    assert out == ["2"]
