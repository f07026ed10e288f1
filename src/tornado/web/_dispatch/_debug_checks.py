"""Checks of handlers with ``debug=True``: blocking the event loop, and calls from other threads.

The checks wrap methods of each handler object, so they cost nothing without ``debug``. A method that blocks
the event loop for `BLOCKING_TIME` is reported in a warning; plain methods are measured as a whole, coroutines
step by step. The methods that produce the response raise a `RuntimeError` if they are called in another
thread, because such a call would corrupt the response or the event loop.
"""

from __future__ import annotations

import contextvars
import functools
import inspect
import threading
import types
from collections.abc import Callable, Coroutine, Generator
from time import monotonic
from typing import TYPE_CHECKING, Any

from tornado import gen
from tornado.log import app_log

if TYPE_CHECKING:
    from tornado.web._interfaces import HandlerInterface

#: The time in seconds for which a method may block the event loop without a warning.
BLOCKING_TIME = 0.1

_LOOP_THREAD_ONLY = (
    "write",
    "flush",
    "finish",
    "render",
    "redirect",
    "send_error",
    "clear",
    "set_status",
    "set_header",
    "add_header",
    "clear_header",
    "set_cookie",
)
_MEASURED = ("prepare", "data_received", "on_finish")
_MEASURED_OF_WEBSOCKETS = ("open", "on_message", "on_ping", "on_pong", "on_close")
_clock = monotonic
_thread = threading.local()  # its attribute `steps` is the running `StepTimer` object
_current: contextvars.ContextVar[StepTimer] = contextvars.ContextVar("tornado.web.steps")


def check(handler: HandlerInterface) -> None:
    """Wrap the methods of a handler; called in the thread of the event loop, before the handler runs."""
    _measure_generators()
    thread = threading.get_ident()
    for name in _LOOP_THREAD_ONLY:
        _wrap(handler, name, functools.partial(_check_thread, thread, handler, name))
    measured = [handler.request.method.lower(), *_MEASURED]
    if hasattr(handler, "ws_connection"):
        measured.extend(_MEASURED_OF_WEBSOCKETS)
    for name in measured:
        if getattr(handler, name, None) is not None:
            _wrap(handler, name, functools.partial(_measure_call, StepTimer(handler, name)))


def _wrap(handler: HandlerInterface, name: str, call: Callable[..., Any]) -> None:
    """Replace a method of the handler by `call`, which receives the method and its arguments.

    The replacement has the attributes of the method, and is a coroutine function if the method is one,
    because programs read attributes set by their decorators from ``getattr(self,
    self.request.method.lower())``.
    """
    method = getattr(handler, name)
    if not isinstance(method, types.MethodType):  # assigned by the program, or a static method
        handler.__dict__[name] = functools.partial(call, method)
        return
    wrapper: Callable[..., Any]
    if inspect.iscoroutinefunction(method):

        async def wrapper(_: HandlerInterface, /, *args: Any, **kwargs: Any) -> Any:
            return await call(method, *args, **kwargs)
    else:

        def wrapper(_: HandlerInterface, /, *args: Any, **kwargs: Any) -> Any:
            return call(method, *args, **kwargs)

    functools.update_wrapper(wrapper, method.__func__)
    handler.__dict__[name] = types.MethodType(wrapper, method.__self__)


def _check_thread(
    thread: int,
    handler: HandlerInterface,
    name: str,
    method: Callable[..., Any],
    /,
    *args: Any,
    **kwargs: Any,
) -> Any:
    if threading.get_ident() != thread:
        raise RuntimeError(
            f"{type(handler).__name__}.{name}() was called outside of its event loop's thread: "
            "use IOLoop.add_callback, or return the value from the thread and await it"
        )
    return method(*args, **kwargs)


class StepTimer:
    """The steps of one method of a handler. Each ``with`` block is a step, or a part of a step. A step that
    takes too long is logged. The time of nested steps of other methods does not count.

    :param name: the name of the method.
    """

    __slots__ = ("_began", "_depth", "_handler", "_name", "_outer")

    def __init__(self, handler: HandlerInterface, name: str) -> None:
        self._handler = handler
        self._name = name
        self._depth = 0
        self._began = 0.0
        self._outer: StepTimer | None = None

    def __enter__(self) -> None:
        if not self._depth:
            self._outer = getattr(_thread, "steps", None)
            _thread.steps = self
            self._began = _clock()
        self._depth += 1

    def __exit__(self, *error: object) -> None:
        self._depth -= 1
        if self._depth:
            return
        taken = _clock() - self._began
        outer, self._outer = self._outer, None
        _thread.steps = outer
        if outer is not None:
            outer._began += taken
        if taken >= BLOCKING_TIME:
            handler = self._handler
            request = handler.request
            app_log.warning(
                "%s.%s() blocked the event loop for %.3f s: %s %s",
                type(handler).__name__,
                self._name,
                taken,
                request.method,
                request.uri,
            )


def _measure_call(steps: StepTimer, method: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    token = _current.set(steps)
    try:
        with steps:
            result = method(*args, **kwargs)
    finally:
        _current.reset(token)
    return _run(steps, result) if inspect.iscoroutine(result) else result


async def _run(steps: StepTimer, coroutine: Coroutine[Any, Any, Any]) -> Any:
    _current.set(steps)
    return await _step_by_step(steps, coroutine)


@types.coroutine
def _step_by_step(steps: StepTimer, coroutine: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """Run a coroutine like ``await``, measuring each step."""
    step: Callable[[Any], Any] = coroutine.send
    value: Any = None
    while True:
        try:
            with steps:
                awaited = step(value)
        except StopIteration as stop:
            return stop.value
        try:
            value = yield awaited
            step = coroutine.send
        except GeneratorExit:
            coroutine.close()
            raise
        except BaseException as error:
            value, step = error, coroutine.throw


@functools.cache
def _measure_generators() -> None:
    """Also measure the steps of generator coroutines, which run in a Runner, not in the handler's task."""
    run = gen.Runner.run

    @functools.wraps(run)
    def run_measured(self: gen.Runner) -> None:
        steps = _current.get(None)
        if steps is None:
            run(self)
            return
        with steps:
            run(self)

    gen.Runner.run = run_measured  # type: ignore[method-assign]


__all__ = ["BLOCKING_TIME", "StepTimer", "check"]
