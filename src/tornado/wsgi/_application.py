"""`WSGIApplication`: an `.Application` that is also a WSGI application, as in Tornado 3 and 4."""

from __future__ import annotations

from typing import Any

from tornado._public_module_names import export
from tornado._tornado4.deprecation import deprecated
from tornado.web import Application
from tornado.wsgi._adapter import StartResponse, WSGIAdapter

__all__ = ["WSGIApplication"]


class WSGIApplication(Application):
    """An `.Application` for WSGI servers.

    ::

        application = WSGIApplication([(r"/", MainHandler)])
        wsgiref.simple_server.make_server("", 8888, application).serve_forever()

    The arguments are those of `.Application`. Requests run in the same way and with the same limitations as
    with `WSGIAdapter`.

    Deprecated: serve an `.Application` with `.HTTPServer`, or wrap it in a `WSGIAdapter`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        deprecated("wsgi.WSGIApplication", "serve an Application with Application.listen() or HTTPServer")
        super().__init__(*args, **kwargs)
        self._adapter = _Adapter(self)

    def __call__(  # type: ignore[override]
        self, environ: dict[str, Any], start_response: StartResponse
    ) -> list[bytes]:
        """Run the application for one request (PEP 3333)."""
        return self._adapter(environ, start_response)


class _Adapter(WSGIAdapter):
    """The adapter for a `WSGIApplication`. It issues no deprecation warning, because the application does."""

    def __init__(self, application: Application) -> None:
        self.application = application


export(globals(), module="tornado.wsgi")
