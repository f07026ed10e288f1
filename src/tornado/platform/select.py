"""The `select.select` IOLoop of Tornado 4.

It can be imported on every platform. Deprecated: ``IOLoop()`` selects the best mechanism of the platform.
"""

from __future__ import annotations

from tornado._public_module_names import export
from tornado._tornado4.poll_ioloop import SelectIOLoop
from tornado._tornado4.poll_ioloop import SelectPoller as _Select  # noqa: F401 - programs subclass it

__all__ = ["SelectIOLoop"]

export(globals())
