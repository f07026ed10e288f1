"""An IOLoop on epoll, in the style of Tornado 4.

It can be imported on every platform, and works on those that have epoll. Deprecated: ``IOLoop()`` chooses
the best selector of the platform.
"""

from __future__ import annotations

from tornado._classic.pollers import EPollIOLoop
from tornado._export import export

__all__ = ["EPollIOLoop"]

export(globals())
