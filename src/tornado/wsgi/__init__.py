"""WSGI applications (Flask, Django …) on our server, and ours on WSGI servers.

`WSGIContainer` serves a WSGI application beside, or in place of, request handlers::

    application = Application([
        (r"/live", LiveHandler),
        (r".*", WSGIContainer(flask_app, threads=20)),
    ])
    application.listen(8888)

Given as a route's target, or to `.HTTPServer` itself, it takes request bodies as they arrive: small ones in
memory, large ones in a temporary file, none of them twice. Behind a `.FallbackHandler` it works too; there
the body is in memory, as that of any other handler.

With ``threads`` (or an executor) the loop stays free while the application works, that many requests at once,
and a thread waits while its client reads slowly. So an application with many endless responses wants as many
threads, or a request handler in its place. Without either, the application runs in the loop's own thread, one
request at a time, as in Tornado: nothing else happens meanwhile. In every case what the application yields is
sent as it comes.

`WSGIAdapter` and `WSGIApplication` go the other way and are the style of Tornado 4.
"""

from __future__ import annotations

from typing import Any

from tornado._export import export
from tornado._reexports import reexported
from tornado.httputil import HTTPServerRequest
from tornado.util import import_object
from tornado.wsgi._adapter import WSGIAdapter
from tornado.wsgi._container import WSGIContainer
from tornado.wsgi._environ import WSGIAppType, to_wsgi_str

#: An older name.
HTTPRequest = HTTPServerRequest

__all__ = ["HTTPRequest", "WSGIAdapter", "WSGIAppType", "WSGIContainer", "to_wsgi_str"]


def __getattr__(name: str) -> Any:
    if name == "WSGIApplication":  # of Tornado 4, imported when it is used
        return import_object("tornado.wsgi._application.WSGIApplication")
    return reexported(__name__, name)


export(globals(), module="tornado.wsgi")
