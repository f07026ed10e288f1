"""``set_close_exec`` and ``Waker`` for this platform, in the style of Tornado 4. Both are deprecated."""

from __future__ import annotations

from tornado._export import export
from tornado._tornado4.waker import Waker, set_close_exec

__all__ = ["Waker", "set_close_exec"]

export(globals())
