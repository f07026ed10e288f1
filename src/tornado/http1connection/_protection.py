"""What a server does about peers that would hold or exhaust it: every limit, with its values.

`Protection` has a field for each. A server takes one of the two ready-made ones by name, and single values on
top::

    HTTPServer(application)                                          # "default"
    HTTPServer(application, protection="public")
    HTTPServer(application, protection="public", header_timeout=5)

=============================  ===========  ===========  ====================================================
setting                        "default"    "public"     precedent
=============================  ===========  ===========  ====================================================
`header_timeout`               60 s         20 s         nginx 60; Apache's mod_reqtimeout 20
`idle_connection_timeout`      3,600 s      60 s         Tornado 3,600; nginx 75
`tls_handshake_timeout`        60 s         10 s         nginx 60; Go's examples 10
`body_timeout`                 none         none         Tornado
`min_body_rate`                none         500 B/s      mod_reqtimeout 500; Kestrel 240
`min_send_rate`                none         500 B/s      Kestrel 240
`rate_window`                  20 s         20 s         mod_reqtimeout 20
`max_header_size`              64 KiB       32 KiB       Tornado 64; nginx 4 x 8
`max_header_count`             1,000        100          Apache 100, h2o 100
`max_connections`              none         10,000       nginx 512 a worker
`max_connections_per_address`  none         100          examples for nginx and HAProxy say 10 to 100
`max_pipelined_requests`       none         100          none: they cost an attacker next to nothing
`max_inflation_ratio`          none         100          deflate reaches 1,032; text 5 to 20
`max_form_size`                none         1 MiB        Django 2.5 MB, Werkzeug 500 kB, PHP 8 MB, IIS 4 MB
`max_json_size`                none         128 KiB      Express 100 kB, Fastify 1 MiB
=============================  ===========  ===========  ====================================================

The size of other bodies is in neither, as only the program knows it (``max_body_size``).
"""

from __future__ import annotations

import dataclasses
from typing import Any

__all__ = ["DEFAULT", "PUBLIC", "Protection"]

#: What fields are annotated with that hold sizes or counts.
_WHOLE = frozenset({"int", "int | None"})
_MAY_BE_ZERO = frozenset({"body_timeout", "idle_connection_timeout", "header_timeout"})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """Limits on what peers may do; times in seconds, rates in bytes a second, sizes in bytes.

    To leave out a limit that ``"public"`` has, make one from it: ``dataclasses.replace(PUBLIC,
    min_send_rate=None)``.

    :raises TypeError: for a value that is no number, or for a size or a count that is no whole one.
    :raises ValueError: for a value that is not above zero.
    """

    #: From the first byte of a request's head to its last.
    header_timeout: float = 60.0
    #: How long a connection may be silent before its first request and between requests.
    idle_connection_timeout: float = 3600.0
    #: From accepting a connection to the end of the TLS handshake.
    tls_handshake_timeout: float = 60.0
    #: From the end of a head to the end of its body; None for no limit.
    body_timeout: float | None = None
    #: The least that must arrive of a request's body, over each `rate_window`. The time in which the handler
    #: has the client wait does not count.
    min_body_rate: float | None = None
    #: The least that a client must take of a response it has been sent, over each `rate_window`.
    min_send_rate: float | None = None
    #: Over how long both rates are taken.
    rate_window: float = 20.0
    #: Request line and header fields together (414 or 431).
    max_header_size: int = 64 * 1024
    #: Header fields of one request (431).
    max_header_count: int = 1000
    #: Connections in all. When one more comes, those that have been without a request for longest are closed
    #: for it; where all have one, it is refused. Never more than three quarters of the descriptors that the
    #: process may open.
    max_connections: int | None = None
    #: Connections of one address, or of one IPv6 network of 64 bits. One more is refused.
    max_connections_per_address: int | None = None
    #: Requests on one connection that came before the last one was answered, one behind the other; when
    #: nothing waits any more, they are counted anew. The answer to the last of so many says that the
    #: connection closes, and the client has to send again what was not answered (RFC 9112 section 9.3.2).
    max_pipelined_requests: int | None = None
    #: Times that a compressed request body (400) or WebSocket message (1009) may grow in decompression, once
    #: it is over 1 MiB.
    max_inflation_ratio: float | None = None
    #: Size of a form (urlencoded or multipart) whose arguments or files a handler asks for (413); decoding it
    #: blocks the event loop. A handler class may set a `max_form_size` of its own. Bodies that are
    #: not read as forms, and parts that a `.UploadHandler` receives, are not concerned.
    max_form_size: int | None = None
    #: Size of a body that `.RequestHandler.get_json_body` decodes (413), likewise.
    max_json_size: int | None = None

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value is None and field.default is None:
                continue
            if not isinstance(value, (int, float)) or isinstance(value, bool):
                raise TypeError(f"{field.name} is a number, not {value!r}")
            if not value > 0 and (value != 0 or field.name not in _MAY_BE_ZERO):  # NaN is not, either
                raise ValueError(f"{field.name} has to be above zero, got {value!r}")
            if field.type in _WHOLE and value % 1 != 0:  # which is NaN for infinity
                raise TypeError(f"{field.name} is a whole number, not {value!r}")

    @staticmethod
    def of(protection: str | Protection | None, **given: Any) -> Protection:
        """The protection of that name (None: ``"default"``) with the values that are not None on top.

        Where the idle time is given and is above zero, the head's and the handshake's are no longer than it,
        unless they are given too: who may say nothing for five seconds is not to say little for a minute.

        :raises ValueError: for an unknown name.
        :raises TypeError: for anything but a name or a `Protection`.
        """
        if isinstance(protection, Protection):
            base = protection
        elif protection is None or isinstance(protection, str):
            if (protection or "default") not in _BY_NAME:
                raise ValueError(f'protection is "default", "public" or a Protection, not {protection!r}')
            base = _BY_NAME[protection or "default"]
        else:
            raise TypeError(f'protection is "default", "public" or a Protection, not {protection!r}')
        given = {name: value for name, value in given.items() if value is not None}
        idle = given.get("idle_connection_timeout")
        if isinstance(idle, (int, float)) and idle > 0:
            for name in ("header_timeout", "tls_handshake_timeout"):
                given.setdefault(name, min(getattr(base, name), idle))
        return dataclasses.replace(base, **given) if given else base


#: What a server has without a word: slow heads and handshakes are bounded, as is every size and count.
DEFAULT = Protection()

#: For a server that faces the public.
PUBLIC = Protection(
    header_timeout=20.0,
    idle_connection_timeout=60.0,
    tls_handshake_timeout=10.0,
    min_body_rate=500.0,
    min_send_rate=500.0,
    max_header_size=32 * 1024,
    max_header_count=100,
    max_connections=10_000,
    max_connections_per_address=100,
    max_pipelined_requests=100,
    max_inflation_ratio=100.0,
    max_form_size=1024 * 1024,
    max_json_size=128 * 1024,
)

_BY_NAME = {"default": DEFAULT, "public": PUBLIC}
