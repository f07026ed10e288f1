"""Cancellation of waiting handlers, when the client disconnects or a time limit is exceeded.

Both kinds of cancellation are disabled by default; an application or a handler class enables them
(``cancel_on_disconnect``, ``handler_timeout``). Only handlers that suspend can be cancelled. A `Cancellation`
wraps the coroutine that runs the remaining steps of a request. It is notified when the client disconnects,
and registers a deadline with the scheduler of the loop (one timer for all deadlines, see
`tornado._loop.deadlines`). In either case it cancels the task of the handler, so that
`asyncio.CancelledError` is raised where the handler waits.
``finally`` blocks run, and awaitables under `asyncio.shield` continue. A handler may catch the error and
finish its response.

A coroutine of `.gen.coroutine` is not a task, and cancelling its Future would leave its generator waiting. In
this case the awaitable on which the generator waits is cancelled, as in a task.
"""

from __future__ import annotations

import asyncio
import enum
import inspect
import os
import traceback
import weakref
from collections.abc import Callable, Coroutine
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol

from tornado._loop.deadlines import NEVER, scheduler_of
from tornado.httputil._server_exchange import ServerExchange
from tornado.iostream import StreamClosedError
from tornado.log import app_log, gen_log
from tornado.web._execution._client_disconnect import CLIENT_CLOSED_REQUEST, abandon
from tornado.web._execution._execution_state import execution_of
from tornado.web._execution._response import request_summary, response_of

if TYPE_CHECKING:
    from tornado.web._execution._response import ResponseOwner
    from tornado.web._interfaces import ApplicationInterface

_SCHEDULER_NAME = "_tornado_cancellations"
_OWN = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))) + os.sep
_LIBRARY = os.path.dirname(os.__file__) + os.sep


class CancellableClass(Protocol):
    """The attributes of a handler class that enable cancellation; see docs/reference/settings.md."""

    cancel_on_disconnect: bool | None
    handler_timeout: float | None


class CancelReason(enum.Enum):
    """Why a handler was cancelled."""

    GONE = 1
    TIMEOUT = 2
    DRAIN = 3


#: The exceptions that a cancelled handler may raise. If a handler writes to a disconnected client, the write
#: may fail before the task is cancelled.
_CONSEQUENCES: dict[CancelReason, tuple[type[BaseException], ...]] = {
    CancelReason.GONE: (asyncio.CancelledError, StreamClosedError),
    CancelReason.TIMEOUT: (asyncio.CancelledError,),
    CancelReason.DRAIN: (asyncio.CancelledError, StreamClosedError),
}


def settings_of(
    application: ApplicationInterface, handler_class: type[CancellableClass]
) -> tuple[bool, float]:
    """Return whether handlers of a class are cancelled on disconnect, and their time limit in seconds (0:
    none).

    :raises ValueError: if a setting has an invalid value; the message names the setting and the class.
    """
    cancels = handler_class.cancel_on_disconnect
    if cancels is None:
        cancels = application.settings.get("cancel_on_disconnect", False)
    timeout = handler_class.handler_timeout
    if timeout is None:
        timeout = application.settings.get("handler_timeout") or 0.0
    if not isinstance(cancels, int) or cancels not in (True, False):
        raise ValueError(
            f"cancel_on_disconnect of {handler_class.__name__} must be true or false, got {cancels!r}"
        )
    if not isinstance(timeout, (int, float)) or isinstance(timeout, bool) or not timeout >= 0:
        raise ValueError(
            f"handler_timeout of {handler_class.__name__} must be a number of seconds, or 0 for no limit, "
            f"got {timeout!r}"
        )
    return bool(cancels), timeout


def is_enabled(application: ApplicationInterface, handler_class: type[CancellableClass]) -> bool:
    """Whether the settings or attributes of this class enable cancellation."""
    return settings_of(application, handler_class) != (False, 0)


def wrap(handler: Any, rest: Any) -> Any:
    """Return a coroutine that runs `rest`, the remaining steps of the request, with the cancellation that the
    class has enabled.
    """
    cancels, timeout = settings_of(handler.application, type(handler))
    if not (cancels or timeout) or not inspect.iscoroutine(rest):
        return rest
    cancellation = Cancellation(handler, cancels, timeout)
    execution_of(handler).cancellation = cancellation
    return cancellation.run(rest)


class Cancellation:
    """Cancels the tasks of one handler when its client disconnects or its time limit is exceeded.

    The reference to the handler is weak, because the handler has a reference to this object. The tasks keep
    the handler alive.

    :ivar cause: why the tasks were cancelled, or None if they were not.
    """

    __slots__ = (
        "_cancelled",
        "_cancels",
        "_handler_ref",
        "_inner",
        "_tasks",
        "_timeout",
        "cause",
        "deadline",
    )

    def __init__(self, handler: ResponseOwner, cancels: bool, timeout: float) -> None:
        self.cause: CancelReason | None = None
        self._handler_ref = weakref.ref(handler)
        self._cancels = cancels
        self._timeout = timeout
        self.deadline = NEVER
        self._tasks: list[asyncio.Task[Any]] = []
        self._cancelled: set[asyncio.Task[Any]] = set()
        self._inner: Any = None

    @property
    def _handler(self) -> ResponseOwner:
        handler = self._handler_ref()
        assert handler is not None, "the handler exists while its tasks run"
        return handler

    async def run(self, rest: Coroutine[Any, Any, None]) -> None:
        """Run the rest of the request, and cancel it if necessary."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.append(task)
        connection: Any = self._handler.request.connection
        watch = scheduler_of(task.get_loop(), _SCHEDULER_NAME)
        if self._cancels:
            self._listen(connection)
        if self._timeout:
            watch.add(self, task.get_loop())
            watch.set(self, monotonic(), self._timeout)
        try:
            await rest
        except (asyncio.CancelledError, StreamClosedError) as error:
            if not self.handles(error):  # the error was not caused by this cancellation
                raise
        finally:
            self._tasks.remove(task)
            self.deadline = NEVER
            watch.discard(self)
            if self._cancels:
                self._stop_listening(connection)

    async def run_additional(self, part: Any) -> None:
        """Run the coroutine of ``data_received``, and cancel it together with the handler."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.append(task)
        try:
            await part
        except asyncio.CancelledError:
            if self.cause is None:
                raise
            self._uncancel(task)
        finally:
            self._tasks.remove(task)

    # -- client disconnect --

    @property
    def is_running(self) -> bool:
        """Whether the handler has a running coroutine that can be cancelled."""
        return bool(self._tasks)

    def call_before_cancel(self, callback: Callable[[], None]) -> None:
        """Register `callback` to be called when the client disconnects, before the handler is cancelled."""
        if self._cancels:
            self._inner = callback
        else:
            connection: Any = self._handler.request.connection
            connection.set_close_callback(callback)

    def _listen(self, connection: Any) -> None:
        # The existing close callback is called first: on_connection_close, or one that the handler has set.
        if isinstance(connection, ServerExchange):
            self._inner = connection.close_callback
            connection.half_close_disconnects = True
        else:
            self._inner = self._handler.on_connection_close
        connection.set_close_callback(self._gone)

    def _stop_listening(self, connection: Any) -> None:
        """Restore the handler's close callback, as the handler may continue without a coroutine."""
        if isinstance(connection, ServerExchange):
            connection.half_close_disconnects = False
            if connection.close_callback == self._gone:
                connection.set_close_callback(self._inner)
        self._inner = None

    def _gone(self) -> None:
        inner, self._inner = self._inner, None
        try:
            if inner is not None:
                inner()
        finally:
            self._cancel(CancelReason.GONE)

    # -- timeout --

    def deadline_passed(self) -> None:
        handler = self._handler
        connection: Any = handler.request.connection
        # The limit applies to the response. A detached connection (a WebSocket) has no limit.
        if not response_of(handler).state.ended and not getattr(connection, "is_detached", False):
            self._cancel(CancelReason.TIMEOUT)

    def cancel_for_drain(self) -> None:
        """Cancel the tasks, because a drain of the server has ended the response."""
        self._cancel(CancelReason.DRAIN)

    # -- cancelling the tasks --

    def _cancel(self, cause: CancelReason) -> None:
        if self.cause is not None:
            return
        self.cause = cause
        for task in list(self._tasks):
            if not _cancel_generator(task):
                self._cancelled.add(task)
                task.cancel()

    def _uncancel(self, task: asyncio.Task[Any]) -> None:
        if task in self._cancelled:
            self._cancelled.discard(task)
            task.uncancel()

    def handles(self, error: BaseException) -> bool:
        """Whether `error` was caused by this cancellation; if so, end the request."""
        if self.cause is None or not isinstance(error, _CONSEQUENCES[self.cause]):
            return False
        task = asyncio.current_task()
        if task is not None:
            self._uncancel(task)
            if task.cancelling():
                return False
        if self.cause is CancelReason.GONE:
            abandon(self._handler)
        elif not response_of(self._handler).state.ended:
            self._send_timeout_error(error)
        return True

    def _send_timeout_error(self, error: BaseException) -> None:
        handler: Any = self._handler
        response = response_of(handler)
        begun = response.state.head_sent
        app_log.warning(
            "%s took longer than its handler_timeout of %g s: %s%s%s",
            type(handler).__name__,
            self._timeout,
            request_summary(handler),
            _waiting_place(error),
            "; its response was cut off" if begun else "",
        )
        if not begun:
            # The traceback shows where the handler waited; the error page shows it during development.
            details: dict[str, Any] = {}
            if handler.settings.get("serve_traceback"):
                details["exc_info"] = (type(error), error, error.__traceback__)
            handler.send_error(503, **details)
            return
        try:
            response.truncate(handler)
        except Exception:
            gen_log.error("Failed to flush partial response", exc_info=True)


def _waiting_place(error: BaseException) -> str:
    """Return the place where a cancelled handler was waiting: the innermost frame outside of this package and
    the standard library.
    """
    place = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        code = frame.f_code
        path = code.co_filename
        if not path.startswith(_OWN) and (not path.startswith(_LIBRARY) or "-packages" in path):
            place = f"; it was waiting at {path}:{line} in {code.co_name}"
    return place


def _cancel_generator(task: asyncio.Task[Any]) -> bool:
    """Cancel the awaitable of the innermost generator coroutine on which a task waits, if there is one."""
    runner = getattr(getattr(task, "_fut_waiter", None), "_runner", None)
    if runner is None:
        return False
    while True:
        inner = getattr(runner.future, "_runner", None)
        if inner is None:
            break
        runner = inner
    if runner.running:
        return False
    error = asyncio.CancelledError()
    cancel = getattr(runner.future, "cancel", None)  # gen.moment has no such method
    if cancel is None or not cancel():
        runner.handle_exception(type(error), error, None)
    return True


__all__ = ["CLIENT_CLOSED_REQUEST", "CancelReason", "Cancellation", "is_enabled", "settings_of", "wrap"]
