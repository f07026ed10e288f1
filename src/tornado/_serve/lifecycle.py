"""The lifespan of an application, which WSGI applications do not have."""

from __future__ import annotations

import contextlib
from typing import Protocol, runtime_checkable

__all__ = ["lifespan_of"]


@runtime_checkable
class _HasLifespan(Protocol):
    def run_lifespan(self) -> contextlib.AbstractAsyncContextManager[object]: ...


def lifespan_of(application: object) -> contextlib.AbstractAsyncContextManager[object]:
    """Return the context manager that starts an application up and shuts it down; it does nothing for WSGI."""
    return application.run_lifespan() if isinstance(application, _HasLifespan) else contextlib.nullcontext()
