"""What a server or client may choose about its HTTP/1.x connections."""

from __future__ import annotations

import re

from tornado._wire.limits import DEFAULT, Limits
from tornado.http1connection._watch import Watch

#: Seconds an idle kept-alive connection is held unless `HTTP1ConnectionParameters.header_timeout` says
#: otherwise.
DEFAULT_IDLE_TIMEOUT = 3600.0
#: Seconds from the first byte of a message head to its last; nginx's ``client_header_timeout`` is 60 too.
HEAD_TIMEOUT = 60.0
#: Unread bytes after which the peer is not read any further.
READ_AHEAD = 65536
#: Bytes handed to a delegate at once.
DEFAULT_CHUNK_SIZE = 65536

CR_OR_LF_RE = re.compile(b"\r|\n")
DIGITS = re.compile(r"[0-9]+")
HEXDIGITS = re.compile(r"[0-9a-fA-F]+")


class HTTP1ConnectionParameters:
    """Settings shared by the connections of one server, or given to one client connection.

    :param no_keep_alive: close each connection after one request.
    :param chunk_size: the most bytes handed to a delegate's ``data_received`` at once (default 64 KiB).
    :param max_header_size: limit on start line and header block, in bytes (default 64 KiB); answered with
        431.
    :param header_timeout: seconds that a connection may wait for its next request (default 3600).
    :param max_body_size: limit on a message body, in bytes (default: the stream's ``max_buffer_size``);
        answered with 413. A delegate may change it for one message by `HTTP1Connection.set_max_body_size`.
    :param body_timeout: seconds that a body may take to arrive (default: no limit).
    :param decompress: undo ``Content-Encoding: gzip`` of incoming bodies.
    """

    def __init__(
        self,
        no_keep_alive: bool = False,
        chunk_size: int | None = None,
        max_header_size: int | None = None,
        header_timeout: float | None = None,
        max_body_size: int | None = None,
        body_timeout: float | None = None,
        decompress: bool = False,
    ) -> None:
        self.no_keep_alive = no_keep_alive
        self.chunk_size = chunk_size or DEFAULT_CHUNK_SIZE
        self.max_header_size = max_header_size or DEFAULT.max_head_size
        self.header_timeout = header_timeout
        self.max_body_size = max_body_size
        self.body_timeout = body_timeout
        self.decompress = decompress
        # A body's size is judged here and not by the reader, because a delegate may raise the limit after the
        # head.
        self._limits = Limits(
            max_head_size=self.max_header_size,
            max_request_line=min(self.max_header_size, DEFAULT.max_request_line),
            max_body_size=2**63 - 1,
        )
        self._idle_timeout = header_timeout if header_timeout is not None else DEFAULT_IDLE_TIMEOUT
        self._head_timeout = min(HEAD_TIMEOUT, self._idle_timeout)
        self._watch = Watch()


def parse_int(s: str) -> int:
    """Read a decimal number as HTTP writes it: digits only, no sign, space or underscore (RFC 9110 section
    8.6).

    :raises ValueError: if `s` is anything else.
    """
    if DIGITS.fullmatch(s) is None:
        raise ValueError(f"not an integer: {s!r}")
    return int(s)


def parse_hex_int(s: str) -> int:
    """Read a hexadecimal number as chunk sizes are written: hex digits only (RFC 9112 section 7.1).

    :raises ValueError: if `s` is anything else.
    """
    if HEXDIGITS.fullmatch(s) is None:
        raise ValueError(f"not a hexadecimal integer: {s!r}")
    return int(s, 16)
