"""The locks that prevent two generations on one address."""

from __future__ import annotations

import contextlib
import os
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
        with pytest.raises(ServiceRunningError, match="workers of process .*, which has ended"):
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
