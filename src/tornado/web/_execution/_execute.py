"""Execution of a request handler: checks, ``prepare``, the HTTP method, the end of the response, and errors.

`start` runs the handler as far as possible without a coroutine. If no step of the handler is asynchronous,
the request is complete when `start` returns. Otherwise `start` returns a coroutine for the remaining steps,
which the caller runs in a task.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
import types
from collections.abc import Coroutine, Generator
from typing import TYPE_CHECKING, Any, cast

from tornado import gen, httputil
from tornado._loop.tasks import keep_reference
from tornado._wire.headers import InvalidHeader
from tornado.concurrent import (
    Future,
    chain_future,
    future_add_done_callback,
    future_set_result_unless_cancelled,
)
from tornado.iostream import StreamClosedError
from tornado.log import app_log
from tornado.web._errors import Finish, HTTPError, InvalidBodyError
from tornado.web._execution import _return_value_checks
from tornado.web._execution._bypassed_methods import FINISH
from tornado.web._execution._execution_state import (
    ExecutionOwner,
    begin_body,
    cancellation_of,
    end_body,
    execution_of,
    handle_error,
    release_body,
    send_minimal_error,
    streams_body,
)
from tornado.web._execution._response import Response, response_of
from tornado.web._security import _xsrf

if TYPE_CHECKING:
    from tornado.web._interfaces import HandlerInterface

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_VERBS = {verb.upper(): verb for verb in ("get", "head", "post", "delete", "patch", "put", "options")}

Rest = Coroutine[Any, Any, None]


class ClientDisconnectedError(StreamClosedError):
    """Raised while a body is streamed to a handler whose client has disconnected.

    It is a separate class because a program may raise the parent class for another stream; in that case, an
    error page is sent.
    """


class FastPathAwaitable:
    """A substitute for the coroutine of an HTTP method that may be able to respond without a coroutine.

    No code runs until this object is awaited or `start` calls `respond_now`. It has the methods of a
    coroutine, so that `asyncio.create_task` and similar functions accept it.
    """

    __slots__ = ("_coroutine",)
    _coroutine: Rest

    def respond_now(self) -> bool:
        """Send the complete response synchronously.

        :returns: False if this is impossible without the coroutine.
        """
        raise NotImplementedError

    def coroutine(self) -> Rest:
        """Return a coroutine that does the work of the method, except for finishing the response."""
        raise NotImplementedError

    def once(self) -> Rest:
        """Return the same coroutine on each call, so that a second `await` fails as for any coroutine."""
        try:
            return self._coroutine
        except AttributeError:
            coroutine = self._coroutine = self.coroutine()
            return coroutine

    def __await__(self) -> Generator[Any, Any, None]:
        return self.once().__await__()

    def send(self, value: Any) -> Any:
        """Resume the coroutine until it waits again."""
        return self.once().send(value)

    def throw(self, *error: Any) -> Any:
        """Resume the coroutine with an exception."""
        return self.once().throw(*error)

    def close(self) -> None:
        """Close the coroutine, which raises `GeneratorExit` where it waits."""
        self.once().close()


def start(
    handler: ExecutionOwner,
    transforms: list[Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any] | None,
    streams: bool = False,
) -> Rest | None:
    """Run a request up to its first asynchronous step.

    :param streams: whether the body is passed to ``data_received`` in parts.
    :returns: a coroutine for the remaining steps, or None if the request is complete.
    """
    response = response_of(handler)
    response.transforms = transforms
    request = handler.request
    try:
        method = request.method
        if method not in handler.SUPPORTED_METHODS:
            raise HTTPError(405)
        if not args:
            handler.path_args = []
        elif len(args) == 1:
            handler.path_args = [handler.decode_argument(args[0])]
        else:
            handler.path_args = [handler.decode_argument(arg) for arg in args]
        handler.path_kwargs = (
            {name: handler.decode_argument(value, name=name) for name, value in kwargs.items()}
            if kwargs
            else {}
        )
        if method != "GET" and method not in _SAFE_METHODS:
            _check_unsafe(handler)
        result: Any = handler.prepare()
        if result is not None or streams:
            return _from_prepare(handler, result)
        if response.state.ended:
            return None
        path_args = handler.path_args
        if request.method == "GET" and len(path_args) < 2 and not handler.path_kwargs:
            # In CPython a direct call costs a third of getattr() and a call.
            result = handler.get(path_args[0]) if path_args else handler.get()
        else:
            result = _call_method(handler)
        if result is not None:
            if type(result) is not types.CoroutineType:
                result = _awaitable_or_none(handler, result)
            return None if result is None else _from_method(handler, response, result)
        if response.auto_finish and not response.state.ended:
            if type(handler).finish is not FINISH.originals or not response.finish_fast(
                handler, request._start_time
            ):
                _finish_slowly(handler, response)
    except (Exception, asyncio.CancelledError) as error:
        try:
            handle_in_task(handler, error)
        finally:
            release_body(handler)
    return None


def _call_method(handler: ExecutionOwner) -> Any:
    """Call the method for the request's HTTP method, which ``prepare`` may have changed."""
    method: str = handler.request.method
    verb = getattr(handler, _VERBS.get(method) or method.lower())
    return verb(*handler.path_args, **handler.path_kwargs)


def _awaitable_or_none(handler: ExecutionOwner, result: Any) -> Any:
    """Return an awaitable for the result of an HTTP method, or None if it has responded without one."""
    if isinstance(result, FastPathAwaitable) and result.respond_now():
        return None
    return _checked_awaitable(handler, result)


def _check_unsafe(handler: Any) -> None:
    """Check a state-changing request before any code of the program runs."""
    request = handler.request
    if not streams_body(type(handler)) and isinstance(request, httputil.HTTPServerRequest) and request.body:
        request.save_form()
    _xsrf.check_request(handler)


async def _from_prepare(handler: ExecutionOwner, prepared: Any) -> None:
    try:
        if prepared is not None:
            value = await _checked_awaitable(handler, prepared, "prepare")
            if value is not None:
                _return_value_checks.check(handler, "prepare", prepared, value)
        response = response_of(handler)
        if not await _receive_body(handler, response):
            return
        result = _call_method(handler)
        if result is not None:
            awaitable = _awaitable_or_none(handler, result)
            if awaitable is None:
                return
            value = await awaitable
            if value is not None:
                _return_value_checks.check(handler, None, result, value)
        if response.auto_finish and not response.state.ended:
            _ = handler.finish()
    except (Exception, asyncio.CancelledError) as error:
        handle_in_task(handler, error)
    finally:
        release_body(handler)
        result = prepared = value = awaitable = None


async def _receive_body(handler: ExecutionOwner, response: Response) -> bool:
    """Let the body be delivered after ``prepare``, and wait for its end if the handler streams it.

    :returns: False if the HTTP method is not called, because the response or the connection has ended.
    """
    streams = streams_body(type(handler))
    if streams and not response.state.ended:
        begin_body(handler)
    release_body(handler)
    if response.is_finished or not streams:
        return not response.is_finished
    # The method runs after the whole body has been passed to data_received.
    try:
        await execution_of(handler).wait_for_body()
    except ClientDisconnectedError:
        return False
    ending = end_body(handler)
    if ending is not None:
        await ending
    return not response.state.ended


async def _from_method(handler: ExecutionOwner, response: Response, result: Any) -> None:
    try:
        value = await result
        if value is not None:
            _return_value_checks.check(handler, None, result, value)
        if response.auto_finish and not response.state.ended:
            if type(handler).finish is not FINISH.originals or not response.finish_fast(handler):
                _finish_slowly(handler, response)
    except (Exception, asyncio.CancelledError) as error:
        handle_in_task(handler, error)


# -- finish --


def finish(handler: ExecutionOwner, response: Response) -> Future[None]:
    """Complete the response of a handler after its body has been written.

    :returns: the Future of the last ``flush``.
    """
    if response.finish_fast(handler):
        connection: Any = handler.request.connection
        return connection.response_future()  # type: ignore[no-any-return]
    return _finish_stepwise(handler, response)


def _finish_slowly(handler: ExecutionOwner, response: Response) -> None:
    """Complete a response for which the fast path cannot be used."""
    if FINISH.are_original_on(handler):
        _ = _finish_stepwise(handler, response)
    else:
        _ = handler.finish()


def _finish_stepwise(handler: ExecutionOwner, response: Response) -> Future[None]:
    """Complete a response by calling the hooks of the handler.

    :returns: the Future of the last ``flush``.
    """
    saving = response.complete(handler)
    if saving is None:
        return response.send(handler)
    complete = response.hold(handler)
    done: Future[None] = Future()
    future_add_done_callback(done, _mark_retrieved)
    _ = keep_reference(asyncio.ensure_future(_finish_saved(handler, response, saving, complete, done)))
    return done


async def _finish_saved(
    handler: ExecutionOwner, response: Response, saving: Rest, complete: Any, done: Future[None]
) -> None:
    """Send the response, which is otherwise complete, after its session has been saved."""
    try:
        try:
            await saving
        finally:
            response.restore(complete)
        chain_future(response.send(handler), done)
    # A store may also raise CancelledError, and the client needs a response.
    except BaseException as error:
        try:
            handle_in_task(handler, error)
        finally:
            future_set_result_unless_cancelled(done, None)
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            raise


def _mark_retrieved(future: Future[None]) -> None:
    """Mark the exception of a response as retrieved: a disconnected client is not an error of the handler."""
    if not future.cancelled():
        future.exception()


def _awaitable(value: Any) -> Any:
    if isinstance(value, FastPathAwaitable):
        return value.once()
    return value if inspect.iscoroutine(value) else gen.convert_yielded(value)


def _checked_awaitable(handler: ExecutionOwner, value: Any, name: str | None = None) -> Any:
    """Return an awaitable for the return value of a method, or explain why it cannot be awaited.

    :param name: the method's name; None for the method named after the request's HTTP method.
    :raises TypeError: if the value is not an awaitable, for example because the method returned a response
        body.
    """
    if isinstance(value, (str, bytes, dict)) or (isinstance(value, list) and not value):
        raise TypeError(_return_value_checks.problem(handler, name, value))
    generator: Any = value if type(value) is types.GeneratorType else None
    if generator is not None and not inspect.isawaitable(generator):
        raise TypeError(_return_value_checks.problem(handler, name, value))
    try:
        return _awaitable(value)
    except gen.BadYieldError:
        raise TypeError(_return_value_checks.problem(handler, name, value)) from None


def handle_in_task(handler: ExecutionOwner, error: BaseException) -> None:
    """Handle an exception as `handle_exception` does, or the cancellation of the request's task."""
    cancellation = cancellation_of(handler)
    if cancellation is not None and cancellation.handles(error):
        return
    task = asyncio.current_task()
    if not isinstance(error, asyncio.CancelledError) or task is None or not task.cancelling():
        handle_error(handler, error)
        return
    # The code that cancelled the task knows the reason: log nothing, and let the task end as cancelled.
    if not response_of(handler).state.ended:
        parameters = getattr(handler.request.connection, "params", None)
        code = 500 if getattr(parameters, "drain", None) is None else 503
        _send_error(handler, code, (type(error), error, error.__traceback__))
    raise error


def handle_exception(handler: ExecutionOwner, error: BaseException) -> None:
    """Log an exception of a handler, and send an error page unless the head of the response has been sent."""
    if isinstance(error, Finish):
        if not response_of(handler).state.ended:
            _ = handler.finish(*error.args)
        return
    if isinstance(error, httputil.HTTPInputError) and not isinstance(error, InvalidHeader):
        # The body was malformed, which was detected when the handler first accessed an argument: a client
        # error. InvalidHeader concerns header fields that the program set.
        fault = error
        error = InvalidBodyError("%s", fault, status_code=fault.status_code)
        error.__cause__ = fault
    if type(error) is TypeError:
        from tornado.web._dispatch import _path_argument_checks  # late: few programs need it

        _path_argument_checks.explain(cast("HandlerInterface", handler), error)
    exc_info = (type(error), error, error.__traceback__) if error is not sys.exc_info()[1] else sys.exc_info()
    try:
        handler.log_exception(*exc_info)
    except Exception:
        app_log.error("Error in exception logger", exc_info=True)
    if response_of(handler).state.ended:
        return  # the exception has been logged, and the response is complete
    _send_error(handler, error.status_code if isinstance(error, HTTPError) else 500, exc_info)


def _send_error(handler: ExecutionOwner, code: int, exc_info: Any) -> None:
    try:
        handler.send_error(code, exc_info=exc_info)
    except StreamClosedError:
        pass
    except Exception:
        if not send_minimal_error(handler):
            raise
