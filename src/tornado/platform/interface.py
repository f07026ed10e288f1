"""The ``set_close_exec`` and the interface ``Waker`` of Tornado 4.

`tornado.platform.auto` contains an implementation of ``Waker``. Everything in this module is deprecated.
"""

from __future__ import annotations

from tornado._public_module_names import export
from tornado._tornado4.waker import set_close_exec
from tornado._tornado4.waker_interface import Waker

__all__ = ["Waker", "set_close_exec"]

export(globals())
