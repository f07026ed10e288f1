"""Context managers that also apply to callbacks. They preceded `contextvars`.

A stack context is active in the block of its ``with`` statement and in everything that the block starts:
callbacks of the `.IOLoop`, functions passed as ``callback=`` arguments, and functions wrapped by `wrap`::

    @contextlib.contextmanager
    def log_errors():
        try:
            yield
        except Exception:
            logging.error("in an operation", exc_info=True)

    with StackContext(log_errors):
        http_client.fetch(url, callback=on_response)      # logs an exception raised by on_response()

Everything here is deprecated. To pass a value along a chain of callbacks, use
a `contextvars.ContextVar`, which asyncio passes on automatically. An exception in a coroutine is raised where
the coroutine is awaited.

The context managers are entered again around each callback, and around each step of a generator-based
coroutine (`tornado.gen.coroutine`). In such a coroutine, a ``yield`` inside the ``with`` block of a stack
context raises `StackContextInconsistentError`; use `run_with_stack_context` to start an operation inside a
context and wait for it outside.

This implementation differs from Tornado 4 in two ways. First, the chain of contexts is stored in a context
variable, so it is passed on wherever `contextvars` are. Second, the context managers are not entered again
around the steps of an ``async def`` coroutine or around callbacks scheduled on the asyncio loop directly.
"""

from __future__ import annotations

from tornado._public_module_names import export
from tornado._tornado4.stack_contexts import (
    ExceptionStackContext,
    NullContext,
    StackContext,
    StackContextInconsistentError,
    _state,  # noqa: F401 - used by programs that save and restore the contexts
    run_with_stack_context,
    wrap,
)

__all__ = [
    "ExceptionStackContext",
    "NullContext",
    "StackContext",
    "StackContextInconsistentError",
    "run_with_stack_context",
    "wrap",
]

export(globals())
