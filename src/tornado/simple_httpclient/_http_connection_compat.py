"""`_HTTPConnection`: one request of the client, for programs that subclass it.

It connects, sends the request, receives the response and follows a redirect. It reports the outcome exactly
once.
"""

from __future__ import annotations

import asyncio
import base64
import functools
import inspect
import socket
import ssl
import time
from collections.abc import Awaitable, Callable
from io import BytesIO
from types import TracebackType
from typing import Any
from urllib.parse import unquote, urlsplit

from tornado import gen, httputil
from tornado._version import version
from tornado.http1connection import HTTP1Connection, HTTP1ConnectionParameters
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest, HTTPResponse
from tornado.ioloop import IOLoop
from tornado.iostream import IOStream, StreamClosedError
from tornado.netutil import is_valid_ip
from tornado.simple_httpclient._errors import NO_RESPONSE, HTTPStreamClosedError, HTTPTimeoutError
from tornado.simple_httpclient._redirect import REDIRECT_CODES, check_downgrade, redirected_request
from tornado.simple_httpclient._tls import client_context
from tornado.simple_httpclient._url import DEFAULT_PORTS
from tornado.tcpclient import TCPClient

_UNSUPPORTED = ("proxy_host", "proxy_port", "proxy_username", "proxy_password", "proxy_auth_mode")


class _HTTPConnection(httputil.HTTPMessageDelegate):
    """One request on a separate connection. Programs subclass it and override its methods."""

    _SUPPORTED_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"))

    #: The `HTTP1Connection` and its stream; these attributes are set once the connection is open.
    connection: HTTP1Connection
    stream: IOStream

    def __init__(
        self,
        client: AsyncHTTPClient | None,
        request: HTTPRequest,
        release_callback: Callable[[], None] | None,
        final_callback: Callable[[HTTPResponse], None],
        max_buffer_size: int,
        tcp_client: TCPClient,
        max_header_size: int | None,
        max_body_size: int | None,
    ) -> None:
        self.io_loop = IOLoop.current()
        self.client, self.tcp_client = client, tcp_client
        self.request = request
        #: None after the outcome of the request has been reported.
        self.final_callback: Callable[[HTTPResponse], None] | None = final_callback
        self.release_callback = release_callback
        self.max_header_size, self.max_body_size = max_header_size, max_body_size
        self.max_buffer_size = max_buffer_size
        #: When the request was started, on the wall clock and on the loop's clock, in seconds.
        self.start_wall_time = time.time()
        self.start_time = self.io_loop.time()
        self.code: int | None = None
        self.reason: str | None = None
        self.headers: httputil.HTTPHeaders | None = None
        self.chunks: list[bytes] = []
        self._timeout: object | None = None
        self._sockaddr: Any = None
        self._body_sent = False
        self.io_loop.add_future(gen.convert_yielded(self.run()), lambda done: done.result())

    # -- the request --

    async def run(self) -> None:
        """Carry out the request, from the DNS look-up to the end of the response."""
        try:
            await self._connect()
            if self.final_callback is None:
                return
            start_line, headers = self._head()
            self.connection = self._create_connection(self.stream)
            # The write is not awaited: a failure closes the stream, and the close callback reports it.
            _ = self.connection.write_headers(start_line, headers)
            if self.request.expect_100_continue:
                await self.connection.read_response(self)
            else:
                await self._write_body(True)
        except Exception as error:
            if not self._handle_exception(type(error), error, error.__traceback__):
                raise

    async def _connect(self) -> None:
        """Connect to the server; set `parsed` and `stream`."""
        self.parsed = urlsplit(self.request.url)
        scheme = self.parsed.scheme
        if scheme not in DEFAULT_PORTS:
            raise ValueError(
                f"Unsupported url scheme {scheme!r} in {self.request.url!r}: expected http:// or https://"
            )
        host, port = self._host_and_port()
        request = self.request
        limits = [limit for limit in (request.connect_timeout, request.request_timeout) if limit]
        options: dict[str, Any] = {"timeout": min(limits)} if limits else {}
        if request.network_interface:
            if not is_valid_ip(request.network_interface):
                raise ValueError(
                    "network_interface must be an IP address of this machine, "
                    f"not {request.network_interface!r}"
                )
            options["source_ip"] = request.network_interface
        try:
            stream = await self._open_stream(
                host,
                port,
                af=socket.AF_INET if request.allow_ipv6 is False else socket.AF_UNSPEC,
                ssl_options=self._get_ssl_options(scheme),
                max_buffer_size=self.max_buffer_size,
                **options,
            )
        except TimeoutError as error:
            if error.errno is not None:
                raise  # ETIMEDOUT, from the system
            text = " ".join([str(error) or "Timeout while connecting", *getattr(error, "__notes__", ())])
            raise HTTPTimeoutError(text) from error
        if self.final_callback is None:
            stream.close()  # the outcome was reported while this method was connecting
            return
        self.stream = stream
        stream.set_close_callback(self.on_connection_close)
        if request.request_timeout:
            self._timeout = self.io_loop.add_timeout(
                self.start_time + request.request_timeout,
                functools.partial(self._on_timeout, "during request"),
            )

    async def _open_stream(self, host: str, port: int, **options: Any) -> IOStream:
        """Connect to the server; the options are those of `.TCPClient.connect`."""
        return await self.tcp_client.connect(host, port, **options)

    @property
    def parsed_hostname(self) -> str:
        """The host of the URL, without the brackets of an IPv6 address."""
        return self._host_and_port()[0]

    def _host_and_port(self) -> tuple[str, int]:
        host, port = httputil.split_host_and_port(self.parsed.netloc.rpartition("@")[2])
        if not host:
            raise ValueError(f"the URL {self.request.url!r} has no host")
        if host.startswith("[") and host.endswith("]"):
            host = host[1:-1]  # an IPv6 address; only URLs have the brackets
        return host, DEFAULT_PORTS[self.parsed.scheme] if port is None else port

    def _get_ssl_options(self, scheme: str) -> dict[str, Any] | ssl.SSLContext | None:
        """Return the TLS options for the request, or None for a plain connection."""
        if scheme != "https":
            return None
        if self.request.ssl_options is not None:
            return self.request.ssl_options
        request = self.request
        return client_context(
            bool(request.validate_cert), request.ca_certs, request.client_cert, request.client_key
        )

    def _head(self) -> tuple[httputil.RequestStartLine, httputil.HTTPHeaders]:
        """Check the request and return the request line and the header fields to send."""
        request, parsed = self.request, self.parsed
        self._check_request()
        headers = request.headers
        headers.pop("Proxy-Authorization", None)  # this class does not use a proxy
        if "Connection" not in headers:
            headers["Connection"] = "close"
        if "Host" not in headers:
            headers["Host"] = parsed.netloc.rpartition("@")[2]
        self._add_credentials(headers)
        if request.user_agent:
            headers["User-Agent"] = request.user_agent
        elif "User-Agent" not in headers:
            headers["User-Agent"] = f"Tornado/{version}"
        if request.expect_100_continue:
            headers["Expect"] = "100-continue"
        if request.body is not None:
            headers["Content-Length"] = str(len(request.body))
        if request.method == "POST" and "Content-Type" not in headers:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        if request.decompress_response:
            headers["Accept-Encoding"] = "gzip"
        target = (parsed.path or "/") + (f"?{parsed.query}" if parsed.query else "")
        return httputil.RequestStartLine(request.method, target, ""), headers

    def _check_request(self) -> None:
        request = self.request
        for name in _UNSUPPORTED:
            if getattr(request, name, None):
                raise NotImplementedError(
                    f"{name} is not supported by this client: use tornado.curl_httpclient"
                )
        if request.allow_nonstandard_methods:
            return
        if request.method not in self._SUPPORTED_METHODS:
            raise KeyError(f"unknown method {request.method}: set allow_nonstandard_methods=True to send it")
        if request.body is not None and request.body_producer is not None:
            raise ValueError("a request must not have both a body and a body_producer")
        has_body = request.body is not None or request.body_producer is not None
        if has_body != (request.method in ("POST", "PUT", "PATCH")):
            rule = "must be None" if has_body else 'must not be None (it may be b"")'
            raise ValueError(
                f"the body {rule} for method {request.method}, unless allow_nonstandard_methods is true"
            )

    def _add_credentials(self, headers: httputil.HTTPHeaders) -> None:
        """Add basic authentication (RFC 7617) from the request's arguments, or else from the URL."""
        request = self.request
        if request.auth_username is not None:
            username, password = request.auth_username, request.auth_password or ""
        elif self.parsed.username is not None:
            username, password = unquote(self.parsed.username), unquote(self.parsed.password or "")
        else:
            return
        if request.auth_mode not in (None, "basic"):
            raise ValueError(
                f"auth_mode {request.auth_mode!r} is not supported by this client: expected 'basic'"
            )
        pair = httputil.encode_username_password(username, password)
        headers["Authorization"] = "Basic " + base64.b64encode(pair).decode("ascii")

    def _create_connection(self, stream: IOStream) -> HTTP1Connection:
        stream.set_nodelay(True)
        params = HTTP1ConnectionParameters(
            no_keep_alive=True,
            max_header_size=self.max_header_size,
            max_body_size=self.max_body_size,
            decompress=bool(self.request.decompress_response),
        )
        return HTTP1Connection(stream, True, params, self._sockaddr)

    async def _write_body(self, start_read: bool) -> None:
        """Send the body, if any, and end the request; then read the response if ``start_read``."""
        self._body_sent = True
        if self.request.body is not None:
            _ = self.connection.write(self.request.body)
        elif self.request.body_producer is not None:
            produced = self.request.body_producer(self.connection.write)
            if produced is not None:
                await gen.convert_yielded(produced)
        self.connection.finish()
        if start_read:
            await self.connection.read_response(self)

    # -- the response: callbacks for HTTP1Connection --

    def headers_received(
        self,
        start_line: httputil.RequestStartLine | httputil.ResponseStartLine,
        headers: httputil.HTTPHeaders,
    ) -> Awaitable[None] | None:
        """Process the head of an interim or final response."""
        assert isinstance(start_line, httputil.ResponseStartLine)
        if 100 <= start_line.code < 200 and start_line.code != 101:
            is_expected = start_line.code == 100 and self.request.expect_100_continue and not self._body_sent
            return self._write_body(False) if is_expected else None
        self.code = start_line.code
        self.reason = start_line.reason
        self.headers = headers
        if not self._should_follow_redirect() and self.request.header_callback is not None:
            header_callback = self.request.header_callback
            header_callback(f"{start_line.version} {start_line.code} {start_line.reason}\r\n")
            for name, value in headers.get_all():
                header_callback(f"{name}: {value}\r\n")
            header_callback("\r\n")
        return None

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """Process a part of the body. The body of a redirect is discarded."""
        if self._should_follow_redirect():
            return None
        if self.request.streaming_callback is None:
            self.chunks.append(chunk)
            return None
        result = self.request.streaming_callback(chunk)
        return result if inspect.isawaitable(result) else None

    def finish(self) -> None:
        """Follow the redirect, or report the complete response."""
        self._remove_timeout()
        if self._should_follow_redirect():
            self._follow_redirect()
            return
        assert self.code is not None
        body = BytesIO(b"".join(self.chunks))
        self._run_callback(self._response(self.code, headers=self.headers, buffer=body, reason=self.reason))
        self._on_end_request()

    def on_connection_close(self) -> None:
        """Report that the connection was closed or its input was not valid HTTP."""
        if self.final_callback is None:
            return
        error = self.stream.error
        if not isinstance(error, Exception):
            # The error is None if the peer closed the connection, and a CancelledError if a callback was
            # cancelled. The fetch itself was not cancelled.
            fault = getattr(getattr(self, "connection", None), "fault", None)
            error = HTTPStreamClosedError(f"Connection closed: {fault}" if fault else "Connection closed")
            error.__cause__ = fault
        if not self._handle_exception(type(error), error, error.__traceback__):
            raise error

    # -- redirects --

    def _should_follow_redirect(self) -> bool:
        if (
            not self.request.follow_redirects
            or not self.request.max_redirects
            or self.code not in REDIRECT_CODES
        ):
            return False
        return self.headers is not None and self.headers.get("Location") is not None

    def _follow_redirect(self) -> None:
        """Fetch the redirect's target as a new request, and report its response as that of this request."""
        report, self.final_callback = self.final_callback, None
        self._release()
        self._on_end_request()
        if report is None:
            return
        original = self._original_request()

        def redirect_done(future: asyncio.Future[HTTPResponse]) -> None:
            error = asyncio.CancelledError() if future.cancelled() else future.exception()
            if error is not None:
                report(HTTPResponse(original, NO_RESPONSE, error=error, start_time=self.start_wall_time))
            else:
                report(future.result())

        try:
            assert self.client is not None
            assert self.code is not None
            assert self.headers is not None
            follow_up = redirected_request(_unwrap(self.request), self.request, self.code, self.headers)
            check_downgrade(self.request, follow_up)
            follow_up.original_request = original  # type: ignore[attr-defined]
            self.io_loop.add_future(self.client.fetch(follow_up, raise_error=False), redirect_done)
        except Exception as error:
            report(HTTPResponse(original, NO_RESPONSE, error=error, start_time=self.start_wall_time))

    def _original_request(self) -> HTTPRequest:
        """Return the request that the program made, before redirects."""
        current = _unwrap(self.request)
        original: HTTPRequest = getattr(current, "original_request", current)
        return original

    def _response(self, code: int, **details: Any) -> HTTPResponse:
        return HTTPResponse(
            self._original_request(),
            code,
            effective_url=self.request.url,
            start_time=self.start_wall_time,
            request_time=self.io_loop.time() - self.start_time,
            **details,
        )

    # -- the end --

    def _on_timeout(self, info: str | None = None) -> None:
        """Report a timeout; ``info`` names the phase."""
        self._timeout = None
        error = HTTPTimeoutError(f"Timeout {info}" if info else "Timeout")
        if self.final_callback is not None:
            self._handle_exception(HTTPTimeoutError, error, None)

    def _remove_timeout(self) -> None:
        if self._timeout is not None:
            self.io_loop.remove_timeout(self._timeout)
            self._timeout = None

    def _release(self) -> None:
        """Allow the client to start its next request. Only the first call has an effect."""
        release, self.release_callback = self.release_callback, None
        if release is not None:
            release()

    def _run_callback(self, response: HTTPResponse) -> None:
        """Report the response. Only the first call has an effect."""
        self._release()
        report, self.final_callback = self.final_callback, None
        if report is not None:
            self.io_loop.add_callback(report, response)

    def _handle_exception(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> bool:
        """Report an error as the outcome of the request; return whether the error has been handled."""
        if self.final_callback is None:
            # The outcome has been reported already, so the closing of the stream is not an error.
            return isinstance(value, StreamClosedError)
        self._remove_timeout()
        if isinstance(value, StreamClosedError):
            value = value.real_error or HTTPStreamClosedError("Stream closed")
        self._add_phase(value)
        self._run_callback(self._response(NO_RESPONSE, error=value))
        if hasattr(self, "stream"):
            self.stream.close()
        return True

    def _add_phase(self, error: BaseException | None) -> None:
        """Add the phase of the request and the server's address to the message of a connection error.

        The message of an error that was raised while connecting already includes the phase and the address.
        """
        if not hasattr(self, "stream") or not isinstance(error, (OSError, HTTPClientError)):
            return
        peer = self.parsed.netloc.rpartition("@")[2]
        phase = f"{'waiting for' if self.code is None else 'reading'} the response from {peer}"
        if isinstance(error, HTTPClientError):
            error.message = f"{error.message} ({phase})"
            error.args = (*error.args[:1], error.message, *error.args[2:])
        elif error.strerror and phase not in error.strerror:
            error.strerror = f"{error.strerror} ({phase})"

    def _on_end_request(self) -> None:
        """Close the stream after the request has ended."""
        self.stream.close()


def _unwrap(request: Any) -> HTTPRequest:
    """Return the request inside a view that has the client's defaults, or the request itself."""
    inner: HTTPRequest = getattr(request, "request", request)
    return inner
