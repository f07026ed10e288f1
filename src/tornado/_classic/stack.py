"""Stack contexts on `contextvars`; `tornado.stack_context` shows them.

A `contextvars` variable holds the chain of managers that are in force. asyncio hands it on by itself to
whatever is scheduled meanwhile, callbacks and coroutines alike. What is left to do is to enter the managers
again around a callback of the `.IOLoop` (`call`, which the first manager of a program hooks in there) and
around a wrapped function (`wrap`).
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from contextvars import ContextVar
from types import TracebackType
from typing import Any, TypeVar

from tornado import ioloop
from tornado._classic.warning import deprecated

_T = TypeVar("_T")
ExceptionHandler = Callable[[type[BaseException], BaseException, TracebackType | None], "bool | None"]

_ADVICE = "use contextvars, and exceptions of coroutines"


class StackContextInconsistentError(Exception):
    """A stack context was left in another context, or another order, than it was entered in."""


class _Here(threading.local):
    """What is entered on this thread's stack, as opposed to what is in force for a callback to come."""

    entered: tuple[_Manager, ...] = ()


_here = _Here()
_chain: ContextVar[tuple[_Manager, ...]] = ContextVar("tornado_stack_contexts", default=())


class _Manager:
    """A manager that holds for a block, and for every callback that the block starts."""

    def __init__(self) -> None:
        self._active = True
        self._left: tuple[Any, ...] | None = None
        ioloop._call_inside = call

    def _open(self) -> AbstractContextManager[Any]:
        """A manager for one block or callback."""
        raise NotImplementedError

    def __enter__(self) -> Callable[[], None]:
        manager = self._open()
        manager.__enter__()
        outer = _chain.get()
        chain = (*outer, self)
        self._left = (manager, outer, _here.entered, chain)
        _chain.set(chain)
        _here.entered = chain
        return self._deactivate

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        assert self._left is not None
        (manager, outer, before, chain), self._left = self._left, None
        consistent = _chain.get() is chain
        if consistent:
            _chain.set(outer)
        if _here.entered is chain:
            _here.entered = before
        handled: bool | None = manager.__exit__(kind, error, trace)
        if not consistent:
            raise StackContextInconsistentError(
                f"{type(self).__name__} is left in another context than it was entered in "
                "(a yield inside its with block, perhaps?)"
            )
        return handled

    def _deactivate(self) -> None:
        """From now on callbacks do without this manager."""
        self._active = False


class StackContext(_Manager):
    """Have a context manager around a block, and around each callback started there.

    :arg context_factory: gives a new context manager each time it is called without arguments.

    ``with StackContext(factory) as deactivate:`` gives a function by which the callbacks to come are freed
    of it.
    """

    def __init__(self, context_factory: Callable[[], AbstractContextManager[Any]]) -> None:
        deprecated("StackContext", _ADVICE)
        super().__init__()
        self.context_factory = context_factory

    def _open(self) -> AbstractContextManager[Any]:
        return self.context_factory()


class ExceptionStackContext(_Manager):
    """Have exceptions of a block, and of each callback started there, handled by a function.

    :arg exception_handler: called with type, value and traceback. If it returns true the exception is done
        with; otherwise it goes on to the next outer handler, and at last to the log.
    :arg delay_warning: accepted for programs that give it; it has no effect.
    """

    def __init__(self, exception_handler: ExceptionHandler, delay_warning: bool = False) -> None:
        deprecated("ExceptionStackContext", _ADVICE)
        super().__init__()
        self.exception_handler = exception_handler

    def _open(self) -> AbstractContextManager[Any]:
        return _Catcher(self.exception_handler)


class Handling(ExceptionStackContext):
    """The same for our own use, without a warning.

    :arg here: whether exceptions of the block itself go to the handler, too.
    """

    def __init__(self, exception_handler: ExceptionHandler, here: bool = True) -> None:
        _Manager.__init__(self)
        self.exception_handler = exception_handler
        self._here = here

    def _open(self) -> AbstractContextManager[Any]:
        if not self._here:
            self._here = True
            return ExitStack()
        return super()._open()


class _Catcher(AbstractContextManager[None]):
    def __init__(self, handler: ExceptionHandler) -> None:
        self._handler = handler

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        # An interrupt or an exit is nobody's error.
        if kind is None or not isinstance(error, Exception):
            return None
        return self._handler(kind, error, trace)


class NullContext:
    """Free a block, and each callback started there, of all stack contexts.

    For work that is shared, such as a pool of connections, and should not belong to whoever happens to
    start it.
    """

    def __enter__(self) -> None:
        self._token = _chain.set(())
        self._before, _here.entered = _here.entered, ()

    def __exit__(self, *_exception: object) -> None:
        _here.entered = self._before
        _chain.reset(self._token)


def run_with_stack_context(context: _Manager, func: Callable[[], _T]) -> _T:
    """Call ``func`` inside ``context`` and return what it returns.

    For coroutines, which may not yield in a ``with`` block of a stack context::

        yield run_with_stack_context(StackContext(ctx), fetch)
    """
    deprecated("run_with_stack_context", _ADVICE)
    with context:
        return func()


def wrap(fn: Callable[..., Any] | None) -> Callable[..., Any] | None:
    """A function that runs ``fn`` inside the stack contexts that are in force now, wherever it is called.

    :arg fn: a function; None, or what was wrapped before, is given back as it is.
    """
    deprecated("stack_context.wrap", _ADVICE)
    result: Callable[..., Any] | None = wrapped(fn)
    return result


def wrapped(fn: Any) -> Any:
    """`wrap` for our own use, without a warning."""
    if fn is None or getattr(fn, "_stack_wrapped", False):
        return fn
    chain = _chain.get()

    def inside(*args: Any, **kwargs: Any) -> Any:
        if chain is _here.entered and chain is _chain.get():
            return fn(*args, **kwargs)
        token = _chain.set(chain)
        try:
            return _run(chain, functools.partial(fn, *args, **kwargs))
        finally:
            _chain.reset(token)

    inside._stack_wrapped = True  # type: ignore[attr-defined]
    return inside


def call(callback: Callable[[], Any]) -> Any:
    """Call ``callback`` inside the managers in force; None where a handler took its exception."""
    chain = _chain.get()
    return _run(chain, callback) if chain else callback()


def _run(chain: tuple[_Manager, ...], callback: Callable[[], Any]) -> Any:
    before, _here.entered = _here.entered, chain
    try:
        with ExitStack() as stack:
            for each in chain:
                if each._active:
                    stack.enter_context(each._open())
            return callback()
    finally:
        _here.entered = before
    return None  # type: ignore[unreachable]  # a handler took the exception
