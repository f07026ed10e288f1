"""The head of a request, and the description of its client, from the scope of an ASGI server."""

from __future__ import annotations

import copy
from typing import Any
from urllib.parse import quote

from tornado._wire.errors import ExpectationFailed
from tornado._wire.heads import RequestHead, parse_request_head, read_usual_head
from tornado._wire.limits import Limits
from tornado.asgi._types import Scope
from tornado.httputil import HTTPInputError

#: Characters that are allowed in a path besides letters, digits and "-._~" (RFC 3986 section 3.3).
_PATH_SAFE = "/!$&'()*+,;=:@"
_LINE_BREAKS = (b"\r", b"\n")
#: The methods of requests that have no body unless a header field announces one.
_BODILESS_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


class ASGIContext:
    """The address and protocol of a client, as the ASGI server reports them.

    :ivar remote_ip: the client's address; ``0.0.0.0`` if it is unknown.
    :ivar protocol: ``http`` or ``https``.
    :ivar address: the client's address and port, or None.
    """

    def __init__(self, scope: Scope) -> None:
        client = scope.get("client")
        self.address: tuple[str, int] | None = tuple(client) if client else None
        self.remote_ip: str = (client[0] if client else None) or "0.0.0.0"
        self.protocol: str = "https" if scope.get("scheme") in ("https", "wss") else "http"

    def __str__(self) -> str:
        return self.remote_ip


def read_head(scope: Scope, limits: Limits) -> RequestHead:
    """Return the head of a request.

    The fields are checked by the parser of HTTP/1, so handlers may rely on the same guarantees as with
    `.HTTPServer`, whatever the ASGI server has checked.

    :raises HTTPInputError: if the head is malformed; its ``status_code`` is the status to respond with.
    """
    method, target = scope.get("method", "GET"), _target(scope)
    if any(each in method or each in target for each in " \r\n"):
        raise HTTPInputError(f"space or line break in the method or target {f'{method} {target}'!r:.200}")
    lines = [f"{method} {target} {_version(scope)}".encode("latin-1")]
    has_host = False
    for name, value in scope.get("headers", ()):
        if any(each in name or each in value for each in _LINE_BREAKS):
            raise HTTPInputError(f"line break in the header field {name!r:.100}")
        has_host = has_host or name.lower() == b"host"
        lines.append(b"%s: %s" % (name, value))
    if not has_host:
        lines.append(b"host: " + _server_authority(scope).encode("latin-1"))
    data = b"\r\n".join([*lines, b"", b""])
    head = read_usual_head(data, limits) or parse_request_head(data, limits)
    if head.expect_unknown:
        raise ExpectationFailed("unsupported Expect header: only 100-continue is accepted")
    return head


def may_have_body(scope: Scope, head: RequestHead) -> bool:
    """Whether a body may follow that no header field announces, as in HTTP/2."""
    if head.has_body or scope["type"] != "http" or head.content_length is not None:
        return False
    return _is_newer_than_http_1(scope) or head.method not in _BODILESS_METHODS


def with_body(head: RequestHead) -> RequestHead:
    """Return a copy of a head that has a body. The head itself may be shared."""
    changed = copy.copy(head)
    changed.has_body, changed.plain = True, False
    return changed


def _is_newer_than_http_1(scope: Scope) -> bool:
    return not str(scope.get("http_version", "1.1")).startswith("1")


def _version(scope: Scope) -> str:
    # For a handler, all versions after HTTP/1.0 are equivalent.
    return "HTTP/1.0" if scope["type"] == "http" and scope.get("http_version") == "1.0" else "HTTP/1.1"


def _target(scope: Scope) -> str:
    """Return the path below ``root_path``, in percent-encoding, and the query.

    Since version 2.4 of the HTTP specification, ``path`` contains ``root_path``. Servers that implement an
    earlier version, and some middleware, pass only the rest, which needs no change.
    """
    root = str(scope.get("root_path") or "").rstrip("/")
    path = str(scope.get("path") or "/")
    raw = scope.get("raw_path")
    below = _without_root(path, root)
    target = "" if raw is None else raw.decode("latin-1").partition("?")[0]
    if target and below is not path:
        # Unless the client has encoded it in another way, `raw_path` begins with the encoded root.
        shorter = _without_root(target, quote(root, _PATH_SAFE))
        target = "" if shorter is target else shorter
    target = target or quote(below, _PATH_SAFE)
    query = scope.get("query_string") or b""
    return f"{target}?{query.decode('latin-1')}" if query else target


def _without_root(path: str, root: str) -> str:
    if root and path.startswith(root) and path[len(root) : len(root) + 1] in ("", "/"):
        return path[len(root) :] or "/"
    return path


def _server_authority(scope: Scope) -> str:
    """Return the value of Host for a request without one: servers of HTTP/1.0, and test clients."""
    server: Any = scope.get("server")
    if not server or server[1] is None:
        return "localhost"
    host, port = server
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


__all__ = ["ASGIContext", "may_have_body", "read_head", "with_body"]
