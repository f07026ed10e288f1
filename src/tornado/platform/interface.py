"""``set_close_exec`` and the interface ``Waker``, in the style of Tornado 4.

`tornado.platform.auto` has an implementation of the latter. Everything here is deprecated.
"""

from __future__ import annotations

from tornado._export import export
from tornado._tornado4.waker import set_close_exec
from tornado._tornado4.waker_interface import Waker

__all__ = ["Waker", "set_close_exec"]

export(globals())
