"""An IOLoop on `select.select`, in the style of Tornado 4.

It can be imported on every platform. Deprecated: ``IOLoop()`` chooses the best
selector of the platform.
"""

from __future__ import annotations

from tornado._classic.pollers import SelectIOLoop
from tornado._classic.pollers import SelectPoller as _Select  # noqa: F401 - programs subclass it
from tornado._export import export

__all__ = ["SelectIOLoop"]

export(globals())
