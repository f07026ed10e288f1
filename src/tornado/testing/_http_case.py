"""Test cases with an HTTP server and a client."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from tornado.testing._case import AsyncTestCase
from tornado.testing._ports import bind_unused_port
from tornado.testing._serving import is_full_url
from tornado.testing._timeout import get_async_test_timeout

if TYPE_CHECKING:
    from tornado.httpclient import AsyncHTTPClient, HTTPResponse
    from tornado.httpclient._options import HTTPRequestOptions
    from tornado.httpserver import HTTPServer
    from tornado.httputil import HTTPServerConnectionDelegate, HTTPServerRequest


class AsyncHTTPTestCase(AsyncTestCase):
    """A test case with an HTTP server and a client. Define `get_app`; call `fetch`."""

    def setUp(self) -> None:
        """Start the server on a port of the kernel's choice, and make the client."""
        super().setUp()
        sock, self._port = bind_unused_port()
        #: The client.
        self.http_client: AsyncHTTPClient = self.get_http_client()
        self._app = self.get_app()
        #: The server.
        self.http_server: HTTPServer = self.get_http_server()
        self.http_server.add_sockets([sock])

    def tearDown(self) -> None:
        """Stop the server, close its connections and the client."""
        self.http_server.stop()
        self.io_loop.run_sync(self.http_server.close_all_connections, timeout=get_async_test_timeout())
        self.http_client.close()
        # A runner keeps every test case to its end; an application should not live so long.
        del self.http_server, self._app
        super().tearDown()

    def get_http_client(self) -> AsyncHTTPClient:
        """Give the client for a test."""
        from tornado.httpclient import AsyncHTTPClient

        return AsyncHTTPClient()

    def get_http_server(self) -> HTTPServer:
        """Give the server for a test: one of ``self._app`` with `get_httpserver_options`."""
        from tornado.httpserver import HTTPServer

        return HTTPServer(self._app, **self.get_httpserver_options())

    def get_app(self) -> HTTPServerConnectionDelegate | Callable[[HTTPServerRequest], object]:
        """Give the application under test. Every subclass defines it.

        :returns: a `tornado.web.Application`, or whatever else an HTTPServer takes.
        """
        raise NotImplementedError(f"{type(self).__name__} must define get_app() to return its application")

    def fetch(
        self, path: str, raise_error: bool = False, **kwargs: Unpack[HTTPRequestOptions]
    ) -> HTTPResponse:
        """Get one response, running the loop until it is there.

        :arg path: a path on the server of this test, with its query; or a full http or https URL.
        :arg raise_error: raise `HTTPError <tornado.httpclient.HTTPError>` for a status other than
            success. Errors without a status, such as a timeout, are raised either way.
        :arg kwargs: arguments of `HTTPRequest <tornado.httpclient.HTTPRequest>`.
        """
        url = path if is_full_url(path) else self.get_url(path)
        response: HTTPResponse = self.io_loop.run_sync(
            lambda: self.http_client.fetch(url, raise_error=raise_error, **kwargs),
            timeout=get_async_test_timeout(),
        )
        return response

    def get_httpserver_options(self) -> dict[str, Any]:
        """Give keyword arguments for the server."""
        return {}

    def get_http_port(self) -> int:
        """Give the port the server listens on."""
        return self._port

    def get_protocol(self) -> str:
        """Give the scheme of the server's URLs."""
        return "http"

    def get_url(self, path: str) -> str:
        """Give the full URL of a path on the server of this test."""
        return f"{self.get_protocol()}://127.0.0.1:{self.get_http_port()}{path}"


class AsyncHTTPSTestCase(AsyncHTTPTestCase):
    """The same over TLS, with a certificate made for tests, which the client does not check."""

    def get_http_client(self) -> AsyncHTTPClient:
        """Give a client that does not check certificates."""
        from tornado.httpclient import AsyncHTTPClient

        return AsyncHTTPClient(force_instance=True, defaults={"validate_cert": False})

    def get_httpserver_options(self) -> dict[str, Any]:
        """Give keyword arguments for the server: ``ssl_options``."""
        return {"ssl_options": self.get_ssl_options()}

    def get_ssl_options(self) -> dict[str, Any]:
        """Give the server's TLS options. Override it to use another certificate."""
        return self.default_ssl_options()

    @staticmethod
    def default_ssl_options() -> dict[str, Any]:
        """Give the certificate made for tests; its key is public. It is for localhost, 127.0.0.1 and ::1."""
        pem = str(Path(__file__).with_name("localhost.pem"))
        return {"certfile": pem, "keyfile": pem}

    def get_protocol(self) -> str:
        """Give the scheme of the server's URLs."""
        return "https"
