"""The locks that prevent two generations on one address."""

from __future__ import annotations

import contextlib
import os
import socket
import sys

import pytest

from tornado._serve.service_lock import ServiceLock, ServiceRunningError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="abstract sockets exist on Linux only")


def address() -> str:
    """Return an address that no other test uses."""
    return f"test-{os.getpid()}-{os.urandom(4).hex()}:1"


def acquire(*names: str, timeout: float = 5.0) -> ServiceLock:
    """Return the locks of addresses."""
    lock = ServiceLock()
    lock.acquire(names, timeout=timeout)
    return lock


@contextlib.contextmanager
def ended_owner(name: str):
    """Yield a function that ends the use of a lock whose creator has ended and been reaped."""
    reading, writing = os.pipe()
    receiving, sending = os.pipe()
    owner = os.fork()
    if owner == 0:
        # The creator's child inherits the lock, as a worker does.
        lock = acquire(name)
        if os.fork() == 0:
            os.close(writing)
            os.write(sending, b"x")
            os.read(reading, 1)
        else:
            os.read(receiving, 1)
            os.write(sending, b"x")
        del lock
        os._exit(0)
    os.waitpid(owner, 0)
    os.read(receiving, 1)
    with os.fdopen(writing, "wb") as release:
        yield release.close
    for descriptor in (reading, receiving, sending):
        os.close(descriptor)


def test_address_of_a_running_process_is_refused():
    name = address()
    lock = acquire(name)
    for _ in range(3):
        with pytest.raises(ServiceRunningError, match=f"process {os.getpid()} serves it; stop that process"):
            acquire(name)
    lock.close()
    lock.close()
    acquire(name).close()


def test_address_is_free_when_the_last_worker_has_released_it():
    name = address()
    with ended_owner(name) as release:
        with pytest.raises(
            ServiceRunningError,
            match=r"supervisor \(process \d+\) has ended, but process \d+ \(.*\) still use it; end",
        ):
            acquire(name, timeout=0.0)
        release()
        acquire(name, timeout=60.0).close()


def test_failure_releases_the_other_addresses():
    first, second = address(), address()
    lock = acquire(second)
    with pytest.raises(ServiceRunningError):
        acquire(first, second)
    acquire(first).close()
    lock.close()


def test_shared_address_of_a_running_process_is_not_refused():
    name = address()
    first, second = acquire(name), ServiceLock()
    second.acquire([name], shared=True)
    assert second.descriptors() == []
    first.close()
    second.acquire([name], shared=True)
    assert len(second.descriptors()) == 1
    second.close()


def test_inherited_lock_keeps_the_address():
    name = address()
    lock = acquire(name)
    inherited = ServiceLock.inherit(map(os.dup, lock.descriptors()))
    lock.close()
    with pytest.raises(ServiceRunningError):
        acquire(name)
    inherited.close()
    acquire(name).close()


@contextlib.contextmanager
def bound_by_another_user(name: str, backlog: int | None, fills: bool = False):
    """Let another user bind the name of a lock.

    :param backlog: the queue of the socket; None if it does not listen.
    :param fills: whether the queue is full.
    """
    if os.getuid() != 0:
        pytest.skip("only root can become another user")
    path = f"\0waterspout/0/{name}"
    ready, sending = os.pipe()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writing)
        os.setuid(65534)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.bind(path)
        if backlog is not None:
            sock.listen(backlog)
        os.write(sending, b"x")
        os.read(reading, 1)
        os._exit(0)
    os.read(ready, 1)
    with contextlib.ExitStack() as stack:
        stack.callback(os.waitpid, child, 0)
        stack.callback(os.close, writing)
        for descriptor in (ready, sending, reading):
            stack.callback(os.close, descriptor)
        with contextlib.suppress(BlockingIOError):
            while fills:
                client = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
                client.setblocking(False)
                client.connect(path)
        yield


@pytest.mark.parametrize(("backlog", "fills"), [(1, False), (0, True), (None, False)])
@pytest.mark.parametrize("shared", [False, True])
def test_name_that_another_user_has_bound_is_ignored(expect_log, backlog, fills, shared):
    name = address()
    with bound_by_another_user(name, backlog, fills):
        lock = ServiceLock()
        with expect_log("tornado.general", f"another user|user 65534 .* of the lock of {name}"):
            lock.acquire([name], shared=shared, timeout=60.0)
        assert lock.descriptors() == []


def test_lock_whose_queue_another_process_has_filled_is_respected():
    name = address()
    lock = acquire(name)
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(BlockingIOError):
            while True:
                client = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
                client.setblocking(False)
                client.connect(f"\0waterspout/{os.getuid()}/{name}")
        with pytest.raises(ServiceRunningError, match=f"process {os.getpid()} serves it"):
            acquire(name)
    lock.close()
