"""What becomes of event loops in a child process that is a fork.

The child has copies of all loops, but the kernel's objects under them are shared with the parent: what the
one registers with an epoll set the other is told of, or finds that it "exists" already.

* A loop that was idle may be used in the child, as when a program makes its loop and then forks into the
  background, or into several servers. One of asyncio's gets a selector of its own. With one of uvloop's that
  cannot be done: it serves only one of the processes, so fork first and make it then.
* A loop that was running when the child was forked runs on in the parent; in the child it never can. It is
  forgotten, so that `IOLoop.current` and `asyncio.run` begin anew there.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import selectors
import sys
from asyncio.selector_events import BaseSelectorEventLoop
from typing import Any

from tornado.ioloop import IOLoop, _loop_of_thread


def _after_in_child() -> None:
    for loop in {*IOLoop._ioloop_for_asyncio, *_loop_without_ioloop()}:
        if loop.is_running():
            _forget(loop)
        elif isinstance(loop, BaseSelectorEventLoop) and not loop.is_closed():
            _give_own_selector(loop)


def _loop_without_ioloop() -> list[asyncio.AbstractEventLoop]:
    """Return the asyncio loop of this thread, which a mere question for the current loop may have made.

    Python 3.12 and later leave a forked child without it. Nothing here may make one.
    """
    if sys.version_info >= (3, 12):
        return []
    found = getattr(getattr(asyncio.get_event_loop_policy(), "_local", None), "_loop", None)
    return [] if found is None else [found]


def _forget(loop: asyncio.AbstractEventLoop) -> None:
    IOLoop._ioloop_for_asyncio.pop(loop, None)
    # Later Pythons leave a forked child without a current loop.
    if sys.version_info < (3, 12) and _loop_of_thread() is loop:
        asyncio.set_event_loop(None)


def _give_own_selector(loop: Any) -> None:
    shared = loop._selector
    if type(shared).__module__ != selectors.__name__:
        return  # somebody's own; how to make another one is not for us to know
    own = loop._selector = type(shared)()
    for key in shared.get_map().values():
        own.register(key.fileobj, key.events, key.data)
    with contextlib.suppress(OSError):  # a kqueue does not even outlive the fork
        shared.close()
    # The pair of sockets by which other threads wake the loop is shared, too.
    loop._close_self_pipe()
    loop._make_self_pipe()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_in_child)
