"""ASGI applications (FastAPI, Starlette, Django …) on this HTTP server.

`ASGIContainer` serves an ASGI application, alone or in addition to request handlers::

    application = Application([
        (r"/live", LiveHandler),
        (r"/api/.*", ASGIContainer(fastapi_app, mount="/api")),
    ])
    application.listen(8888)

The application receives requests directly from the connection, without a `.RequestHandler`. It may stream in
both directions, and it may accept WebSockets.
"""

from __future__ import annotations

from tornado._public_module_names import export
from tornado.asgi._container import ASGIContainer

__all__ = ["ASGIContainer"]

export(globals())
