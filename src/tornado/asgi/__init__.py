"""ASGI, both ways: ASGI applications on this HTTP server, and `.Application` on ASGI servers.

`ASGIContainer` serves an ASGI application (FastAPI, Starlette, Django …), alone or in addition to request
handlers::

    application = Application([
        (r"/live", LiveHandler),
        (r"/api/.*", ASGIContainer(fastapi_app, mount="/api")),
    ])
    application.listen(8888)

The application receives requests directly from the connection, without a `.RequestHandler`. It may stream in
both directions, and it may accept WebSockets.

`ASGIAdapter` makes an ASGI application of an `.Application`, for servers such as uvicorn, hypercorn and
granian::

    # program.py
    application = Application([(r"/", MainHandler)])
    asgi_app = ASGIAdapter(application)

Start it with ``uvicorn program:asgi_app``.
"""

from __future__ import annotations

from tornado._public_module_names import export
from tornado.asgi._adapter import ASGIAdapter
from tornado.asgi._container import ASGIContainer

__all__ = ["ASGIAdapter", "ASGIContainer"]

export(globals(), module="tornado.asgi")
