"""The ``environ`` of PEP 3333 for a request.

Two header fields must never map to the same variable: otherwise a client could bypass a proxy that checks or
removes a field under one spelling by sending the other. Dashes and underscores map to the same character, so
a field with an underscore in its name is omitted, as in nginx and Apache. ``Proxy`` is omitted because
programs that the application starts would use the variable ``HTTP_PROXY`` as the address of a proxy
(CVE-2016-5385). ``Transfer-Encoding`` is omitted because the body has been decoded: ``CONTENT_LENGTH`` is the
length of the body as the application reads it (RFC 3875 section 4.1.2).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from io import BytesIO
from typing import IO, Any

from tornado.escape import _unquote_to_bytes
from tornado.httputil import HTTPHeaders, HTTPServerRequest, split_host_and_port
from tornado.wsgi._files import FileWrapper

#: The type of a WSGI application.
WSGIAppType = Callable[[dict[str, Any], Any], Iterable[bytes]]

_OMITTED = frozenset({"Content-Length", "Content-Type", "Proxy", "Transfer-Encoding"})


def to_wsgi_str(s: bytes) -> str:
    """Decode bytes as text with one character per byte, as WSGI requires (PEP 3333, "Unicode issues").

    >>> to_wsgi_str("é".encode())
    'Ã©'
    """
    if not isinstance(s, bytes):
        raise TypeError(f"to_wsgi_str expects bytes, got {type(s).__name__}")
    return s.decode("latin-1")


def _text(value: Any) -> str:
    """Return a part of a request as WSGI text. Received text is Latin-1; tests may use other characters."""
    text = str(value)
    return text if text.isascii() else to_wsgi_str(_octets(text))


def _octets(text: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def make_environ(
    request: HTTPServerRequest, body: IO[bytes] | None, size: int, multithread: bool
) -> dict[str, Any]:
    """Return the environment of a request.

    :param body: a file with the body, positioned at its beginning; None for ``request.body``.
    :param size: the size of the body in bytes.
    :param multithread: whether other threads may run the application at the same time.
    """
    protocol = request.protocol
    name, port = split_host_and_port(request.host)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": _path_info(request.path),
        "QUERY_STRING": _text(request.query),
        "REMOTE_ADDR": request.remote_ip or "",
        "SERVER_NAME": _text(name).rstrip(":") or "127.0.0.1",
        "SERVER_PORT": str(port if port is not None else 443 if protocol == "https" else 80),
        "SERVER_PROTOCOL": request.version,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": protocol,
        "wsgi.input": BytesIO(request.body) if body is None else body,
        "wsgi.input_terminated": True,  # reading stops at the end of the body
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": multithread,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": FileWrapper,
    }
    headers = request.headers
    if size or "Content-Length" in headers:
        environ["CONTENT_LENGTH"] = str(size)
    if "Content-Type" in headers:
        environ["CONTENT_TYPE"] = _text(headers["Content-Type"])
    _add_fields(environ, headers)
    return environ


def _path_info(path: str) -> str:
    """Return the value of PATH_INFO, which must begin with a slash or be empty (PEP 3333). It is empty for
    ``OPTIONS *`` and CONNECT.
    """
    return to_wsgi_str(_unquote_to_bytes(_octets(path))) if path[:1] == "/" else ""


def _add_fields(environ: dict[str, Any], headers: HTTPHeaders) -> None:
    for name in headers:
        if "_" in name or name in _OMITTED:
            continue
        # In a request that a program created, the headers may be any mapping.
        if name == "Cookie" and isinstance(headers, HTTPHeaders):
            # RFC 6265 section 5.4; HTTP/2 sends one field per cookie (RFC 9113 section 8.2.3).
            value = "; ".join(headers.get_list(name))
        else:
            value = headers[name]
        environ["HTTP_" + name.replace("-", "_").upper()] = _text(value)
