"""``set_close_exec`` and ``Waker`` for this platform, in the style of Tornado 4. Both are deprecated."""

from __future__ import annotations

from tornado._classic.descriptors import Waker, set_close_exec
from tornado._export import export

__all__ = ["Waker", "set_close_exec"]

export(globals())
