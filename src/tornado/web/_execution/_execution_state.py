"""The execution of a handler: the parts of its state that only some requests need.

Most handlers neither stream their body nor can be cancelled, so an `Execution` is created when it is first
needed. `tornado.web._execution._execute` runs the handler.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from tornado.concurrent import Future, future_set_result_unless_cancelled
from tornado.web._execution._response import ResponseOwner

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class Canceller(Protocol):
    """The interface of a `Cancellation`."""

    cause: Any

    @property
    def is_running(self) -> bool:
        """Whether the handler has a running coroutine that can be cancelled."""

    def handles(self, error: BaseException) -> bool:
        """Whether `error` was caused by this cancellation; if so, end the request."""

    def run_additional(self, part: Any) -> Any:
        """Return a coroutine that runs `part`, and is cancelled together with the handler."""

    def cancel_for_drain(self) -> None:
        """Cancel the tasks, because a drain of the server has ended the response."""

    def call_before_cancel(self, callback: Callable[[], None]) -> None:
        """Register `callback` to be called when the client disconnects, before the handler is cancelled."""


class Execution:
    """The state of one handler while its body is streamed or its coroutine can be cancelled.

    :ivar cancellation: the `Cancellation` of the handler, or None if it cannot be cancelled.
    :ivar prepared: a Future that is done when ``prepare`` is complete and the body may be delivered, or None
        if the body is not streamed.
    :ivar body: a Future that is done when the whole body has been passed to ``data_received``, or None.
    """

    __slots__ = ("body", "cancellation", "prepared")

    def __init__(self) -> None:
        self.cancellation: Canceller | None = None
        self.prepared: Future[None] | None = None
        self.body: Future[None] | None = None

    def release_body(self) -> None:
        """Start the delivery of the body to a streaming handler, after ``prepare``."""
        prepared = self.prepared
        if prepared is not None and not prepared.done():
            future_set_result_unless_cancelled(prepared, None)

    async def wait_for_body(self) -> None:
        """Wait until the whole body has been passed to ``data_received``.

        :raises Exception: the exception passed to `fail_body`.
        """
        body = self.body
        assert body is not None, "the handler streams its body"
        try:
            await body
        except BaseException:
            # The frames of the traceback refer to the handler: a reference cycle if the Future were kept.
            self.body = Future()
            self.body.set_result(None)
            raise
        finally:
            del body

    def fail_body(self, error: BaseException) -> bool:
        """Raise `error` in a handler that is waiting for the end of its body.

        :returns: False if the whole body has been received, or has failed already.
        """
        body = self.body
        assert body is not None, "the handler streams its body"
        if body.done():
            return False
        if isinstance(error, StopIteration):  # the only exception that a Future rejects
            error = RuntimeError("data_received() raised StopIteration").with_traceback(error.__traceback__)
        body.set_exception(error)
        body.exception()  # the handler may have finished without waiting for the body
        return True


class ExecutionOwner(ResponseOwner):
    """The base class of `RequestHandler` that holds its execution; see `execution_of`."""

    _own_execution: Execution | None = None
    _stream_request_body = False

    if TYPE_CHECKING:
        # Names of Tornado that programs override or wrap; defined by `RequestHandler`.
        _execute: Callable[..., Awaitable[None]]
        _handle_request_exception: Callable[[BaseException], None]
        _before_body: Callable[[], None]
        _after_body: Callable[[], Awaitable[None] | None]
        _load_session: Callable[[], Any]
        _send_minimal_error: Callable[[], bool]
        # Used by `tornado.web._execution._execute`; programs override most of these.
        SUPPORTED_METHODS: tuple[str, ...]
        path_args: list[str]
        path_kwargs: dict[str, str]
        decode_argument: Callable[..., str]
        prepare: Callable[[], Any]
        get: Callable[..., Any]
        log_exception: Callable[..., None]

    @property
    def _cancellation(self) -> Canceller | None:
        execution = self._own_execution
        return None if execution is None else execution.cancellation

    @property
    def _prepared_future(self) -> Future[None] | None:
        execution = self._own_execution
        return None if execution is None else execution.prepared

    @_prepared_future.setter
    def _prepared_future(self, prepared: Future[None] | None) -> None:
        execution_of(self).prepared = prepared


def execution_of(handler: ExecutionOwner) -> Execution:
    """Return the execution of a handler, creating it on the first call."""
    execution = handler._own_execution
    if execution is None:
        execution = handler._own_execution = Execution()
    return execution


def cancellation_of(handler: ExecutionOwner) -> Canceller | None:
    """Return the cancellation of a handler, or None if it cannot be cancelled."""
    return handler._cancellation


def release_body(handler: ExecutionOwner) -> None:
    """Start the delivery of the body to a streaming handler, after ``prepare``."""
    execution = handler._own_execution
    if execution is not None:
        execution.release_body()


def streams_body(cls: type[ExecutionOwner]) -> bool:
    """Whether handlers of a class receive their body in parts; see `stream_request_body`."""
    return cls._stream_request_body


# -- hooks of the handler with names of Tornado, which programs override --


def begin_body(handler: ExecutionOwner) -> None:
    """Handle the end of ``prepare`` in a handler that streams its body."""
    handler._before_body()


def end_body(handler: ExecutionOwner) -> Awaitable[None] | None:
    """Handle the end of the body in a handler that streams it."""
    return handler._after_body()


def execute(handler: ExecutionOwner, transforms: list[Any], path_args: Any, path_kwargs: Any) -> Any:
    """Return a coroutine that runs the handler."""
    return handler._execute(transforms, *path_args, **path_kwargs)


def loading_of(handler: ExecutionOwner) -> Any:
    """Return a coroutine that loads a handler's session, or None if it need not be loaded."""
    return handler._load_session()


def handle_error(handler: ExecutionOwner, error: BaseException) -> None:
    """Log an exception of a handler, and send an error page if this is possible."""
    handler._handle_request_exception(error)


def send_minimal_error(handler: ExecutionOwner) -> bool:
    """Send a constant error page; return False if the head of a response has been sent."""
    return handler._send_minimal_error()


__all__ = [
    "Canceller",
    "Execution",
    "ExecutionOwner",
    "begin_body",
    "cancellation_of",
    "end_body",
    "execute",
    "execution_of",
    "handle_error",
    "loading_of",
    "release_body",
    "send_minimal_error",
    "streams_body",
]
