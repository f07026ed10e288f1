"""Context managers that hold for callbacks, too: the older way to say what `contextvars` says.

A stack context is in force for the block of its ``with`` statement and for what the block starts: callbacks
of the `.IOLoop`, callbacks given to ``callback=`` arguments, and functions that `wrap` has wrapped::

    @contextlib.contextmanager
    def note_errors():
        try:
            yield
        except Exception:
            logging.error("in an operation", exc_info=True)

    with StackContext(note_errors):
        http_client.fetch(url, callback=got_it)      # an exception in got_it() is noted

Everything here is deprecated. A value that belongs to a chain of callbacks is a `contextvars.ContextVar`,
which asyncio hands on by itself, and the exception of a coroutine comes to whoever awaits it.

The managers are entered again around callbacks, and around the steps of coroutines that are generators
(`tornado.gen.coroutine`). A ``yield`` inside the ``with`` block of a stack context is an error there, and
raises `StackContextInconsistentError`; `run_with_stack_context` starts what the coroutine waits for inside a
context.

What differs from Tornado 4: the chain is kept by `contextvars`, so everything that passes those on passes
the chain on too. Around the steps of an ``async def`` coroutine, and around callbacks given to asyncio
itself, the managers are not entered again.
"""

from __future__ import annotations

from tornado._export import export
from tornado._tornado4.stack_contexts import (
    ExceptionStackContext,
    NullContext,
    StackContext,
    StackContextInconsistentError,
    _state,  # noqa: F401 - programs that save and restore the contexts use it
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
