"""The ``set_close_exec`` and ``Waker`` of Tornado 4 for this platform. Both are deprecated."""

from __future__ import annotations

from tornado._public_module_names import export
from tornado._tornado4.waker import Waker, set_close_exec

__all__ = ["Waker", "set_close_exec"]

export(globals())
