"""A request's way through its handler: checks, ``prepare``, the method, the end, and what happens when one
fails.

`start` goes as far as it can without a coroutine. A handler none of whose steps is asynchronous is through
when it returns; otherwise it returns a coroutine for the rest, which is run in a task by whoever called.
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
from tornado.web import _response, _return_values, _xsrf
from tornado.web._errors import Finish, HTTPError, InvalidBodyError

if TYPE_CHECKING:
    from tornado.web._handler import RequestHandler

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_VERBS = {verb.upper(): verb for verb in ("get", "head", "post", "delete", "patch", "put", "options")}

#: `RequestHandler.finish` as it was imported.
FINISH: Any = None

Rest = Coroutine[Any, Any, None]


class ClientDisconnected(StreamClosedError):
    """What a streamed body ends with whose client has gone. A hook of a program that raises the parent class
    speaks of another stream, and is to be answered.
    """


class SyncOrAwaitable:
    """What a method may return that looks like its coroutine, but may be able to answer without one.

    Nothing is done until somebody awaits it, or `start` calls `at_once`. It has a coroutine's methods, so
    that `asyncio.create_task` and the like take it for one.
    """

    __slots__ = ("_begun",)
    _begun: Rest

    def at_once(self) -> bool:
        """Answer the request and finish; False if that takes the coroutine."""
        raise NotImplementedError

    def coroutine(self) -> Rest:
        """The method's work, but for finishing, as a coroutine."""
        raise NotImplementedError

    def once(self) -> Rest:
        """The coroutine, always the same: a second `await` is refused as any coroutine's is."""
        try:
            return self._begun
        except AttributeError:
            begun = self._begun = self.coroutine()
            return begun

    def __await__(self) -> Generator[Any, Any, None]:
        return self.once().__await__()

    def send(self, value: Any) -> Any:
        """Go on to where the coroutine next waits."""
        return self.once().send(value)

    def throw(self, *error: Any) -> Any:
        """Go on with an exception."""
        return self.once().throw(*error)

    def close(self) -> None:
        """End the coroutine where it waits."""
        self.once().close()


def start(
    handler: RequestHandler,
    transforms: list[Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any] | None,
    streams: bool = False,
) -> Rest | None:
    """Run a request up to its first asynchronous step; `streams` says that its body comes in parts."""
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
            result = handler.get()  # CPython calls a method by its name for a third of what getattr() costs
        else:
            verb = getattr(handler, _VERBS.get(method) or method.lower())
            result = verb(*path_args, **path_kwargs)
        if result is not None:
            if type(result) is not types.CoroutineType:
                if isinstance(result, SyncOrAwaitable) and result.at_once():
                    return None
                result = _returned(handler, result)
            return _from_method(handler, result)
        if handler._auto_finish and not handler._finished:
            if type(handler).finish is not FINISH:
                _ = handler.finish()
            elif not _response.finish_at_once(handler, request._start_time):
                _ = _response.finish_in_steps(handler)
    except (Exception, asyncio.CancelledError) as error:
        try:
            handle_in_task(handler, error)
        finally:
            _release_body(handler)
    return None


def _check_unsafe(handler: RequestHandler) -> None:
    """What a request that may change something has to pass before anything of the program runs."""
    request = handler.request
    if not handler._stream_request_body and isinstance(request, httputil.HTTPServerRequest) and request.body:
        request.note_form()
    _xsrf.check_request(handler)


async def _from_prepare(handler: RequestHandler, prepared: Any) -> None:
    try:
        if prepared is not None:
            value = await _returned(handler, prepared, "prepare")
            if value is not None:
                _return_values.check(handler, "prepare", prepared, value)
        streams = handler._stream_request_body
        if streams and not handler._finished:
            handler._body_begins()
        _release_body(handler)
        finished = handler._finished
        if finished:
            return
        if streams:
            # The method runs when the whole body has gone through data_received.
            try:
                await handler.request._body_future  # type: ignore[attr-defined]
            except ClientDisconnected:
                return
            ending = handler._body_ends()
            if ending is not None:
                await ending
            if handler._finished:
                return
        method = getattr(handler, handler.request.method.lower())
        result = method(*handler.path_args, **handler.path_kwargs)
        if result is not None:
            if isinstance(result, SyncOrAwaitable) and result.at_once():
                return
            value = await _returned(handler, result)
            if value is not None:
                _return_values.check(handler, None, result, value)
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
            _return_values.check(handler, None, result, value)
        if handler._auto_finish and not handler._finished:
            if type(handler).finish is not FINISH:
                _ = handler.finish()
            elif not _response.finish_at_once(handler):
                _ = _response.finish_in_steps(handler)
    except (Exception, asyncio.CancelledError) as error:
        handle_in_task(handler, error)


def _awaitable(value: Any) -> Any:
    if isinstance(value, SyncOrAwaitable):
        return value.once()
    return value if inspect.iscoroutine(value) else gen.convert_yielded(value)


def _returned(handler: RequestHandler, value: Any, name: str | None = None) -> Any:
    """`_awaitable` of what a method has returned, which often is what it wanted to say.

    :param name: of the method; None for the one named after the request's.
    """
    if isinstance(value, (str, bytes, dict)) or (isinstance(value, list) and not value):
        raise TypeError(_return_values.problem(handler, name, value))
    generator: Any = value if type(value) is types.GeneratorType else None
    if generator is not None and not inspect.isawaitable(generator):
        raise TypeError(_return_values.problem(handler, name, value))
    try:
        return _awaitable(value)
    except gen.BadYieldError:
        raise TypeError(_return_values.problem(handler, name, value)) from None


def _release_body(handler: RequestHandler) -> None:
    """Let the body of a streaming handler flow: ``prepare`` is over."""
    prepared: Future[None] | None = handler._prepared_future
    if prepared is not None and not prepared.done():
        future_set_result_unless_cancelled(prepared, None)


def handle_in_task(handler: RequestHandler, error: BaseException) -> None:
    """As `handle_exception`, where the error may be that the request's own task is being cancelled."""
    guard = handler._cancellation
    if guard is not None and guard.ends(error):
        return
    task = asyncio.current_task()
    if not isinstance(error, asyncio.CancelledError) or task is None or not task.cancelling():
        handler._handle_request_exception(error)
        return
    # Whoever cancels knows why: nothing is logged, and the task ends as a cancelled one.
    if not handler._finished:
        _send_error(handler, 500, (type(error), error, error.__traceback__))
    raise error


def handle_exception(handler: RequestHandler, error: BaseException) -> None:
    """Log what a handler raised, and answer it if the response has not begun."""
    if isinstance(error, Finish):
        if not handler._finished:
            _ = handler.finish(*error.args)
        return
    if isinstance(error, httputil.HTTPInputError) and not isinstance(error, InvalidHeader):
        # The body, decoded when the handler first asked for an argument, was malformed: the client's fault. A
        # header that the program set is its own.
        fault = error
        error = InvalidBodyError("%s", fault, status_code=fault.status_code)
        error.__cause__ = fault
    if type(error) is TypeError:
        from tornado.web import _path_arguments  # late: few programs need it

        _path_arguments.explain(handler, error)
    exc_info = (type(error), error, error.__traceback__) if error is not sys.exc_info()[1] else sys.exc_info()
    try:
        handler.log_exception(*exc_info)
    except Exception:
        app_log.error("Error in exception logger", exc_info=True)
    if handler._finished:
        return  # logged, and nothing more can be told to the client
    _send_error(handler, error.status_code if isinstance(error, HTTPError) else 500, exc_info)


def _send_error(handler: RequestHandler, code: int, exc_info: Any) -> None:
    try:
        handler.send_error(code, exc_info=exc_info)
    except StreamClosedError:
        pass
    except Exception:
        if not handler._answer_plainly():
            raise
