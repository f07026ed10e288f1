"""An IOLoop on `select.select`, in the style of Tornado 4.

It can be imported on every platform. Deprecated: ``IOLoop()`` chooses the best
selector of the platform.
"""

from __future__ import annotations

from tornado._export import export
from tornado._tornado4.poll_ioloop import SelectIOLoop
from tornado._tornado4.poll_ioloop import SelectPoller as _Select  # noqa: F401 - programs subclass it

__all__ = ["SelectIOLoop"]

export(globals())
