"""Test cases with an HTTP server and a client."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from tornado.testing._case import AsyncTestCase
from tornado.testing._lifespan import LifespanTask, has_lifespan
from tornado.testing._ports import bind_unused_port
from tornado.testing._serving import is_full_url
from tornado.testing._timeout import get_async_test_timeout

if TYPE_CHECKING:
    from tornado.httpclient import AsyncHTTPClient, HTTPResponse
    from tornado.httpclient._options import HTTPRequestOptions
    from tornado.httpserver import HTTPServer
    from tornado.httputil import HTTPServerConnectionDelegate, HTTPServerRequest


class AsyncHTTPTestCase(AsyncTestCase):
    """A test case with an HTTP server and a client. Subclasses define `get_app`; tests call `fetch`."""

    def setUp(self) -> None:
        """Create the client, begin the application's lifespan, and start the server on an unused port."""
        super().setUp()
        sock, self._port = bind_unused_port()
        #: The client.
        self.http_client: AsyncHTTPClient = self.get_http_client()
        self._app = self.get_app()
        #: The server.
        self.http_server: HTTPServer = self.get_http_server()
        self._lifespan: LifespanTask | None = None
        if has_lifespan(self._app):
            lifespan = LifespanTask(self._app)
            try:
                self.io_loop.run_sync(lifespan.start, timeout=get_async_test_timeout())
            except BaseException:
                sock.close()
                raise
            self._lifespan = lifespan
        self.http_server.add_sockets([sock])

    def tearDown(self) -> None:
        """Stop the server, close its connections and the client, and end the lifespan of the application."""
        self.http_server.stop()
        self.io_loop.run_sync(self.http_server.close_all_connections, timeout=get_async_test_timeout())
        self.http_client.close()
        try:
            if self._lifespan is not None:
                self.io_loop.run_sync(self._lifespan.stop, timeout=get_async_test_timeout())
        finally:
            self._release_server()
            super().tearDown()

    def _release_server(self) -> None:
        # Test runners keep references to all test cases until the end of the run. Release the application
        # now.
        del self.http_server, self._app, self._lifespan

    def get_http_client(self) -> AsyncHTTPClient:
        """Create the client for a test."""
        from tornado.httpclient import AsyncHTTPClient

        return AsyncHTTPClient()

    def get_http_server(self) -> HTTPServer:
        """Create the server for a test, from ``self._app`` and `get_httpserver_options`."""
        from tornado.httpserver import HTTPServer

        return HTTPServer(self._app, **self.get_httpserver_options())

    def get_app(self) -> HTTPServerConnectionDelegate | Callable[[HTTPServerRequest], object]:
        """Return the application to test. Subclasses must define this method.

        :returns: a `tornado.web.Application`, or another object that an HTTPServer accepts.
        """
        raise NotImplementedError(f"{type(self).__name__} must define get_app() to return its application")

    def fetch(
        self, path: str, raise_error: bool = False, **kwargs: Unpack[HTTPRequestOptions]
    ) -> HTTPResponse:
        """Send a request, and run the loop until the response has been received.

        :param path: a path on the server of this test, with its query, or a full http or https URL.
        :param raise_error: whether to raise `HTTPError <tornado.httpclient.HTTPError>` for an error status.
            Errors without a status, such as a timeout, are always raised.
        :param kwargs: arguments for `HTTPRequest <tornado.httpclient.HTTPRequest>`.
        """
        url = path if is_full_url(path) else self.get_url(path)
        response: HTTPResponse = self.io_loop.run_sync(
            lambda: self.http_client.fetch(url, raise_error=raise_error, **kwargs),
            timeout=get_async_test_timeout(),
        )
        return response

    def get_httpserver_options(self) -> dict[str, Any]:
        """Return the keyword arguments for the server."""
        return {}

    def get_http_port(self) -> int:
        """Return the port on which the server listens."""
        return self._port

    def get_protocol(self) -> str:
        """Return the scheme of the server's URLs."""
        return "http"

    def get_url(self, path: str) -> str:
        """Return the full URL of a path on the server of this test."""
        return f"{self.get_protocol()}://127.0.0.1:{self.get_http_port()}{path}"


class AsyncHTTPSTestCase(AsyncHTTPTestCase):
    """An `AsyncHTTPTestCase` over TLS, with a test certificate, which the client does not verify."""

    def get_http_client(self) -> AsyncHTTPClient:
        """Create a client that does not verify certificates."""
        from tornado.httpclient import AsyncHTTPClient

        return AsyncHTTPClient(force_instance=True, defaults={"validate_cert": False})

    def get_httpserver_options(self) -> dict[str, Any]:
        """Return the keyword arguments for the server: ``ssl_options``."""
        return {"ssl_options": self.get_ssl_options()}

    def get_ssl_options(self) -> dict[str, Any]:
        """Return the TLS options of the server. Override it to use another certificate."""
        return self.default_ssl_options()

    @staticmethod
    def default_ssl_options() -> dict[str, Any]:
        """Return the test certificate, for localhost, 127.0.0.1 and ::1. Its private key is public."""
        pem = str(Path(__file__).with_name("localhost.pem"))
        return {"certfile": pem, "keyfile": pem}

    def get_protocol(self) -> str:
        """Return the scheme of the server's URLs."""
        return "https"
