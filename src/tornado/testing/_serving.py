"""A server that runs during an ``async with`` block, for any test runner."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Unpack

from tornado.testing._lifespan import lifespan_of
from tornado.testing._ports import bind_unused_port

if TYPE_CHECKING:
    from tornado._http_server_options import HTTPServerOptions
    from tornado.httpclient import AsyncHTTPClient, HTTPResponse
    from tornado.httpclient._options import HTTPRequestOptions
    from tornado.httpserver import HTTPServer
    from tornado.httputil import HTTPServerConnectionDelegate, HTTPServerRequest


class RunningServer:
    """A server started by `serving`, and a client for it."""

    def __init__(self, http_server: HTTPServer, http_client: AsyncHTTPClient, base_url: str) -> None:
        #: The server.
        self.http_server = http_server
        #: The client. It is not shared with other code.
        self.http_client = http_client
        self._base_url = base_url

    def url(self, path: str = "/") -> str:
        """Return the full URL of a path on this server. A full http or https URL is returned unchanged."""
        return path if is_full_url(path) else self._base_url + path

    async def fetch(
        self, path: str = "/", raise_error: bool = False, **kwargs: Unpack[HTTPRequestOptions]
    ) -> HTTPResponse:
        """Send a request and return the response.

        :param path: a path on this server, with its query, or a full http or https URL.
        :param raise_error: whether to raise `HTTPError <tornado.httpclient.HTTPError>` for an error status.
            Errors without a status, such as a timeout, are always raised.
        :param kwargs: arguments for `HTTPRequest <tornado.httpclient.HTTPRequest>`.
        """
        return await self.http_client.fetch(self.url(path), raise_error=raise_error, **kwargs)


@contextlib.asynccontextmanager
async def serving(
    app: HTTPServerConnectionDelegate | Callable[[HTTPServerRequest], object],
    **options: Unpack[HTTPServerOptions],
) -> AsyncIterator[RunningServer]:
    """Serve an application on 127.0.0.1, on an unused port::

        async with serving(make_app()) as server:
            response = await server.fetch("/")

    The lifespan of an `Application <tornado.web.Application>` begins before the block. At the end of the
    block, the server stops, all remaining connections are closed, and the lifespan ends.

    :param app: a `tornado.web.Application`, or another object that an
        `HTTPServer <tornado.httpserver.HTTPServer>` accepts.
    :param options: arguments for the HTTPServer. With ``ssl_options``, the scheme is https, and the client
        does not verify the certificate; `AsyncHTTPSTestCase.default_ssl_options` returns a test certificate.
    """
    from tornado.httpclient import AsyncHTTPClient
    from tornado.httpserver import HTTPServer

    http_server = HTTPServer(app, **options)
    http_client = AsyncHTTPClient(force_instance=True, defaults={"validate_cert": False})
    sock, port = bind_unused_port()
    scheme = "https" if options.get("ssl_options") else "http"
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(sock.close)
        stack.callback(http_client.close)
        await stack.enter_async_context(lifespan_of(app))
        http_server.add_sockets([sock])
        try:
            yield RunningServer(http_server, http_client, f"{scheme}://127.0.0.1:{port}")
        finally:
            http_server.stop()
            http_client.close()
            await http_server.close_all_connections()


def is_full_url(path: str) -> bool:
    """Whether a string is a full URL, not a path on the server under test."""
    return path.lower().startswith(("http://", "https://"))
