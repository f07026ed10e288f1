"""WSGI applications (Flask, Django …) on this HTTP server, and `.Application` on WSGI servers.

`WSGIContainer` serves a WSGI application, alone or in addition to request handlers::

    application = Application([
        (r"/live", LiveHandler),
        (r".*", WSGIContainer(flask_app, threads=20)),
    ])
    application.listen(8888)

As a route's target, or as the argument of `.HTTPServer`, a `WSGIContainer` receives request bodies as they
arrive. A small body is stored in memory, a large one in a temporary file. As the ``fallback`` of a
`.FallbackHandler`, it receives the complete body in memory, like other handlers.

With ``threads`` (or an executor), the application does not block the event loop, and up to that number of
requests run at the same time. A thread waits while its client reads slowly. An application with many endless
responses therefore needs a thread for each of them; request handlers are better for such responses. Without
threads, the application runs in the event loop's thread, as in Tornado: it blocks the event loop and handles
one request at a time. In both cases, each part of the response is sent as soon as the application yields it.

`WSGIAdapter` and `WSGIApplication` do the reverse, in the style of Tornado 4: they run an `.Application` on a
WSGI server.
"""

from __future__ import annotations

from typing import Any

from tornado._implicit_reexports import reexported
from tornado._public_module_names import export
from tornado.httputil import HTTPServerRequest
from tornado.util import import_object
from tornado.wsgi._adapter import WSGIAdapter
from tornado.wsgi._container import WSGIContainer
from tornado.wsgi._environ import WSGIAppType, to_wsgi_str

#: The old name of `.HTTPServerRequest`.
HTTPRequest = HTTPServerRequest

__all__ = ["HTTPRequest", "WSGIAdapter", "WSGIAppType", "WSGIContainer", "to_wsgi_str"]


def __getattr__(name: str) -> Any:
    if name == "WSGIApplication":  # imported on first use, because it imports tornado.web
        return import_object("tornado.wsgi._application.WSGIApplication")
    return reexported(__name__, name)


export(globals(), module="tornado.wsgi")
