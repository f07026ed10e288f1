"""The head of a request: checks, default header fields and serialization."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from tornado import httputil
from tornado._wire.content_decoders import accept_encoding
from tornado._wire.errors import HTTPOutputError
from tornado._wire.headers import is_token
from tornado.httpclient import HTTPRequest
from tornado.simple_httpclient._connection_routes import USER_AGENT, Route

__all__ = [
    "SUPPORTED_METHODS",
    "SerializedHead",
    "check_request",
    "has_close",
    "plain_head",
    "request_fields",
    "request_head",
]

SUPPORTED_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"))
_WITH_BODY = frozenset(("POST", "PUT", "PATCH"))
_find_illegal = re.compile(r"[\x00-\x20\x7f]").search


def check_request(request: HTTPRequest) -> None:
    """Check a request's method and body.

    :raises KeyError: if the method is unknown.
    :raises ValueError: if there is a body with a method that must not have one, or no body with a method that
        must have one.
    """
    if request.body is not None and request.body_producer is not None:
        raise ValueError("a request must not have both a body and a body_producer")
    if request.allow_nonstandard_methods:
        return
    if request.method not in SUPPORTED_METHODS:
        raise KeyError(f"unknown method {request.method}: set allow_nonstandard_methods=True to send it")
    has_body = request.body is not None or request.body_producer is not None
    if has_body != (request.method in _WITH_BODY):
        rule = "must be None" if has_body else 'must not be None (it may be b"")'
        raise ValueError(
            f"the body {rule} for method {request.method}, unless allow_nonstandard_methods is true"
        )


def plain_head(method: str, target: str, route: Route) -> bytes:
    """Return the head of a request with a known method, no body and no extra fields."""
    return f"{method} {route.absolute}{target}{route.plain_end}".encode()


class SerializedHead(NamedTuple):
    """The head of a request in the form in which it is sent.

    :ivar data: the serialized head.
    :ivar headers: the header fields.
    :ivar length: the size of the body in bytes; None for a chunked body.
    :ivar reusable: whether the request allows the connection to be reused.
    """

    data: bytes
    headers: httputil.HTTPHeaders
    length: int | None
    reusable: bool


def request_fields(
    request: HTTPRequest, route: Route, target: str, userinfo: tuple[str, str] | None, decompress: bool
) -> httputil.HTTPHeaders:
    """Return the header fields of a request, except those for the framing of the body.

    :param userinfo: the user name and password from the URL, or None.
    :param decompress: whether to request a compressed body.
    :raises ValueError: if the method or the target contains illegal characters, or the authentication mode is
        not supported.
    """
    method = request.method
    if not is_token(method) or not target or _find_illegal(target) is not None:
        raise ValueError(f"Illegal characters in request line: {method!r} {target!r}")
    headers = httputil.HTTPHeaders(request.headers)
    if "Host" not in headers:
        # RFC 9110 section 7.2: Host should be the first field.
        given, headers = headers, httputil.HTTPHeaders({"Host": route.origin.authority})
        for name, value in given.get_all():
            # Whitespace around a value is not part of the value (RFC 9110 section 5.5), and add() rejects
            # such whitespace. Jupyter Server sends "Authorization: token " to a gateway without a token.
            headers.add(name, value.strip(" \t"))
    _add_credentials(headers, request, userinfo)
    if request.user_agent:
        headers["User-Agent"] = request.user_agent
    elif "User-Agent" not in headers:
        headers["User-Agent"] = USER_AGENT
    if route.authorization is not None:
        headers["Proxy-Authorization"] = route.authorization
    if request.expect_100_continue:
        headers["Expect"] = "100-continue"
    if method == "POST" and "Content-Type" not in headers:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    if decompress:
        headers["Accept-Encoding"] = accept_encoding()
    return headers


def request_head(
    request: HTTPRequest, route: Route, target: str, headers: httputil.HTTPHeaders
) -> SerializedHead:
    """Return the head of a request.

    :param headers: the fields from `request_fields`; the framing fields are added to them.
    :raises .HTTPOutputError: if the fields announce a body but the request has none.
    """
    if not route.absolute and "Proxy-Authorization" in headers:
        # RFC 9110 section 11.7.2: the field is for the proxy only, which receives it with CONNECT.
        del headers["Proxy-Authorization"]
    if route.connection is not None and "Connection" not in headers:
        headers["Connection"] = route.connection
    length = _set_framing(headers, request)
    # A target may contain any text and is sent as UTF-8; field values are Latin-1.
    line = f"{request.method} {route.absolute}{target} HTTP/1.1\r\n".encode()
    fields = "".join([f"{name}: {value}\r\n" for name, value in headers.get_all()]).encode("latin-1")
    reusable = "Connection" not in headers or not has_close(headers["Connection"])
    return SerializedHead(line + fields + b"\r\n", headers, length, reusable)


def has_close(connection: str) -> bool:
    """Whether a Connection field contains the option ``close``."""
    return any(option.strip().lower() == "close" for option in connection.split(","))


def _set_framing(headers: httputil.HTTPHeaders, request: HTTPRequest) -> int | None:
    """Set the framing fields; return the size of the body in bytes, or None for a chunked body."""
    if request.body is not None:
        source = None if isinstance(request.body, bytes) else request.body_source
        size = len(request.body) if source is None else source.length
        if size is None:
            headers.pop("Content-Length", None)
            headers["Transfer-Encoding"] = "chunked"
        else:
            headers.pop("Transfer-Encoding", None)
            headers["Content-Length"] = str(size)
        return size
    length = _content_length(headers)
    if request.body_producer is not None:
        if length is None:
            headers["Transfer-Encoding"] = "chunked"
        else:
            headers.pop("Transfer-Encoding", None)
        return length
    if length or "Transfer-Encoding" in headers:
        raise HTTPOutputError(
            "the request has no body, but its headers have Content-Length or Transfer-Encoding: remove them"
        )
    return 0


def _content_length(headers: Mapping[str, Any]) -> int | None:
    text = headers.get("Content-Length")
    if text is None:
        return None
    if not re.fullmatch("[0-9]{1,18}", str(text)):
        raise HTTPOutputError(f"Content-Length must be a decimal number, got {text!r}")
    return int(text)


def _add_credentials(
    headers: httputil.HTTPHeaders, request: HTTPRequest, userinfo: tuple[str, str] | None
) -> None:
    """Add basic authentication (RFC 7617) from the request's arguments, or else from the URL."""
    if request.auth_username is not None:
        username, password = request.auth_username, request.auth_password or ""
    elif userinfo is not None:
        username, password = userinfo
    else:
        return
    if request.auth_mode == "digest":
        return  # DigestExtension adds the field
    if request.auth_mode not in (None, "basic"):
        raise ValueError(f"auth_mode must be 'basic' or 'digest', not {request.auth_mode!r}")
    pair = httputil.encode_username_password(username, password)
    headers["Authorization"] = "Basic " + base64.b64encode(pair).decode("ascii")
