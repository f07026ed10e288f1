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


def endpoints_of(connection: Any) -> Endpoints:
    """Return the ends of the connection of a request, which are stored in the connection's context."""
    driver = getattr(connection, "driver", None)
    context = connection.context if driver is None else driver.context
    try:
        found: Endpoints = context.endpoints
    except AttributeError:
        sock = getattr(getattr(connection, "stream", None), "socket", None)
        found = _UNKNOWN if sock is None else _endpoints(sock, getattr(context, "address", None))
        if context is not None:
            context.endpoints = found
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


def make_scope(
    kind: str, connection: Any, head: RequestHead, prefix: str, root_path: str, state: dict[str, Any]
) -> dict[str, Any]:
    """Return the scope of a request, without its extensions.

    :param kind: ``http`` or ``websocket``.
    :param connection: the exchange of the request.
    :param prefix: the path that a proxy has removed from the request's path, to which it is added again.
    :param root_path: the path under which the application is mounted, with the prefix.
    :param state: the state of the lifespan, which is copied.
    """
    endpoints = endpoints_of(connection)
    context = connection.context
    client, remote_ip = endpoints.client, context.remote_ip
    if (remote_ip != client[0]) if client is not None else (endpoints is _UNKNOWN or is_forwarded(context)):
        client = (remote_ip, 0)  # a proxy has reported the address, but not the port
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
        "server": endpoints.server,
        "client": client,
        "scheme": context.protocol,
        "root_path": root_path,
        "path": path,
        "raw_path": raw_path,
        "query_string": head.query.encode("latin-1"),
        "headers": header_list(head),
        "state": state.copy(),
    }


def is_forwarded(context: Any) -> bool:
    """Whether a proxy that is connected through a Unix socket has reported the address of the client."""
    return bool(context.remote_ip != "0.0.0.0")  # the value without a report


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


__all__ = ["Endpoints", "Fields", "ForeignHead", "RequestHead", "endpoints_of", "header_list", "make_scope"]
