"""``util.is_finalizing``: whether the interpreter is shutting down."""

from __future__ import annotations

import sys
from collections.abc import Callable

from tornado._public_module_names import export
from tornado._tornado4.deprecation import deprecated

__all__ = ["is_finalizing"]


def _make_is_finalizing(is_shutting_down: Callable[[], bool]) -> Callable[[], bool]:
    def is_finalizing() -> bool:
        """Whether the interpreter is shutting down.

        Deprecated: call `sys.is_finalizing` instead.
        """
        # Finalizers may call this after module globals, including `sys`, have been cleared.
        if is_shutting_down():
            return True
        deprecated("util.is_finalizing", "call sys.is_finalizing()")
        return False

    is_finalizing.__qualname__ = "is_finalizing"
    return is_finalizing


is_finalizing = _make_is_finalizing(sys.is_finalizing)

export(globals(), module="tornado.util")
