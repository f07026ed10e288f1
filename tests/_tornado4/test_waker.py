"""``platform.auto`` and ``platform.interface``: ``set_close_exec`` and wakers."""

from __future__ import annotations

import os
import select
import threading

import pytest

from tornado.platform import auto, interface

pytestmark = pytest.mark.filterwarnings("ignore:.*style of Tornado 4")


def test_set_close_exec_clears_inheritance() -> None:
    read, write = os.pipe()
    try:
        os.set_inheritable(read, True)
        with pytest.warns(DeprecationWarning, match=r"os\.set_inheritable"):
            auto.set_close_exec(read)
        assert not os.get_inheritable(read)
    finally:
        os.close(read)
        os.close(write)


def test_set_close_exec_of_a_closed_descriptor_raises() -> None:
    read, write = os.pipe()
    os.close(read)
    os.close(write)
    with pytest.raises(OSError):
        interface.set_close_exec(read)


def is_readable(waker: auto.Waker) -> bool:
    return select.select([waker.fileno()], [], [], 0)[0] != []


def test_waker_is_readable_from_wake_to_consume() -> None:
    waker = auto.Waker()
    try:
        assert isinstance(waker, interface.Waker)
        assert not is_readable(waker)
        waker.wake()
        waker.wake()
        assert is_readable(waker)
        waker.consume()
        assert not is_readable(waker)
        waker.consume()
        assert waker.write_fileno() != waker.fileno()
    finally:
        waker.close()


def test_waker_wakes_from_another_thread() -> None:
    waker = auto.Waker()
    try:
        thread = threading.Thread(target=waker.wake)
        thread.start()
        assert select.select([waker.fileno()], [], [], 10)[0] == [waker.fileno()]
        thread.join()
    finally:
        waker.close()


def test_wake_with_a_full_buffer_does_not_block_or_raise() -> None:
    waker = auto.Waker()
    try:
        with pytest.raises(BlockingIOError):
            while True:
                waker.writer.send(bytes(65536))
        waker.wake()
        waker.consume()
        assert not is_readable(waker)
    finally:
        waker.close()


def test_wake_after_close_is_ignored() -> None:
    waker = auto.Waker()
    waker.close()
    waker.wake()


def test_warning_names_replacement() -> None:
    with pytest.warns(DeprecationWarning, match="IOLoop.add_callback"):
        auto.Waker().close()


@pytest.mark.parametrize("method", ["fileno", "write_fileno", "wake", "consume", "close"])
def test_interface_is_abstract(method: str) -> None:
    with pytest.raises(NotImplementedError):
        getattr(interface.Waker(), method)()
