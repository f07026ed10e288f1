"""`HTTPServerRequest`: the request object of handlers.

A server creates one for each request. Values that few handlers read are lazy attributes: a descriptor
computes the value when it is first read and stores it in the instance, where it is an ordinary attribute from
then on. Because the descriptors have no ``__set__``, a value in the instance takes precedence, and programs
and tests may set every attribute at any time.
"""

from __future__ import annotations

import operator
import re
import ssl
import time
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Any

from tornado._tornado4.deprecation import deprecated
from tornado._wire.cookies import parse_cookie
from tornado._wire.errors import HTTPInputError
from tornado._wire.headers import HTTPHeaders, is_unchanged
from tornado._wire.heads import CompactHead
from tornado._wire.start_line import check_authority
from tornado._wire.urlencoded import parse_urlencoded
from tornado.httputil import _forms
from tornado.httputil._forms import HTTPFile, parse_query
from tornado.httputil._lazy_form import LazyForm
from tornado.httputil._request_id import choose_id, new_id
from tornado.httputil._url import split_host_and_port
from tornado.httputil._wait_time import WaitTime

if TYPE_CHECKING:
    from tornado._wire.heads import RequestHead
    from tornado.httputil._delegates import HTTPConnection
    from tornado.httputil._start_line import RequestStartLine

_DEFAULT_HOST = "127.0.0.1"
# A target of up to this many characters is too short to exceed any sensible limit on the number of fields.
_SHORT_TARGET = 500
# These patterns expect a validated header section with a "\n" before its first line. A search is fastest if
# the pattern begins with a single character, and character classes are faster than the IGNORECASE flag.
_cookie_fields = re.compile(r"\n[Cc][Oo][Oo][Kk][Ii][Ee]:([^\r\n]*+)").findall
_content_fields = re.compile(
    r"\n[Cc][Oo][Nn][Tt][Ee][Nn][Tt]-([Tt][Yy][Pp][Ee]|[Ee][Nn][Cc][Oo][Dd][Ii][Nn][Gg]):([^\r\n]*+)"
).findall


_new = object.__new__


class HTTPServerRequest:
    """A single HTTP request.

    All attributes may be set. Each argument has a list of values, because names may be repeated. The values
    are bytes, because forms do not specify a charset; `RequestHandler.get_argument` decodes them.

    :ivar method: ``GET``, ``POST`` …
    :ivar uri: the path and the query, as sent.
    :ivar path: the part of `uri` before the first ``?``.
    :ivar query: the part of `uri` after the first ``?``.
    :ivar version: ``HTTP/1.1``
    :ivar headers: `HTTPHeaders`. If a program creates the request, any mapping with ``in``, ``[]`` and
        ``get``.
    :ivar body: the body as bytes; empty if it is streamed to the handler.
    :ivar remote_ip: the client's address; None without a connection. If ``xheaders`` is set, the address in
        ``X-Real-Ip`` or ``X-Forwarded-For``.
    :ivar protocol: ``http`` or ``https``. If ``xheaders`` is set, the value of ``X-Scheme`` or
        ``X-Forwarded-Proto``.
    :ivar host: the authority of the requested URL, usually the value of the Host field.
    :ivar host_name: `host` in lower case and without the port.
    :ivar arguments: name -> values; those in the query, followed by those in the body.
    :ivar query_arguments: name -> values, only those in the query.
    :ivar body_arguments: name -> values, only those of a form in the body.
    :ivar files: name -> `HTTPFile` objects uploaded in the body.
    :ivar id: the identifier of the request in logs: that of a trusted proxy (the server's ``xheaders``) in
        X-Request-Id or traceparent, otherwise 32 random hexadecimal digits.
    :ivar connection: the connection object to which the response is written.
    :ivar server_connection: an object that identifies the connection, which may carry several requests.

    The constructor is for tests and for custom servers.

    :param start_line: a `RequestStartLine`. It replaces the arguments ``method``, ``uri`` and ``version``.
    :param host: overrides the Host field; deprecated.
    :raises HTTPInputError: if the Host field is malformed, or missing in HTTP/1.1, or the query has too many
        fields.

    >>> from tornado.httputil import RequestStartLine
    >>> line = RequestStartLine("GET", "/search?q=a+b", "HTTP/1.1")
    >>> request = HTTPServerRequest(start_line=line, headers=HTTPHeaders({"Host": "example.com:8888"}))
    >>> request.path, request.arguments, request.host_name
    ('/search', {'q': [b'a b']}, 'example.com')
    """

    method: str
    uri: str
    path: str
    query: str
    version: str
    headers: HTTPHeaders
    body: bytes = b""
    remote_ip: str | None
    protocol: str
    host: str
    host_name: str
    arguments: dict[str, list[bytes]]
    query_arguments: dict[str, list[bytes]]
    body_arguments: dict[str, list[bytes]]
    files: dict[str, list[HTTPFile]]
    cookies: SimpleCookie
    id: str
    #: The `tornado.routing.Rule` by which a router has found the handler, or None.
    matched_rule: Any
    #: The `tornado._gateway_observation.ObservedRequest` of a request that a WSGI or ASGI application serves.
    gateway: Any = None
    connection: HTTPConnection | None
    server_connection: object = None

    _cookie_values: dict[str, str]
    _head: RequestHead | CompactHead
    _start_time: float
    _finish_time: float | None = None
    _wait_time: WaitTime | None = None
    _form: LazyForm | None = None
    _merged_form: LazyForm | None = None  # the form whose arguments are in the attributes

    def __init__(
        self,
        method: str | None = None,
        uri: str | None = None,
        version: str = "HTTP/1.0",
        headers: HTTPHeaders | None = None,
        body: bytes | None = None,
        host: str | None = None,
        files: dict[str, list[HTTPFile]] | None = None,
        connection: HTTPConnection | None = None,
        start_line: RequestStartLine | None = None,
        server_connection: object | None = None,
    ) -> None:
        _warn_deprecated_arguments(method, uri, host, start_line)
        if start_line is not None:
            method, uri, version = start_line
        self.method = method or "GET"
        self.uri = uri or "/"
        self.version = version
        self.headers = HTTPHeaders() if headers is None else headers
        self.body = body or b""
        self.connection = connection
        self.server_connection = server_connection
        self._start_time = time.time()
        self.matched_rule = None
        self.host = _checked_host(self.headers.get("Host") if host is None else host, version)
        self.path, _, self.query = self.uri.partition("?")
        self.query_arguments = parse_query(self.query)
        self.body_arguments = {}
        self.arguments = {name: values[:] for name, values in self.query_arguments.items()}
        self.files = files or {}

    @classmethod
    def _from_head(cls, connection: Any, head: RequestHead) -> HTTPServerRequest:
        """Create the request from a head that a server has read and validated. Other attributes are lazy.

        :raises HTTPInputError: if the query has too many fields.
        """
        self = _new(cls)
        self.connection = connection
        self._head = head
        self._start_time = time.time()
        self.matched_rule = None
        # These attributes are read in every request; copying a value costs a tenth of a lazy attribute.
        self.method = head.method
        self.uri = uri = head.target
        self.version = head.version
        self.path = head.path
        if len(uri) > _SHORT_TARGET:
            self.query_arguments = _query_arguments(self)
        return self

    def request_time(self) -> float:
        """Return the time since the request arrived, or its total duration if it is finished, in seconds."""
        end = time.time() if self._finish_time is None else self._finish_time
        return end - self._start_time

    def waiting(self) -> AbstractContextManager[None]:
        """Return a context manager for the time in which the handler waits by design, as in long polling::

            with self.request.waiting():
                await asyncio.wait_for(self.room.changed.wait(), 25)

        This time is not part of the durations in metrics, and the dashboard lists the request after those
        that do not wait. Access logs and spans contain the whole duration. Event streams wait from their
        beginning to their end without this method.
        """
        if self._wait_time is None:
            self._wait_time = WaitTime()
        return self._wait_time

    @property
    def is_waiting(self) -> bool:
        """Whether the handler waits by design; see `waiting`."""
        return self._wait_time is not None and self._wait_time.is_waiting

    def wait_time(self) -> float:
        """Return the time for which the handler has waited by design, in seconds; see `waiting`."""
        return 0.0 if self._wait_time is None else self._wait_time.total()

    def full_url(self) -> str:
        """Return the requested URL, which consists of protocol, host and `uri`.

        The targets of ``OPTIONS *`` and of CONNECT refer to the host itself, so their URLs have no path (RFC
        9112 section 3.3).
        """
        path = "" if self.uri == "*" or self.method == "CONNECT" else self.uri
        return f"{self.protocol}://{self.host}{path}"

    def get_ssl_certificate(self, binary_form: bool = False) -> dict[str, Any] | bytes | None:
        """Return the client's TLS certificate, or None if the client sent no certificate.

        The server's ``ssl_options`` must request one: ``ssl_context.verify_mode = ssl.CERT_REQUIRED``.

        :param binary_form: whether to return DER-encoded bytes instead of the dict of
            ``ssl.SSLSocket.getpeercert``.
        """
        stream = getattr(self.connection, "stream", None)
        getpeercert = getattr(getattr(stream, "socket", None), "getpeercert", None)
        if getpeercert is None:
            return None
        try:
            certificate: dict[str, Any] | bytes | None = getpeercert(binary_form=binary_form)
        except ssl.SSLError:
            return None
        return certificate

    def supports_http_1_1(self) -> bool:
        """Whether the client supports HTTP/1.1. Deprecated: compare `version`."""
        _deprecated("supports_http_1_1()", "compare request.version")
        return self.version == "HTTP/1.1"

    def write(self, chunk: bytes) -> None:
        """Send a part of a serialized response. Deprecated: use ``connection.write``."""
        _deprecated("write()", "use request.connection.write_headers() and write()")
        connection: Any = self.connection
        _ = connection.write(chunk)

    def finish(self) -> None:
        """End the response. Deprecated: use ``connection.finish``."""
        _deprecated("finish()", "use request.connection.finish()")
        self._finish_time = time.time()
        connection: Any = self.connection
        connection.finish()

    def save_form(self, fresh: bool = False) -> None:
        """Save the body's form, to be decoded when the program first reads an argument or a file.

        If the program overrides `_parse_body`, or has read arguments already, the form is decoded
        immediately.

        :param fresh: whether the program has not had access to the request yet, so that no arguments are in
            use.
        :raises HTTPInputError: if the body is decoded immediately and is malformed.
        """
        present = self.__dict__
        if fresh or self._has_initial_arguments():
            for name in ("arguments", "body_arguments", "files"):
                present.pop(name, None)
        if type(self)._parse_body is not _PARSE_BODY or "_parse_body" in present:
            self._parse_body()
            present.setdefault("body_arguments", {})
            present.setdefault("files", {})
        elif "arguments" in present or "body_arguments" in present or "files" in present:
            self._parse_body()
        else:
            self._form = _lazy_form(self)

    def _has_initial_arguments(self) -> bool:
        """Whether the arguments are still those that the constructor created, before the body arrived."""
        present = self.__dict__
        return (
            "_head" not in present
            and present.get("body_arguments") == present.get("files") == {}
            and present.get("arguments") == self.query_arguments
        )

    def tolerate_bad_form(self) -> None:
        """Treat a malformed body as one without arguments from now on.

        Called before an error page is generated, because code that generates it may read query arguments.
        """
        if self._form is None and self.body:
            self._form = _lazy_form(self)
        if self._form is not None:
            self._form.tolerate()

    def _parse_body(self) -> None:
        """Decode the arguments and files in the body immediately, once for each value of `body`.

        :raises HTTPInputError: if the body is a malformed form, or one that exceeds a limit.
        """
        self._read_form()
        form = self._form
        if form is not None and form.body is not self.body:  # replaced after the form was saved
            self._form = None
            self._read_form()

    def _read_form(self) -> None:
        """Decode the saved form, or the form in `body`, and add its content to the attributes, only once."""
        form = self._form
        if form is None:
            if not self.body:
                return
            form = self._form = _lazy_form(self)
        elif form is self._merged_form:
            return
        form.read(_max_form_size(self.connection))
        self._merged_form = form
        present = self.__dict__
        if "body_arguments" in present:
            _merge(form.arguments, present["body_arguments"])
        else:
            present["body_arguments"] = form.arguments
        if "files" in present:
            _merge(form.files, present["files"])
        else:
            present["files"] = form.files
        if "arguments" in present:
            _merge(form.arguments, present["arguments"])

    def release_head(self) -> None:
        """Free the parts of the head that only the response needed. The server has sent the response, but
        keeps the request.

        The mapping of the header fields is created again when it is read. It is kept if a field was changed,
        or if it cannot be created again because the request was received through a message delegate.
        """
        head = getattr(self, "_head", None)
        if head is None:
            return
        # Without `__dict__`, because CPython allocates a dict object for it (64 bytes).
        if is_unchanged(self.headers, head.headers_block):
            del self.headers
        self._head = CompactHead(head)

    def __repr__(self) -> str:
        names = ("protocol", "host", "method", "uri", "version", "remote_ip")
        shown = ", ".join([f"{name}={getattr(self, name)!r}" for name in names])
        return f"{type(self).__name__}({shown})"


_PARSE_BODY = HTTPServerRequest._parse_body
#: Returns the time at which a request arrived (`time.time`). A method would take four times as long.
arrival_time: Callable[[HTTPServerRequest], float] = operator.attrgetter("_start_time")


def _deprecated(what: str, instead: str) -> None:
    deprecated(f"HTTPServerRequest.{what}", instead)


def _warn_deprecated_arguments(
    method: str | None, uri: str | None, host: str | None, start_line: RequestStartLine | None
) -> None:
    if method is not None or uri is not None:
        warnings.warn(
            "The method, uri, and version arguments to HTTPServerRequest are deprecated: "
            "pass start_line=RequestStartLine(method, uri, version)",
            DeprecationWarning,
            stacklevel=3,
        )
    if start_line is None:
        warnings.warn(
            "The start_line argument to HTTPServerRequest will be required: "
            "pass start_line=RequestStartLine(method, uri, version)",
            DeprecationWarning,
            stacklevel=3,
        )
    if host is not None:
        warnings.warn(
            "The host argument to HTTPServerRequest is deprecated: set the Host field in headers",
            DeprecationWarning,
            stacklevel=3,
        )


def _checked_host(host: str | None, version: str) -> str:
    """Check the host and return it (RFC 9112 section 3.2). Only HTTP/1.0 allows requests without a host."""
    if host is None:
        if version == "HTTP/1.0":
            return _DEFAULT_HOST
        raise HTTPInputError("missing Host header: HTTP/1.1 requires one")
    if "," in host:
        raise HTTPInputError(f"more than one Host header: {host!r}")
    check_authority(host)
    return host


def _merge(source: dict[str, list[Any]], target: dict[str, list[Any]]) -> None:
    for name, values in source.items():
        target.setdefault(name, []).extend(values)


# -- lazy attributes


class _Lazy:
    """A non-data descriptor that computes an attribute on first read and stores it in the instance."""

    __slots__ = ("compute", "name")

    def __init__(self, name: str, compute: Callable[[HTTPServerRequest], Any]) -> None:
        self.name = name
        self.compute = compute

    def __get__(self, request: HTTPServerRequest | None, owner: type | None = None) -> Any:
        if request is None:
            return self
        value = self.compute(request)
        setattr(request, self.name, value)
        return value


class _LazyQueryArguments(_Lazy):
    """The descriptor of `query_arguments`, which most handlers read; inlined to save three function calls."""

    __slots__ = ()

    def __get__(self, request: HTTPServerRequest | None, owner: type | None = None) -> Any:
        if request is None:
            return self
        found = parse_urlencoded(request._head.query, _forms.default_config.urlencoded.max_arguments)
        request.query_arguments = found
        return found


class _LazyRemoteIP(_Lazy):
    """The descriptor of `remote_ip`, which access logs read; inlined likewise."""

    __slots__ = ()

    def __get__(self, request: HTTPServerRequest | None, owner: type | None = None) -> Any:
        if request is None:
            return self
        connection: Any = request.connection
        try:
            found = connection.context.remote_ip
        except AttributeError:
            found = None
        request.remote_ip = found
        return found


class _LazyId(_Lazy):
    """The descriptor of `id`, which an observed application reads in each request; inlined likewise."""

    __slots__ = ()

    def __get__(self, request: HTTPServerRequest | None, owner: type | None = None) -> Any:
        if request is None:
            return self
        connection: Any = request.connection
        try:
            from_proxy = connection.context.from_proxy is True
        except AttributeError:
            from_proxy = False
        found = choose_id(request, True) if from_proxy else new_id()
        request.id = found
        return found


def _query_arguments(request: HTTPServerRequest) -> dict[str, list[bytes]]:
    return parse_urlencoded(request._head.query, _forms.default_config.urlencoded.max_arguments)


def _arguments(request: HTTPServerRequest) -> dict[str, list[bytes]]:
    merged = {name: values[:] for name, values in request.query_arguments.items()}
    if request._form is not None or request.body:
        _merge(request.body_arguments, merged)
    return merged


def _body_arguments(request: HTTPServerRequest) -> dict[str, list[bytes]]:
    return _from_body(request, "body_arguments")


def _files(request: HTTPServerRequest) -> dict[str, list[HTTPFile]]:
    return _from_body(request, "files")


def _from_body(request: HTTPServerRequest, name: str) -> dict[str, list[Any]]:
    if type(request)._parse_body is _PARSE_BODY and "_parse_body" not in request.__dict__:
        request._read_form()
    else:
        request._parse_body()
    found: dict[str, list[Any]] = request.__dict__.setdefault(name, {})
    return found


def _lazy_form(request: HTTPServerRequest) -> LazyForm:
    """Return the form in the body, without creating the headers mapping if it does not exist yet."""
    present = request.__dict__
    if "headers" not in present and "_head" in present:
        fields = _content_fields("\n" + request._head.headers_block)
        if len(fields) == 1 and len(fields[0][0]) == len("type"):
            return LazyForm(request.body, fields[0][1].strip(" \t"), None)
    headers = request.headers
    return LazyForm(request.body, headers.get("Content-Type", ""), headers)


def _max_form_size(connection: object) -> int | None:
    """Return the size limit on forms, or None if the connection has no such attribute."""
    size = getattr(connection, "max_form_size", None)
    return size if isinstance(size, int) else None


def _context(request: HTTPServerRequest) -> object:
    return getattr(request.connection, "context", None)


def _cookie_values(request: HTTPServerRequest) -> dict[str, str]:
    """Return a dict of cookie names and values, including cookies with invalid names.

    The headers mapping is not created if it does not exist yet.
    """
    present = request.__dict__
    if "headers" in present or "_head" not in present:
        fields = _cookie_lines(request.headers)
    else:
        fields = _cookie_fields("\n" + request._head.headers_block)
    return parse_cookie("; ".join(fields))


def _cookie_lines(headers: Any) -> list[str]:
    """Return the Cookie field lines; the headers of a request that a program created may be any mapping."""
    if isinstance(headers, HTTPHeaders):
        return headers.get_list("Cookie")
    return [headers["Cookie"]] if "Cookie" in headers else []


def _cookies(request: HTTPServerRequest) -> SimpleCookie:
    cookies = SimpleCookie()
    for name, value in request._cookie_values.items():
        try:
            cookies[name] = value
        except CookieError:
            continue  # the name is reserved or not a token, so no program can have set this cookie
    return cookies


_COMPUTED: dict[str, Callable[[HTTPServerRequest], Any]] = {
    "headers": lambda request: request._head.headers,
    "host": lambda request: _DEFAULT_HOST if request._head.host is None else request._head.host,
    "host_name": lambda request: split_host_and_port(request.host.lower())[0],
    "query": lambda request: request._head.query,
    "query_arguments": _query_arguments,
    "arguments": _arguments,
    "body_arguments": _body_arguments,
    "files": _files,
    "cookies": _cookies,
    "_cookie_values": _cookie_values,
    "remote_ip": lambda request: getattr(_context(request), "remote_ip", None),
    "protocol": lambda request: getattr(_context(request), "protocol", "http"),
    "id": lambda request: choose_id(request, getattr(_context(request), "from_proxy", False) is True),
}

_INLINED: dict[str, type[_Lazy]] = {
    "query_arguments": _LazyQueryArguments,
    "remote_ip": _LazyRemoteIP,
    "id": _LazyId,
}

for _name, _compute in _COMPUTED.items():
    setattr(HTTPServerRequest, _name, _INLINED.get(_name, _Lazy)(_name, _compute))
