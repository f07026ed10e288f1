"""The internals of `tornado.platform`, and of event loops, that tests access."""

from __future__ import annotations

import select
import threading
from collections.abc import Callable
from typing import Any

import pytest


def selector(loop: Any) -> Any:
    """Return the selector of an asyncio loop."""
    return loop._selector


def epoll_of(watcher: Any) -> select.epoll:
    """Return the epoll object of an EpollWatcher."""
    found: select.epoll = watcher._epoll
    return found


def ready_callback(watcher: Any) -> Callable[[], None]:
    """Return the function that an EpollWatcher passes to its loop."""
    found: Callable[[], None] = watcher._call_ready
    return found


def selector_thread(thread: Any) -> threading.Thread:
    """Return the thread of a SelectorThread, or of a loop that has one."""
    found: threading.Thread = getattr(thread, "_selector", thread)._thread
    return found


def is_closed(thread: Any) -> bool:
    """Whether a SelectorThread is closed."""
    closed: bool = thread._closed
    return closed


def waker_descriptor(thread: Any) -> int:
    """Return the descriptor that wakes a SelectorThread, -1 if it is closed."""
    number: int = thread._waker_r.fileno()
    return number


def registered_readers(thread: Any) -> dict[int, Any]:
    """Return the readers of a SelectorThread by descriptor."""
    readers: dict[int, Any] = thread._readers
    return readers


def has_timer(resolver: Any) -> bool:
    """Whether a CaresResolver has a timer."""
    return resolver._timer is not None


def watch_late(resolver: Any, channel: Any, number: int) -> None:
    """Report to a CaresResolver that a channel no longer uses a descriptor."""
    resolver._watch(channel, number, False, False)


def set_options(resolver: Any, options: dict[str, Any]) -> None:
    """Set the options of the channels that a CaresResolver creates."""
    resolver._options = options


def twisted_client(resolver: Any, loop: Any) -> Any:
    """Return the client that a TwistedResolver uses in a loop."""
    return resolver._client_for(loop)


def replace_twisted_client(monkeypatch: pytest.MonkeyPatch, resolver: Any, client: Any) -> None:
    """Make a TwistedResolver use ``client`` in every loop."""
    monkeypatch.setattr(resolver, "_client_for", lambda loop: client)
