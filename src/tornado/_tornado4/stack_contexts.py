"""Stack contexts on `contextvars`; `tornado.stack_context` shows them.

A `contextvars` variable holds the chain of managers that are in force. asyncio hands it on by itself to
whatever is scheduled meanwhile, callbacks and coroutines alike. What is left to do is to enter the managers
again around a callback of the `.IOLoop` (`call`), around each step of a generator coroutine (`_Steps`), and
around a wrapped function (`wrap`). The first manager of a program installs the hooks in `tornado.ioloop` and
`tornado.gen`.
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

_ADVICE = "use contextvars, and exceptions of coroutines"


class StackContextInconsistentError(Exception):
    """A stack context was left in another context, or another order, than it was entered in."""


_Entered = tuple[tuple["_Manager", ...], "weakref.ref[Any] | None"]


class _CurrentContext(threading.local):
    """The managers entered on this thread's stack, as opposed to the chain for a callback to come."""

    #: The chain, and a weak reference to the event loop that ran: a callback of a loop that was started
    #: inside the block of a manager is not itself inside, since its exceptions do not leave the loop.
    entered: _Entered = ((), None)

    def enter(self, chain: tuple[_Manager, ...]) -> _Entered:
        """Set the chain and return what was entered before, for ``entered`` to be restored."""
        loop = _get_running_loop()
        before, self.entered = self.entered, (chain, None if loop is None else weakref.ref(loop))
        return before

    def is_inside(self, chain: tuple[_Manager, ...]) -> bool:
        """Whether the managers of ``chain``, and no others, are entered here."""
        entered, loop = self.entered
        return entered is chain and (None if loop is None else loop()) is _get_running_loop()


_here = _CurrentContext()
_chain: ContextVar[tuple[_Manager, ...]] = ContextVar("tornado_stack_contexts", default=())


class _Manager:
    """A manager that holds for a block, and for every callback that the block starts."""

    def __init__(self) -> None:
        self._active = True
        self._left: tuple[Any, ...] | None = None
        ioloop._call_inside = call
        gen._runner_started = _follow_contexts

    def _open(self) -> AbstractContextManager[Any]:
        """A manager for one block or callback."""
        raise NotImplementedError

    def __enter__(self) -> Callable[[], None]:
        manager = self._open()
        manager.__enter__()
        outer = _chain.get()
        chain = (*outer, self)
        self._left = (manager, outer, _here.enter(chain), chain)
        _chain.set(chain)
        return self._deactivate

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        assert self._left is not None
        (manager, outer, before, chain), self._left = self._left, None
        consistent = _chain.get() is chain
        if consistent:
            _chain.set(outer)
        if _here.entered[0] is chain:
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
        return _ExceptionCatcher(self.exception_handler)


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


class _ExceptionCatcher(AbstractContextManager[None]):
    def __init__(self, handler: ExceptionHandler) -> None:
        self._handler = handler

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        # An interrupt or an exit is nobody's error.
        if kind is None or not isinstance(error, Exception):
            return None
        return self._handler(kind, error, trace)


class _Link(NamedTuple):
    """A manager of the chain in force, as Tornado 4 linked them."""

    context: _Manager
    #: The value of `_State.contexts` outside of this manager.
    old_contexts: _Contexts


#: The `StackContext` links in force, outermost first, and the innermost link of all managers.
_Contexts = tuple[tuple[_Link, ...], "_Link | None"]


class _State:
    """``stack_context._state``: the contexts in force, for programs that save, inspect and restore them."""

    @property
    def contexts(self) -> _Contexts:
        """The `StackContext` links, and the innermost link of all; each leads to the next outer one by
        ``old_contexts[1]``.
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
        chain: list[_Manager] = []
        link = saved[1]
        while link is not None:
            chain.append(link.context)
            link = link.old_contexts[1]
        _chain.set(tuple(reversed(chain)))


_state = _State()


class NullContext:
    """Free a block, and each callback started there, of all stack contexts.

    For work that is shared, such as a pool of connections, and should not belong to whoever happens to
    start it.
    """

    def __enter__(self) -> None:
        self._token = _chain.set(())
        self._before = _here.enter(())

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
        if chain is _chain.get() and _here.is_inside(chain):
            return fn(*args, **kwargs)
        token = _chain.set(chain)
        try:
            return _run(chain, functools.partial(fn, *args, **kwargs))
        finally:
            _chain.reset(token)

    inside._stack_wrapped = True  # type: ignore[attr-defined]
    return inside


def wrap_callbacks(request: Any) -> None:
    """Wrap the callbacks of a request so that they run inside the managers that are in force now."""
    if not _chain.get():
        return
    for name in ("header_callback", "prepare_curl_callback", "streaming_callback"):
        callback = getattr(request, name)
        if callback is not None:
            setattr(request, name, wrapped(callback))


def call(callback: Callable[[], Any]) -> Any:
    """Call ``callback`` inside the managers in force; None where a handler took its exception.

    A wrapped function enters its own managers, and no others.
    """
    chain = _chain.get()
    if not chain or hasattr(getattr(callback, "func", callback), "_stack_wrapped"):
        return callback()
    return _run(chain, callback)


def _run(chain: tuple[_Manager, ...], callback: Callable[[], Any]) -> Any:
    before = _here.enter(chain)
    try:
        with ExitStack() as stack:
            for each in chain:
                if each._active:
                    stack.enter_context(each._open())
            return callback()
    finally:
        _here.entered = before
    return None  # type: ignore[unreachable]  # a handler took the exception


def add_handler(handler: Callable[..., bool | None]) -> None:
    """Have ``handler`` take the exceptions of callbacks that this context starts from now on."""
    _chain.set((*_chain.get(), Handling(handler)))


def _follow_contexts(runner: gen.Runner) -> None:
    """Have a coroutine that has just yielded for the first time run its further steps inside its managers."""
    assert runner.gen is not None
    if runner.ctx_run(_chain.get) is not _chain.get():
        runner.future = Future()
        runner.future.set_exception(_inconsistent())
    runner.gen = _Steps(runner.gen)


def _inconsistent() -> StackContextInconsistentError:
    return StackContextInconsistentError(
        "a coroutine yielded inside the with block of a stack context; "
        "start what it waits for by run_with_stack_context()"
    )


class _Steps(Generator[Any, Any, Any]):
    """A generator whose steps run inside the managers in force, and which may not yield inside another."""

    def __init__(self, inner: Generator[Any, Any, Any]) -> None:
        self._inner = inner

    def send(self, value: Any) -> Any:
        return self._step(self._inner.send, [value])

    def throw(self, *error: Any) -> Any:
        argument = [error[0]]
        del error  # an exception holds this frame
        return self._step(self._inner.throw, argument)

    def close(self) -> None:
        self._inner.close()

    def _step(self, method: Callable[..., Any], argument: list[Any]) -> Any:
        chain = _chain.get()
        attempt = functools.partial(_attempt, method, argument)
        outcome = attempt() if _here.is_inside(chain) else call(attempt)
        if outcome is None:  # a manager could not be entered, and a handler took its exception
            outcome = _attempt(self._inner.throw, [_inconsistent()])
        if outcome.error is None and _chain.get() is not chain:
            outcome = _attempt(self._inner.throw, [_inconsistent()])
            if outcome.error is None:
                self._inner.close()
                raise _inconsistent()
        try:
            if outcome.error is not None:
                raise outcome.error
            return outcome.value
        finally:
            del outcome  # an exception holds this frame


class _Outcome(NamedTuple):
    """What a generator yielded, or the exception that it ended with."""

    value: Any
    error: BaseException | None


def _attempt(method: Callable[..., Any], argument: list[Any]) -> _Outcome:
    # The managers do not see the exception: it belongs to the Future of the coroutine.
    try:
        return _Outcome(method(argument.pop()), None)
    except (Exception, CancelledError) as error:
        return _Outcome(None, error)
