"""``platform.twisted``: `TornadoReactor`, a reactor on an IOLoop; `TwistedIOLoop`, an IOLoop on a reactor.

Most of this module uses Twisted's asyncio reactor and asyncio's loop, which do not support an IOLoop on
another reactor, such as the default one of ``from twisted.internet import reactor``. `ReactorEventLoop` is an
asyncio loop for this case: the reactor watches the file descriptor of the loop's selector, and one loop
iteration runs each time this descriptor is readable, a timer is due or a callback has been added.
``reactor.run()`` therefore runs the reactor and the loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import selectors
import threading
from collections.abc import Callable
from typing import Any, TypeVarTuple

from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.error import ReactorAlreadyRunning
from twisted.internet.interfaces import IReadDescriptor
from zope.interface import implementer

from tornado._public_module_names import export
from tornado._tornado4.deprecation import deprecated
from tornado.ioloop import IOLoop
from tornado.platform.asyncio import AsyncIOLoop

_Ts = TypeVarTuple("_Ts")

__all__ = ["TornadoReactor", "TwistedIOLoop", "_TestReactor"]


class TornadoReactor(AsyncioSelectorReactor):
    """A Twisted reactor on an `.IOLoop`.

    :param io_loop: the loop; the current loop if None.

    ``reactor.run()`` and the loop's ``start()`` each run the reactor and the loop together. This reactor is
    not installed as Twisted's global reactor: pass it to the code that needs it, or call
    `tornado.platform.twisted.install`.

    Deprecated: `tornado.platform.twisted.install` makes Twisted's asyncio reactor the global reactor.
    """

    def __init__(self, io_loop: IOLoop | None = None) -> None:
        deprecated("TornadoReactor", "call tornado.platform.twisted.install() and import the reactor")
        loop: Any = io_loop or IOLoop.current()
        self._io_loop: IOLoop = loop
        super().__init__(loop.asyncio_loop)
        loop.add_callback(self._started_by_loop)

    def stop(self) -> None:
        """Fire the shutdown events and end the loop."""
        # AsyncioSelectorReactor.stop() is skipped, because it leaves a pending delayed call.
        super(AsyncioSelectorReactor, self).stop()
        self._io_loop.add_callback(self.runUntilCurrent)

    def _started_by_loop(self) -> None:
        """Fire the startup event if the loop was started directly, not by `run`."""
        if not self.running:
            with contextlib.suppress(ReactorAlreadyRunning):  # run() is waiting for a startup trigger
                self.startRunning(installSignalHandlers=False)


class _TestReactor(TornadoReactor):
    """A reactor on a new loop, for Twisted's tests of reactors."""

    def __init__(self) -> None:
        super().__init__(IOLoop())


class TwistedIOLoop(AsyncIOLoop):
    """An `.IOLoop` on a Twisted reactor.

    :param reactor: the reactor; Twisted's global reactor if None.

    ``start()`` runs the reactor, and ``reactor.run()`` also runs this loop. In callbacks of the reactor and
    of this loop, `IOLoop.current` returns this loop.

    Deprecated: `tornado.platform.twisted.install` installs a reactor on the loop of `IOLoop.current`.
    """

    def initialize(self, reactor: Any = None, **kwargs: Any) -> None:  # type: ignore[override]
        """Initialize the loop; ``kwargs`` are passed to `.IOLoop.initialize`."""
        deprecated("TwistedIOLoop", "call tornado.platform.twisted.install() and use IOLoop.current()")
        if reactor is None:
            from twisted.internet import reactor
        self.reactor: Any = reactor
        loop = ReactorEventLoop(reactor)
        try:
            super().initialize(asyncio_loop=loop, **kwargs)
        except BaseException:
            loop.close()
            raise


@implementer(IReadDescriptor)
class _SelectorReadDescriptor:
    """The reader through which a reactor watches the file descriptor of a `ReactorEventLoop`'s selector."""

    def __init__(self, descriptor: int, ready: Callable[[], None]) -> None:
        self._descriptor = descriptor
        self._ready = ready

    def fileno(self) -> int:
        return self._descriptor

    def doRead(self) -> None:
        self._ready()

    def connectionLost(self, reason: Any) -> None:
        """Do nothing, because the event loop closes its selector."""

    def logPrefix(self) -> str:
        return "asyncio"


class ReactorEventLoop(asyncio.SelectorEventLoop):
    """An asyncio event loop whose iterations are run by a reactor.

    :param reactor: a reactor that can watch file descriptors.
    :raises RuntimeError: on a platform whose selectors have no file descriptor (Windows).
    """

    def __init__(self, reactor: Any) -> None:
        selector = selectors.DefaultSelector()
        super().__init__(selector)
        descriptor = getattr(selector, "fileno", None)
        if descriptor is None:
            super().close()
            raise RuntimeError(
                "TwistedIOLoop requires epoll, kqueue or /dev/poll, which this platform does not support: "
                "call tornado.platform.twisted.install() instead"
            )
        self._reactor = reactor
        #: The reactor's delayed calls for the next iteration and for the earliest timer.
        self._next_call: Any = None
        self._timer_call: Any = None
        self._timer_due: float | None = None
        self._reader = _SelectorReadDescriptor(descriptor(), self._iterate)
        reactor.addReader(self._reader)

    def run_forever(self) -> None:
        """Run the reactor until `stop`, or the reactor's ``stop`` or ``crash``, is called."""
        main = threading.current_thread() is threading.main_thread()
        self._reactor.run(installSignalHandlers=main)

    def stop(self) -> None:
        """Make `run_forever` return after the callbacks that are due."""
        if self._reactor.running:
            self._reactor.crash()
        else:  # crash() fails if the reactor is not running
            self._reactor.callWhenRunning(self._reactor.callLater, 0, self._reactor.crash)

    def call_soon(
        self,
        callback: Callable[[*_Ts], object],
        *args: *_Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        handle = super().call_soon(callback, *args, context=context)
        if self._next_call is None:
            self._next_call = self._reactor.callLater(0, self._run_next_call)
        return handle

    def call_at(
        self,
        when: float,
        callback: Callable[[*_Ts], object],
        *args: *_Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        timer = super().call_at(when, callback, *args, context=context)
        self._set_timer()
        return timer

    def close(self) -> None:
        """Close the loop, and remove it from the reactor."""
        if not self.is_closed():
            self._reactor.removeReader(self._reader)
            for call in (self._next_call, self._timer_call):
                if call is not None and call.active():
                    call.cancel()
        super().close()

    def _run_next_call(self) -> None:
        self._next_call = None
        self._iterate()

    def _iterate(self) -> None:
        """Run one iteration without blocking."""
        # The reactor itself may run inside an asyncio loop.
        outer = asyncio._get_running_loop()
        asyncio._set_running_loop(None)
        try:
            # A loop that is stopped before it runs executes one iteration.
            super().stop()
            super().run_forever()
        finally:
            asyncio._set_running_loop(outer)
        self._set_timer()

    def _set_timer(self) -> None:
        """Schedule a call by the reactor for the time when the earliest timer is due."""
        timers: list[asyncio.TimerHandle] = self._scheduled  # type: ignore[attr-defined]
        due = timers[0].when() if timers else None
        call = self._timer_call
        if call is not None and call.active():
            if due == self._timer_due:
                return
            call.cancel()
        self._timer_due = due
        if due is not None:
            self._timer_call = self._reactor.callLater(max(0.0, due - self.time()), self._iterate)


export(globals(), module="tornado.platform.twisted")
