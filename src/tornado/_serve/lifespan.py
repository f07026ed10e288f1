"""The lifespan of an application or an ASGI application; WSGI applications do not have one."""

from __future__ import annotations

import contextlib
from typing import Protocol, runtime_checkable

__all__ = ["lifespan_of"]


@runtime_checkable
class _HasLifespan(Protocol):
    def run_lifespan(self) -> contextlib.AbstractAsyncContextManager[object]: ...


def lifespan_of(application: object) -> contextlib.AbstractAsyncContextManager[object]:
    """Return the context manager that starts an application and shuts it down; for WSGI it does nothing."""
    return application.run_lifespan() if isinstance(application, _HasLifespan) else contextlib.nullcontext()
