"""The connection scope of a request: the first argument of an ASGI application.

A scope consists of plain values, which the application may change, so each request has a new one. The
addresses of both ends and the description of TLS do not change during a connection, so they are determined
once for each connection.
"""

from __future__ import annotations

import socket
import ssl
from typing import Any, NamedTuple, Protocol

from tornado._percent_decoding import unquote
from tornado._wire.field_line_cache import REPEATING
from tornado.asgi._tls import tls_extension
from tornado.httputil import HTTPHeaders, RequestStartLine

#: The maximum number of sets of header fields, and of single fields, that are kept.
_MAX_CACHED = 512
#: The maximum size of a line, and of a set of lines, in characters, that is kept.
_MAX_LINE_SIZE = 256
_MAX_BLOCK_SIZE = 2048

Fields = list[tuple[bytes, bytes]]

_CACHED_NAMES = {name.encode() for name in REPEATING} | {b"host", b"connection"}
_INET = (socket.AF_INET, socket.AF_INET6)


class RequestHead(Protocol):
    """The attributes of `tornado._wire.heads.RequestHead` that a scope needs."""

    @property
    def method(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def query(self) -> str: ...
    @property
    def headers(self) -> HTTPHeaders: ...


class ForeignHead:
    """The head of a request on a connection that is not a server's HTTP/1 connection.

    :param start_line: the request line.
    :param headers: the header fields.
    """

    def __init__(self, start_line: RequestStartLine, headers: HTTPHeaders) -> None:
        self.method, self.target, self.version = start_line
        self.path, _, self.query = self.target.partition("?")
        self.headers = headers
        self.expect_continue = False
        self.has_body = True
        self.content_length: int | None = None
        self.upgrade = "Upgrade" in headers


class Endpoints(NamedTuple):
    """The ends of a connection.

    :ivar client: the address and port of the peer; None for a Unix socket.
    :ivar server: the address and port of this end, or the path of a Unix socket and None.
    :ivar tls: the values of the ``tls`` extension; None without TLS.
    """

    client: tuple[str, int] | None
    server: tuple[str, int | None] | None
    tls: dict[str, Any] | None


_UNKNOWN = Endpoints(None, None, None)


def endpoints_of(connection: Any, context: Any) -> Endpoints:
    """Return the ends of the connection of a request.

    They are stored in the connection's context, of which a request from a proxy has a copy.

    :param context: the context of the request.
    """
    try:
        found: Endpoints = context.endpoints
    except AttributeError:
        driver = getattr(connection, "driver", None)
        owner = context if driver is None else driver.context
        sock = getattr(getattr(connection, "stream", None), "socket", None)
        scope = getattr(connection, "scope", None)
        if scope is not None:
            found = _endpoints_of_scope(scope)
        else:
            found = _UNKNOWN if sock is None else _endpoints(sock, getattr(owner, "address", None))
        owner.endpoints = context.endpoints = found
    return found


def _endpoints(sock: socket.socket, address: Any) -> Endpoints:
    tls = tls_extension(sock) if isinstance(sock, ssl.SSLSocket) else None
    try:
        local = sock.getsockname()
    except OSError:  # the connection is closed
        return Endpoints(None, None, tls)
    if sock.family in _INET:
        client = (address[0], address[1]) if isinstance(address, tuple) and len(address) > 1 else None
        return Endpoints(client, (local[0], local[1]), tls)
    name = local.decode("utf-8", "surrogateescape") if isinstance(local, bytes) else str(local)
    return Endpoints(None, (name, None), tls)


def _endpoints_of_scope(scope: Any) -> Endpoints:
    """Return the ends of a connection of an ASGI server."""
    client, server = scope.get("client"), scope.get("server")
    tls = (scope.get("extensions") or {}).get("tls")
    return Endpoints(tuple(client) if client else None, tuple(server) if server else None, tls)


def root_path_of(connection: Any) -> str:
    """Return the path under which an ASGI server has mounted the application that has this connection."""
    scope = getattr(connection, "scope", None)
    return "" if scope is None else str(scope.get("root_path") or "").rstrip("/")


def make_scope(
    kind: str,
    connection: Any,
    head: RequestHead,
    prefix: str,
    root_path: str,
    state: dict[str, Any],
    extensions: dict[str, Any],
) -> dict[str, Any]:
    """Return the scope of a request, without the keys of only one kind.

    :param kind: ``http`` or ``websocket``.
    :param connection: the exchange of the request.
    :param prefix: the path that a proxy has removed from the request's path, to which it is added again.
    :param root_path: the path under which the application is mounted, with the prefix.
    :param state: the state of the lifespan, which is copied.
    :param extensions: the extensions, to which ``tls`` is added.
    """
    context = connection.context
    client, server, tls = endpoints_of(connection, context)
    remote_ip = context.remote_ip
    # A proxy reports the address, but not the port. "0.0.0.0" is the address of a Unix socket's peer.
    if remote_ip != (client[0] if client is not None else None if server is None else "0.0.0.0"):
        client = (remote_ip, 0)
    if tls is not None:
        extensions["tls"] = tls.copy()
    path = head.path
    raw_path = path.encode("latin-1")
    if "%" in path or not path.isascii():
        path = unquote(path).decode("utf-8", "replace")
    if prefix:
        path, raw_path = prefix + path, prefix.encode() + raw_path
    return {
        "type": kind,
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": head.version[5:],
        "server": server,
        "client": client,
        "scheme": context.protocol,
        "root_path": root_path,
        "path": path,
        "raw_path": raw_path,
        "query_string": head.query.encode("latin-1"),
        "headers": header_list(head),
        "state": state.copy(),
        "extensions": extensions,
    }


# -- header fields --


class _Lines(dict[str, tuple[bytes, bytes]]):
    """A cache from field lines, as received, to name and value: of the fields in `_CACHED_NAMES`.

    The values of other fields may be secret, so they are not kept.
    """

    def parse(self, line: str) -> tuple[tuple[bytes, bytes], bool]:
        """Return the name and value of a line that is not in the cache, and whether it was added."""
        name, _, value = line.encode("latin-1").partition(b":")
        pair = name.lower(), value.strip(b" \t")
        cached = pair[0] in _CACHED_NAMES and len(line) <= _MAX_LINE_SIZE
        if cached:
            if len(self) >= _MAX_CACHED:
                self.clear()
            self[line] = pair
        return pair, cached


_lines = _Lines()
_blocks: dict[str, Fields] = {}


def header_list(head: RequestHead) -> Fields:
    """Return the header fields of a request, with names in lower case, in a new list."""
    block: str | None = getattr(head, "headers_block", None)
    if block is None:
        return _parsed_by_headers(head)
    fields = _blocks.get(block)
    if fields is not None:
        return fields.copy()
    lines = block.split("\r\n")
    if block.count("\n") != len(lines) - 1 or "\n " in block or "\n\t" in block:
        return _parsed_by_headers(head)  # bare LF, or a folded line
    fields, repeats, find = [], len(block) <= _MAX_BLOCK_SIZE, _lines.get
    for line in lines:
        pair = find(line)
        if pair is None:
            if not line:
                continue
            pair, cached = _lines.parse(line)
            repeats = repeats and cached
        fields.append(pair)
    if repeats:
        if len(_blocks) >= _MAX_CACHED:
            _blocks.clear()
        _blocks[block] = fields.copy()
    return fields


def _parsed_by_headers(head: RequestHead) -> Fields:
    return [(name.lower().encode(), value.encode("latin-1")) for name, value in head.headers.get_all()]


__all__ = [
    "Endpoints",
    "Fields",
    "ForeignHead",
    "RequestHead",
    "endpoints_of",
    "header_list",
    "make_scope",
    "root_path_of",
]
