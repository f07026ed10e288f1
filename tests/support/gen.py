"""The internals of `tornado.gen` that tests access."""

from __future__ import annotations

from typing import Any


def runner_of(future: Any) -> Any:
    """Return the runner of the coroutine that resolves a Future."""
    return future._runner
