"""The implementation of `tornado.stack_context`, on `contextvars`.

A context variable contains the chain of active context managers. asyncio copies it into every callback and
task. This module enters the managers again around a callback of the `.IOLoop` (`call`), around each step of a
generator-based coroutine (`_GeneratorInContexts`), and around a wrapped function (`wrap`). The first manager
that a program creates installs the hooks in `tornado.ioloop` and `tornado.gen`.
"""

from __future__ import annotations

import functools
import threading
import weakref
from asyncio import CancelledError, _get_running_loop
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, ExitStack
from contextvars import ContextVar
from types import TracebackType
from typing import Any, NamedTuple, TypeVar

from tornado import gen, ioloop
from tornado._tornado4.deprecation import deprecated
from tornado.concurrent import Future

_T = TypeVar("_T")
ExceptionHandler = Callable[[type[BaseException], BaseException, TracebackType | None], "bool | None"]

_ADVICE = "use contextvars, and handle exceptions in coroutines"


class StackContextInconsistentError(Exception):
    """A stack context was not exited in the context, or in the order, in which it was entered."""


_Entered = tuple[tuple["_BaseStackContext", ...], "weakref.ref[Any] | None"]


class _EnteredManagers(threading.local):
    """The managers entered on the stack of this thread, as opposed to the chain for future callbacks."""

    #: The chain, and a weak reference to the event loop that was running. If a loop is started inside the
    #: block of a manager, the loop's callbacks are not inside the block: their exceptions do not leave the
    #: loop.
    entered: _Entered = ((), None)

    def enter(self, chain: tuple[_BaseStackContext, ...]) -> _Entered:
        """Set the chain, and return the previous value of ``entered`` to be restored later."""
        loop = _get_running_loop()
        previous, self.entered = self.entered, (chain, None if loop is None else weakref.ref(loop))
        return previous

    def is_inside(self, chain: tuple[_BaseStackContext, ...]) -> bool:
        """Whether exactly the managers of ``chain`` are entered on the stack of this thread."""
        entered, loop = self.entered
        return entered is chain and (None if loop is None else loop()) is _get_running_loop()


_current = _EnteredManagers()
_chain: ContextVar[tuple[_BaseStackContext, ...]] = ContextVar("tornado_stack_contexts", default=())


class _BaseStackContext:
    """A context manager that applies to a block, and to every callback that the block starts."""

    def __init__(self) -> None:
        self._active = True
        self._exit_state: tuple[Any, ...] | None = None
        ioloop._call_in_contexts = call
        gen._runner_started = _run_steps_in_contexts

    def _open(self) -> AbstractContextManager[Any]:
        """Return a context manager for one block or callback."""
        raise NotImplementedError

    def __enter__(self) -> Callable[[], None]:
        manager = self._open()
        manager.__enter__()
        outer = _chain.get()
        chain = (*outer, self)
        self._exit_state = (manager, outer, _current.enter(chain), chain)
        _chain.set(chain)
        return self._deactivate

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        assert self._exit_state is not None
        (manager, outer, previous, chain), self._exit_state = self._exit_state, None
        consistent = _chain.get() is chain
        if consistent:
            _chain.set(outer)
        if _current.entered[0] is chain:
            _current.entered = previous
        handled: bool | None = manager.__exit__(kind, error, trace)
        if not consistent:
            raise StackContextInconsistentError(
                f"{type(self).__name__} was not exited in the context in which it was entered; "
                "a coroutine must not yield inside its with block"
            )
        return handled

    def _deactivate(self) -> None:
        """Stop entering this manager around callbacks."""
        self._active = False


class StackContext(_BaseStackContext):
    """Enters a context manager around a block, and around each callback that the block starts.

    After a call of ``deactivate()`` in ``with StackContext(factory) as deactivate:``, callbacks that run
    later do not enter the manager.

    :param context_factory: a function without parameters that returns a new context manager on each call.
    """

    def __init__(self, context_factory: Callable[[], AbstractContextManager[Any]]) -> None:
        deprecated("StackContext", _ADVICE)
        super().__init__()
        self.context_factory = context_factory

    def _open(self) -> AbstractContextManager[Any]:
        return self.context_factory()


class ExceptionStackContext(_BaseStackContext):
    """Passes exceptions of a block, and of each callback that the block starts, to a function.

    :param exception_handler: a function to call with the type, value and traceback. If it returns true, the
        exception is suppressed; otherwise it is passed to the next outer handler, or finally logged.
    :param delay_warning: ignored; accepted for compatibility.
    """

    def __init__(self, exception_handler: ExceptionHandler, delay_warning: bool = False) -> None:
        deprecated("ExceptionStackContext", _ADVICE)
        super().__init__()
        self.exception_handler = exception_handler

    def _open(self) -> AbstractContextManager[Any]:
        return _ExceptionCatcher(self.exception_handler)


class UnwarnedExceptionStackContext(ExceptionStackContext):
    """An `ExceptionStackContext` for use in this package, without a deprecation warning.

    :param handle_block: whether exceptions of the block itself are also passed to the handler.
    """

    def __init__(self, exception_handler: ExceptionHandler, handle_block: bool = True) -> None:
        _BaseStackContext.__init__(self)
        self.exception_handler = exception_handler
        self._handles_block = handle_block

    def _open(self) -> AbstractContextManager[Any]:
        if not self._handles_block:
            self._handles_block = True
            return ExitStack()
        return super()._open()


class _ExceptionCatcher(AbstractContextManager[None]):
    def __init__(self, handler: ExceptionHandler) -> None:
        self._handler = handler

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        # KeyboardInterrupt and SystemExit are not passed to handlers.
        if kind is None or not isinstance(error, Exception):
            return None
        return self._handler(kind, error, trace)


class _Link(NamedTuple):
    """A manager in the active chain, in the linked form that Tornado 4 used."""

    context: _BaseStackContext
    #: The value of `_State.contexts` outside of the block of this manager.
    old_contexts: _Contexts


#: The active `StackContext` links, outermost first, and the innermost link of all managers.
_Contexts = tuple[tuple[_Link, ...], "_Link | None"]


class _ContextState:
    """``stack_context._state``: the active contexts, for programs that save, inspect and restore them."""

    @property
    def contexts(self) -> _Contexts:
        """The `StackContext` links, and the innermost link of all. ``old_contexts[1]`` of a link is the next
        outer one.
        """
        links: tuple[_Link, ...] = ()
        head: _Link | None = None
        for manager in _chain.get():
            if manager._active:
                head = _Link(manager, (links, head))
                if not isinstance(manager, ExceptionStackContext):
                    links = (*links, head)
        return links, head

    @contexts.setter
    def contexts(self, saved: _Contexts) -> None:
        chain: list[_BaseStackContext] = []
        link = saved[1]
        while link is not None:
            chain.append(link.context)
            link = link.old_contexts[1]
        _chain.set(tuple(reversed(chain)))


_state = _ContextState()


class NullContext:
    """Deactivates all stack contexts for a block, and for each callback that the block starts.

    It is used for shared operations, such as those of a connection pool, which must not inherit the contexts
    of the caller that started them.
    """

    def __enter__(self) -> None:
        self._token = _chain.set(())
        self._before = _current.enter(())

    def __exit__(self, *_exception: object) -> None:
        _current.entered = self._before
        _chain.reset(self._token)


def run_with_stack_context(context: _BaseStackContext, func: Callable[[], _T]) -> _T:
    """Call ``func`` inside ``context`` and return its result.

    A coroutine needs this function because it must not yield inside the ``with`` block of a stack context::

        yield run_with_stack_context(StackContext(ctx), fetch)
    """
    deprecated("run_with_stack_context", _ADVICE)
    with context:
        return func()


def wrap(fn: Callable[..., Any] | None) -> Callable[..., Any] | None:
    """Return a function that calls ``fn`` inside the stack contexts that are active now.

    :param fn: a function. None and functions that are already wrapped are returned unchanged.
    """
    deprecated("stack_context.wrap", _ADVICE)
    result: Callable[..., Any] | None = wrapped(fn)
    return result


def wrapped(fn: Any) -> Any:
    """Return the same function as `wrap`, without a deprecation warning; for use in this package."""
    if fn is None or getattr(fn, "stack_wrapped", False):
        return fn
    chain = _chain.get()

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if chain is _chain.get() and _current.is_inside(chain):
            return fn(*args, **kwargs)
        token = _chain.set(chain)
        try:
            return _run(chain, functools.partial(fn, *args, **kwargs))
        finally:
            _chain.reset(token)

    wrapper.stack_wrapped = True  # type: ignore[attr-defined]
    return wrapper


def wrap_callbacks(request: Any) -> None:
    """Wrap the callbacks of a client request so that they run inside the managers that are active now."""
    if not _chain.get():
        return
    for name in ("header_callback", "prepare_curl_callback", "streaming_callback"):
        callback = getattr(request, name)
        if callback is not None:
            setattr(request, name, wrapped(callback))


def call(callback: Callable[[], Any]) -> Any:
    """Call ``callback`` inside the active managers.

    A wrapped function enters only the managers that were active when it was wrapped.

    :returns: the result; None if a manager suppressed an exception.
    """
    chain = _chain.get()
    if not chain or hasattr(getattr(callback, "func", callback), "stack_wrapped"):
        return callback()
    return _run(chain, callback)


def _run(chain: tuple[_BaseStackContext, ...], callback: Callable[[], Any]) -> Any:
    previous = _current.enter(chain)
    try:
        with ExitStack() as stack:
            for each in chain:
                if each._active:
                    stack.enter_context(each._open())
            return callback()
    finally:
        _current.entered = previous
    return None  # type: ignore[unreachable]  # a manager suppressed the exception


def add_handler(handler: Callable[..., bool | None]) -> None:
    """Pass the exceptions of callbacks that this context starts from now on to ``handler``."""
    _chain.set((*_chain.get(), UnwarnedExceptionStackContext(handler)))


def _run_steps_in_contexts(runner: gen.Runner) -> None:
    """Run the remaining steps of a coroutine inside its managers, after it has yielded for the first time."""
    assert runner.gen is not None
    if runner.ctx_run(_chain.get) is not _chain.get():
        runner.future = Future()
        runner.future.set_exception(_inconsistent_error())
    runner.gen = _GeneratorInContexts(runner.gen)


def _inconsistent_error() -> StackContextInconsistentError:
    return StackContextInconsistentError(
        "a coroutine yielded inside the with block of a stack context; "
        "use run_with_stack_context() to start the operation that it waits for"
    )


class _GeneratorInContexts(Generator[Any, Any, Any]):
    """A generator whose steps run inside the active managers. It must not yield inside another manager."""

    def __init__(self, inner: Generator[Any, Any, Any]) -> None:
        self._inner = inner

    def send(self, value: Any) -> Any:
        return self._step(self._inner.send, [value])

    def throw(self, *error: Any) -> Any:
        argument = [error[0]]
        del error  # the traceback of `error` refers to this frame
        return self._step(self._inner.throw, argument)

    def close(self) -> None:
        self._inner.close()

    def _step(self, method: Callable[..., Any], argument: list[Any]) -> Any:
        chain = _chain.get()
        attempt = functools.partial(_attempt, method, argument)
        outcome = attempt() if _current.is_inside(chain) else call(attempt)
        if outcome is None:  # entering a manager failed, and an outer manager suppressed the exception
            outcome = _attempt(self._inner.throw, [_inconsistent_error()])
        if outcome.error is None and _chain.get() is not chain:
            outcome = _attempt(self._inner.throw, [_inconsistent_error()])
            if outcome.error is None:
                self._inner.close()
                raise _inconsistent_error()
        try:
            if outcome.error is not None:
                raise outcome.error
            return outcome.value
        finally:
            del outcome  # the traceback of its exception refers to this frame


class _Outcome(NamedTuple):
    """The value that a generator yielded, or the exception that it raised."""

    value: Any
    error: BaseException | None


def _attempt(method: Callable[..., Any], argument: list[Any]) -> _Outcome:
    # The exception must not reach the managers, because it is set on the coroutine's Future.
    try:
        return _Outcome(method(argument.pop()), None)
    except (Exception, CancelledError) as error:
        return _Outcome(None, error)
