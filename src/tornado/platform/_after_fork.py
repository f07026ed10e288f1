"""Handling of event loops in forked child processes.

A forked child has copies of all event loops, but shares their kernel objects with the parent: events of a
descriptor that one process registers with an epoll instance are also reported to the other, and the other
cannot register the same descriptor again.

* A loop that was idle may be used in the child, for example if a program creates its loop and then forks into
  the background or into several servers. In the child, a loop of asyncio receives a new selector. This is
  impossible for a loop of uvloop, which works in only one of the processes: fork before creating it.
* A loop that was running during the fork keeps running in the parent, but can never run in the child. In the
  child it is removed, so that `IOLoop.current` and `asyncio.run` create a new loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import selectors
import sys
from asyncio.selector_events import BaseSelectorEventLoop
from typing import Any

from tornado._loop.epoll import abandon_watcher, replace_epoll
from tornado.ioloop import _loop_of_thread, ioloop_registry


def _after_in_child() -> None:
    for loop in {*ioloop_registry(), *_loop_without_ioloop()}:
        if loop.is_running():
            _remove_loop(loop)
            abandon_watcher(loop)
        elif isinstance(loop, BaseSelectorEventLoop) and not loop.is_closed():
            replace_epoll(loop)
            _replace_selector(loop)


def _loop_without_ioloop() -> list[asyncio.AbstractEventLoop]:
    """Return the asyncio loop of this thread, which may exist without an IOLoop.

    `asyncio.get_event_loop` could create a loop, so it is not used. Python 3.12 and later remove the loop in
    a forked child.
    """
    if sys.version_info >= (3, 12):
        return []
    found = getattr(getattr(asyncio.get_event_loop_policy(), "_local", None), "_loop", None)
    return [] if found is None else [found]


def _remove_loop(loop: asyncio.AbstractEventLoop) -> None:
    ioloop_registry().pop(loop, None)
    # Python 3.12 and later leave a forked child without a current loop.
    if sys.version_info < (3, 12) and _loop_of_thread() is loop:
        asyncio.set_event_loop(None)


def _replace_selector(loop: Any) -> None:
    """Give the selector of an idle loop a new kernel object, with the same registrations.

    asyncio has no public functions for this. Its private attributes are used here only.
    """
    selector: selectors.BaseSelector = loop._selector
    if type(selector).__module__ != selectors.__name__:
        return  # the selector's class belongs to the program and may require arguments
    registered = list(selector.get_map().values())
    with contextlib.suppress(OSError):  # a kqueue is not inherited by the child
        selector.close()
    type(selector).__init__(selector)
    for key in registered:
        selector.register(key.fileobj, key.events, key.data)
    # The socket pair with which other threads wake the loop is shared, too.
    loop._close_self_pipe()
    loop._make_self_pipe()


if sys.platform != "win32" and hasattr(os, "register_at_fork"):  # Pyodide and WASI do not have it
    os.register_at_fork(after_in_child=_after_in_child)
