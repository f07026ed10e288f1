"""The epoll IOLoop of Tornado 4.

It can be imported on every platform, and works on those with epoll. Deprecated: ``IOLoop()`` selects the best
mechanism of the platform.
"""

from __future__ import annotations

from tornado._public_module_names import export
from tornado._tornado4.poll_ioloop import EPollIOLoop

__all__ = ["EPollIOLoop"]

export(globals())
