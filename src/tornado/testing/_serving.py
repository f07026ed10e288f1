"""A server for the time of an ``async with`` block, whatever runs the test."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Unpack

from tornado.testing._ports import bind_unused_port

if TYPE_CHECKING:
    from tornado._server_options import HTTPServerOptions
    from tornado.httpclient import AsyncHTTPClient, HTTPResponse
    from tornado.httpclient._options import HTTPRequestOptions
    from tornado.httpserver import HTTPServer
    from tornado.httputil import HTTPServerConnectionDelegate, HTTPServerRequest


class RunningServer:
    """A server that `serving` has started, and a client for it."""

    def __init__(self, http_server: HTTPServer, http_client: AsyncHTTPClient, base_url: str) -> None:
        #: The server.
        self.http_server = http_server
        #: The client. It is this server's own: closing it disturbs nobody else.
        self.http_client = http_client
        self._base_url = base_url

    def url(self, path: str = "/") -> str:
        """Give the full URL of a path on this server; a full http or https URL stays what it is."""
        return path if is_full_url(path) else self._base_url + path

    async def fetch(
        self, path: str = "/", raise_error: bool = False, **kwargs: Unpack[HTTPRequestOptions]
    ) -> HTTPResponse:
        """Get one response.

        :arg path: a path on this server, with its query; or a full http or https URL.
        :arg raise_error: raise `HTTPError <tornado.httpclient.HTTPError>` for a status other than
            success. Errors without a status, such as a timeout, are raised either way.
        :arg kwargs: arguments of `HTTPRequest <tornado.httpclient.HTTPRequest>`.
        """
        return await self.http_client.fetch(self.url(path), raise_error=raise_error, **kwargs)


@contextlib.asynccontextmanager
async def serving(
    app: HTTPServerConnectionDelegate | Callable[[HTTPServerRequest], object],
    **options: Unpack[HTTPServerOptions],
) -> AsyncIterator[RunningServer]:
    """Serve an application on 127.0.0.1, on a port of the kernel's choice::

        async with serving(make_app()) as server:
            response = await server.fetch("/")

    At the end of the block the server stops, and what connections are left are closed.

    :arg app: a `tornado.web.Application`, or whatever else an `HTTPServer <tornado.httpserver.HTTPServer>`
        takes.
    :arg options: arguments of the HTTPServer. With ``ssl_options`` the scheme is https, and the client does
        not check the certificate; `AsyncHTTPSTestCase.default_ssl_options` has one for tests.
    """
    from tornado.httpclient import AsyncHTTPClient
    from tornado.httpserver import HTTPServer

    http_server = HTTPServer(app, **options)
    http_client = AsyncHTTPClient(force_instance=True, defaults={"validate_cert": False})
    sock, port = bind_unused_port()
    http_server.add_sockets([sock])
    scheme = "https" if options.get("ssl_options") else "http"
    try:
        yield RunningServer(http_server, http_client, f"{scheme}://127.0.0.1:{port}")
    finally:
        http_server.stop()
        http_client.close()
        await http_server.close_all_connections()


def is_full_url(path: str) -> bool:
    """Tell a full URL from a path on the server under test."""
    return path.lower().startswith(("http://", "https://"))
