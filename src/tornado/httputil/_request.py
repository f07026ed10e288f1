"""`HTTPServerRequest`: one request, as a handler sees it.

A server makes one for each request it reads, so what a handler may never ask for is not computed: it is a
lazy attribute, a descriptor that computes the value on first touch and stores it in the instance, where it is
an ordinary attribute from then on. A descriptor without ``__set__`` gives way to what is in the instance, so
programs and tests may set every attribute, before or after.
"""

from __future__ import annotations

import re
import ssl
import time
import warnings
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Any

from tornado._tornado4.deprecation import deprecated
from tornado._wire.cookies import parse_cookie
from tornado._wire.errors import HTTPInputError
from tornado._wire.headers import HTTPHeaders
from tornado._wire.start_line import check_authority
from tornado._wire.urlencoded import parse_urlencoded
from tornado.httputil import _forms
from tornado.httputil._body_form import BodyForm
from tornado.httputil._forms import HTTPFile, parse_query
from tornado.httputil._url import split_host_and_port

if TYPE_CHECKING:
    from tornado._wire.heads import RequestHead
    from tornado.httputil._delegates import HTTPConnection
    from tornado.httputil._start_line import RequestStartLine

_DEFAULT_HOST = "127.0.0.1"
# Below this length a target cannot hold more fields than any sensible limit.
_SHORT_TARGET = 500
# For a validated block with a "\n" before its first line: a pattern that begins with one character is
# searched fastest, and classes are tried faster than the IGNORECASE flag.
_cookie_fields = re.compile(r"\n[Cc][Oo][Oo][Kk][Ii][Ee]:([^\r\n]*+)").findall
_content_fields = re.compile(
    r"\n[Cc][Oo][Nn][Tt][Ee][Nn][Tt]-([Tt][Yy][Pp][Ee]|[Ee][Nn][Cc][Oo][Dd][Ii][Nn][Gg]):([^\r\n]*+)"
).findall


_new = object.__new__


class HTTPServerRequest:
    """A single HTTP request.

    All attributes may be set. Arguments are lists, as names may be repeated, of bytes, as forms name no
    charset; `RequestHandler.get_argument` decodes them.

    :ivar method: ``GET``, ``POST`` …
    :ivar uri: the path and the query, as sent.
    :ivar path: what is before the first ``?`` of `uri`.
    :ivar query: what is after it.
    :ivar version: ``HTTP/1.1``
    :ivar headers: `HTTPHeaders`. A request that a program makes may have any mapping with ``in``, ``[]`` and
        ``get``.
    :ivar body: bytes; empty where the body is streamed to the handler.
    :ivar remote_ip: the client's address; None where there is no connection. Where the server was told to
        trust ``X-Real-Ip`` or ``X-Forwarded-For`` (``xheaders``), theirs.
    :ivar protocol: ``http`` or ``https``; with ``xheaders``, as ``X-Scheme`` or ``X-Forwarded-Proto`` say.
    :ivar host: the requested authority, most often the Host field.
    :ivar host_name: the same in lower case and without the port.
    :ivar arguments: name -> values, of the query and then of the body.
    :ivar query_arguments: name -> values of the query alone.
    :ivar body_arguments: name -> values of a form in the body alone.
    :ivar files: name -> `HTTPFile` objects uploaded in the body.
    :ivar connection: where the response is written.
    :ivar server_connection: stands for the connection that may carry several requests.

    The constructor is for tests and for servers of your own.

    :arg start_line: a `RequestStartLine`. The arguments ``method``, ``uri`` and ``version`` are its older
        form.
    :arg host: overrides the Host field; deprecated.
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
    connection: HTTPConnection | None
    server_connection: object = None

    _cookie_values: dict[str, str]
    _head: RequestHead
    _start_time: float
    _finish_time: float | None = None
    _form: BodyForm | None = None
    _merged_form: BodyForm | None = None  # the form whose arguments are in the attributes

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
        _warn_of_old_arguments(method, uri, host, start_line)
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
        self.host = _checked_host(self.headers.get("Host") if host is None else host, version)
        self.path, _, self.query = self.uri.partition("?")
        self.query_arguments = parse_query(self.query)
        self.body_arguments = {}
        self.arguments = {name: values[:] for name, values in self.query_arguments.items()}
        self.files = files or {}

    @classmethod
    def _from_head(cls, connection: Any, head: RequestHead) -> HTTPServerRequest:
        """The request whose head a server has read and validated; everything else is computed by need.

        :raises HTTPInputError: if the query has too many fields.
        """
        self = _new(cls)
        self.connection = connection
        self._head = head
        self._start_time = time.time()
        # Touched in every request; a plain copy costs a tenth of a lazy attribute.
        self.method = head.method
        self.uri = uri = head.target
        self.version = head.version
        self.path = head.path
        if len(uri) > _SHORT_TARGET:
            self.query_arguments = _query_arguments(self)
        return self

    def request_time(self) -> float:
        """Seconds since the request arrived, or that it took where it is finished."""
        end = time.time() if self._finish_time is None else self._finish_time
        return end - self._start_time

    def full_url(self) -> str:
        """The requested URL, put together from protocol, host and `uri`.

        An ``OPTIONS *`` and a CONNECT are about the host itself, and their URL has no path (RFC 9112 section
        3.3).
        """
        path = "" if self.uri == "*" or self.method == "CONNECT" else self.uri
        return f"{self.protocol}://{self.host}{path}"

    def get_ssl_certificate(self, binary_form: bool = False) -> dict[str, Any] | bytes | None:
        """The client's TLS certificate, or None where it gave none.

        The server's ``ssl_options`` must ask for it: ``ssl_context.verify_mode = ssl.CERT_REQUIRED``.

        :arg binary_form: whether to return it in DER, as bytes, rather than as the dict of
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
        """Whether the client speaks HTTP/1.1. Deprecated: compare `version`."""
        _deprecated("supports_http_1_1()", "compare request.version")
        return self.version == "HTTP/1.1"

    def write(self, chunk: bytes) -> None:
        """Send a part of a ready-made response. Deprecated: see ``connection.write``."""
        _deprecated("write()", "use request.connection.write_headers() and write()")
        connection: Any = self.connection
        _ = connection.write(chunk)

    def finish(self) -> None:
        """End the response. Deprecated: see ``connection.finish``."""
        _deprecated("finish()", "use request.connection.finish()")
        self._finish_time = time.time()
        connection: Any = self.connection
        connection.finish()

    def note_form(self, fresh: bool = False) -> None:
        """Note the form in the body, which is decoded when the program asks for an argument or a file.

        Where the program has a `_parse_body` of its own, or has looked at arguments already, it is decoded at
        once.

        :param fresh: whether the program has not seen the request yet, so that no arguments are in use.
        :raises HTTPInputError: if the body is decoded at once and is malformed.
        """
        present = self.__dict__
        if fresh or self._has_constructors_arguments():
            for name in ("arguments", "body_arguments", "files"):
                present.pop(name, None)
        if type(self)._parse_body is not _PARSE_BODY or "_parse_body" in present:
            self._parse_body()
            present.setdefault("body_arguments", {})
            present.setdefault("files", {})
        elif "arguments" in present or "body_arguments" in present or "files" in present:
            self._parse_body()
        else:
            self._form = _body_form(self)

    def _has_constructors_arguments(self) -> bool:
        """Whether the arguments are those that the constructor made, before there was a body."""
        present = self.__dict__
        return (
            "_head" not in present
            and present.get("body_arguments") == present.get("files") == {}
            and present.get("arguments") == self.query_arguments
        )

    def tolerate_bad_form(self) -> None:
        """From now on, treat a malformed body as one without arguments: the request is being answered with an
        error page, which may ask for an argument of the query.
        """
        if self._form is None and self.body:
            self._form = _body_form(self)
        if self._form is not None:
            self._form.tolerate()

    def _parse_body(self) -> None:
        """Take arguments and files out of the body now, once for each value of `body`.

        :raises HTTPInputError: if the body is a malformed form, or one that exceeds a limit.
        """
        self._read_form()
        form = self._form
        if form is not None and form.body is not self.body:  # it was replaced since the form was noted
            self._form = None
            self._read_form()

    def _read_form(self) -> None:
        """Decode the form, noted or in `body`, and add what it holds to the attributes, once."""
        form = self._form
        if form is None:
            if not self.body:
                return
            form = self._form = _body_form(self)
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

    def _forget_headers(self) -> None:
        """Give up the mapping of the header fields, which is made anew when somebody asks for it; unless one
        of them was changed, or a delegate stands before the application and there is nothing to make it from.
        """
        head = self.__dict__.get("_head")
        if head is not None and self.headers._fields() == head.headers._fields():
            del self.headers

    def __repr__(self) -> str:
        names = ("protocol", "host", "method", "uri", "version", "remote_ip")
        shown = ", ".join([f"{name}={getattr(self, name)!r}" for name in names])
        return f"{type(self).__name__}({shown})"


_PARSE_BODY = HTTPServerRequest._parse_body


def _deprecated(what: str, instead: str) -> None:
    deprecated(f"HTTPServerRequest.{what}", instead)


def _warn_of_old_arguments(
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
            "The start_line argument to HTTPServerRequest is about to become mandatory: "
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
    """The host, checked against RFC 9112 section 3.2; only HTTP/1.0 may leave it out."""
    if host is None:
        if version == "HTTP/1.0":
            return _DEFAULT_HOST
        raise HTTPInputError("missing Host header: HTTP/1.1 demands one")
    if "," in host:
        raise HTTPInputError(f"more than one Host header: {host!r}")
    check_authority(host)
    return host


def _merge(source: dict[str, list[Any]], target: dict[str, list[Any]]) -> None:
    for name, values in source.items():
        target.setdefault(name, []).extend(values)


# -- lazy attributes


class _Lazy:
    """A non-data descriptor that computes an attribute on first touch and stores it in the instance."""

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
    """The one that most handlers ask for, written out: three calls fewer."""

    __slots__ = ()

    def __get__(self, request: HTTPServerRequest | None, owner: type | None = None) -> Any:
        if request is None:
            return self
        found = parse_urlencoded(request._head.query, _forms.default_config.urlencoded.max_arguments)
        request.query_arguments = found
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


def _body_form(request: HTTPServerRequest) -> BodyForm:
    """Note the form in the body, without making the headers where they have not been asked for."""
    present = request.__dict__
    if "headers" not in present and "_head" in present:
        fields = _content_fields("\n" + request._head.headers_block)
        if len(fields) == 1 and len(fields[0][0]) == len("type"):
            return BodyForm(request.body, fields[0][1].strip(" \t"), None)
    headers = request.headers
    return BodyForm(request.body, headers.get("Content-Type", ""), headers)


def _max_form_size(connection: object) -> int | None:
    """The limit of the server or the handler's class; connections of other kinds have none."""
    size = getattr(connection, "max_form_size", None)
    return size if isinstance(size, int) else None


def _context(request: HTTPServerRequest) -> object:
    return getattr(request.connection, "context", None)


def _cookie_values(request: HTTPServerRequest) -> dict[str, str]:
    """Name -> value of each cookie, whatever its name; without making the headers where nobody has."""
    present = request.__dict__
    if "headers" in present or "_head" not in present:
        fields = _cookie_lines(request.headers)
    else:
        fields = _cookie_fields("\n" + request._head.headers_block)
    return parse_cookie("; ".join(fields))


def _cookie_lines(headers: Any) -> list[str]:
    """The Cookie lines of a request's headers, which may be any mapping where a program made the request."""
    if isinstance(headers, HTTPHeaders):
        return headers.get_list("Cookie")
    return [headers["Cookie"]] if "Cookie" in headers else []


def _cookies(request: HTTPServerRequest) -> SimpleCookie:
    cookies = SimpleCookie()
    for name, value in request._cookie_values.items():
        try:
            cookies[name] = value
        except CookieError:
            continue  # a name that is reserved or no token: no program could have set it
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
}

for _name, _compute in _COMPUTED.items():
    _kind = _LazyQueryArguments if _name == "query_arguments" else _Lazy
    setattr(HTTPServerRequest, _name, _kind(_name, _compute))
