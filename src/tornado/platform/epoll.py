"""An IOLoop on epoll, in the style of Tornado 4.

It can be imported on every platform, and works on those that have epoll. Deprecated: ``IOLoop()`` chooses
the best selector of the platform.
"""

from __future__ import annotations

from tornado._export import export
from tornado._tornado4.poll_ioloop import EPollIOLoop

__all__ = ["EPollIOLoop"]

export(globals())
