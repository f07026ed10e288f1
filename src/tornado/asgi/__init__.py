"""`.Application` on ASGI servers such as uvicorn, hypercorn and granian.

`ASGIAdapter` makes an ASGI application of an `.Application`::

    # program.py
    application = Application([(r"/", MainHandler)])
    asgi_app = ASGIAdapter(application)

Start it with ``uvicorn program:asgi_app``.
"""

from __future__ import annotations

from tornado._public_module_names import export
from tornado.asgi._adapter import ASGIAdapter

__all__ = ["ASGIAdapter"]

export(globals(), module="tornado.asgi")
