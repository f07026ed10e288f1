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
from typing import TYPE_CHECKING, Any

from tornado import gen, httputil
from tornado._wire.headers import InvalidHeader
from tornado.concurrent import Future, future_set_result_unless_cancelled
from tornado.iostream import StreamClosedError
from tornado.log import app_log
from tornado.web import _response, _return_value_checks, _xsrf
from tornado.web._errors import Finish, HTTPError, InvalidBodyError

if TYPE_CHECKING:
    from tornado.web._handler import RequestHandler

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_VERBS = {verb.upper(): verb for verb in ("get", "head", "post", "delete", "patch", "put", "options")}

#: `RequestHandler.finish`, set by the module of that class. If a subclass overrides the method, the fast path
#: is not used.
FINISH: Any = None

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
    handler: RequestHandler,
    transforms: list[Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any] | None,
    streams: bool = False,
) -> Rest | None:
    """Run a request up to its first asynchronous step.

    :param streams: whether the body is passed to ``data_received`` in parts.
    :returns: a coroutine for the remaining steps, or None if the request is complete.
    """
    if transforms:
        handler._transforms = transforms
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
        if method not in _SAFE_METHODS:
            _check_unsafe(handler)
        result: Any = handler.prepare()
        if result is not None or streams:
            return _from_prepare(handler, result)
        if handler._finished:
            return None
        method = request.method  # prepare() may have changed it
        path_args, path_kwargs = handler.path_args, handler.path_kwargs
        if method == "GET" and not path_args and not path_kwargs:
            result = handler.get()  # in CPython a direct call costs a third of getattr() and a call
        else:
            verb = getattr(handler, _VERBS.get(method) or method.lower())
            result = verb(*path_args, **path_kwargs)
        if result is not None:
            if type(result) is not types.CoroutineType:
                if isinstance(result, FastPathAwaitable) and result.respond_now():
                    return None
                result = _checked_awaitable(handler, result)
            return _from_method(handler, result)
        if handler._auto_finish and not handler._finished:
            if type(handler).finish is not FINISH:
                _ = handler.finish()
            elif not _response.finish_fast(handler, request._start_time):
                _ = _response.finish_stepwise(handler)
    except (Exception, asyncio.CancelledError) as error:
        try:
            handle_in_task(handler, error)
        finally:
            _release_body(handler)
    return None


def _check_unsafe(handler: RequestHandler) -> None:
    """Check a state-changing request before any code of the program runs."""
    request = handler.request
    if not handler._stream_request_body and isinstance(request, httputil.HTTPServerRequest) and request.body:
        request.save_form()
    _xsrf.check_request(handler)


async def _from_prepare(handler: RequestHandler, prepared: Any) -> None:
    try:
        if prepared is not None:
            value = await _checked_awaitable(handler, prepared, "prepare")
            if value is not None:
                _return_value_checks.check(handler, "prepare", prepared, value)
        streams = handler._stream_request_body
        if streams and not handler._finished:
            handler._before_body()
        _release_body(handler)
        finished = handler._finished
        if finished:
            return
        if streams:
            # The method runs after the whole body has been passed to data_received.
            try:
                await handler.request._body_future  # type: ignore[attr-defined]
            except ClientDisconnectedError:
                return
            ending = handler._after_body()
            if ending is not None:
                await ending
            if handler._finished:
                return
        method = getattr(handler, handler.request.method.lower())
        result = method(*handler.path_args, **handler.path_kwargs)
        if result is not None:
            if isinstance(result, FastPathAwaitable) and result.respond_now():
                return
            value = await _checked_awaitable(handler, result)
            if value is not None:
                _return_value_checks.check(handler, None, result, value)
        if handler._auto_finish and not handler._finished:
            _ = handler.finish()
    except (Exception, asyncio.CancelledError) as error:
        handle_in_task(handler, error)
    finally:
        _release_body(handler)
        result = prepared = value = None


async def _from_method(handler: RequestHandler, result: Any) -> None:
    try:
        value = await result
        if value is not None:
            _return_value_checks.check(handler, None, result, value)
        if handler._auto_finish and not handler._finished:
            if type(handler).finish is not FINISH:
                _ = handler.finish()
            elif not _response.finish_fast(handler):
                _ = _response.finish_stepwise(handler)
    except (Exception, asyncio.CancelledError) as error:
        handle_in_task(handler, error)


def _awaitable(value: Any) -> Any:
    if isinstance(value, FastPathAwaitable):
        return value.once()
    return value if inspect.iscoroutine(value) else gen.convert_yielded(value)


def _checked_awaitable(handler: RequestHandler, value: Any, name: str | None = None) -> Any:
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


def _release_body(handler: RequestHandler) -> None:
    """Start the delivery of the body to a streaming handler, after ``prepare``."""
    prepared: Future[None] | None = handler._prepared_future
    if prepared is not None and not prepared.done():
        future_set_result_unless_cancelled(prepared, None)


def handle_in_task(handler: RequestHandler, error: BaseException) -> None:
    """Handle an exception as `handle_exception` does, or the cancellation of the request's task."""
    cancellation = handler._cancellation
    if cancellation is not None and cancellation.handles(error):
        return
    task = asyncio.current_task()
    if not isinstance(error, asyncio.CancelledError) or task is None or not task.cancelling():
        handler._handle_request_exception(error)
        return
    # The code that cancelled the task knows the reason: log nothing, and let the task end as cancelled.
    if not handler._finished:
        _send_error(handler, 500, (type(error), error, error.__traceback__))
    raise error


def handle_exception(handler: RequestHandler, error: BaseException) -> None:
    """Log an exception of a handler, and send an error page unless the head of the response has been sent."""
    if isinstance(error, Finish):
        if not handler._finished:
            _ = handler.finish(*error.args)
        return
    if isinstance(error, httputil.HTTPInputError) and not isinstance(error, InvalidHeader):
        # The body was malformed, which was detected when the handler first accessed an argument: a client
        # error. InvalidHeader concerns header fields that the program set.
        fault = error
        error = InvalidBodyError("%s", fault, status_code=fault.status_code)
        error.__cause__ = fault
    if type(error) is TypeError:
        from tornado.web import _path_argument_checks  # late: few programs need it

        _path_argument_checks.explain(handler, error)
    exc_info = (type(error), error, error.__traceback__) if error is not sys.exc_info()[1] else sys.exc_info()
    try:
        handler.log_exception(*exc_info)
    except Exception:
        app_log.error("Error in exception logger", exc_info=True)
    if handler._finished:
        return  # the exception has been logged, and the response is complete
    _send_error(handler, error.status_code if isinstance(error, HTTPError) else 500, exc_info)


def _send_error(handler: RequestHandler, code: int, exc_info: Any) -> None:
    try:
        handler.send_error(code, exc_info=exc_info)
    except StreamClosedError:
        pass
    except Exception:
        if not handler._send_minimal_error():
            raise
