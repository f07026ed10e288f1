"""Limits that protect a server from slow, malicious or excessive clients.

`Protection` has a field for each limit. The server's argument ``protection`` selects one of two predefined
sets by name; further arguments override single values::

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
`max_connections`              none         10,000       nginx 512 per worker
`max_connections_per_address`  none         100          examples for nginx and HAProxy say 10 to 100
`max_pipelined_requests`       none         100          none
`max_inflation_ratio`          none         100          deflate reaches 1,032; text 5 to 20
`max_form_size`                none         1 MiB        Django 2.5 MB, Werkzeug 500 kB, PHP 8 MB, IIS 4 MB
`max_json_size`                none         128 KiB      Express 100 kB, Fastify 1 MiB
=============================  ===========  ===========  ====================================================

There is no general limit on the size of bodies, because it depends on the program (see ``max_body_size``).
"""

from __future__ import annotations

import dataclasses
from typing import Any

__all__ = ["DEFAULT", "PUBLIC", "Protection"]

#: The annotations of the fields that hold sizes or counts.
_WHOLE = frozenset({"int", "int | None"})
_MAY_BE_ZERO = frozenset({"body_timeout", "idle_connection_timeout", "header_timeout"})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """Limits on clients; times in seconds, rates in bytes per second, sizes in bytes.

    To remove a limit that ``"public"`` has, derive a set from it: ``dataclasses.replace(PUBLIC,
    min_send_rate=None)``.

    :raises TypeError: if a value is not a number, or a size or count is not a whole number.
    :raises ValueError: if a value is not positive.
    """

    #: The maximum time from the first byte of a request's head to the last, in seconds.
    header_timeout: float = 60.0
    #: The maximum time without input before the first request and between requests, in seconds.
    idle_connection_timeout: float = 3600.0
    #: The maximum time from accepting a connection to the end of the TLS handshake, in seconds.
    tls_handshake_timeout: float = 60.0
    #: The maximum time from the end of a head to the end of its body, in seconds; None for no limit.
    body_timeout: float | None = None
    #: The minimum rate at which a request body must arrive, in bytes per second, measured over each
    #: `rate_window`. Time during which reading is paused because the handler is busy does not count.
    min_body_rate: float | None = None
    #: The minimum rate at which a client must receive a response, in bytes per second, measured over each
    #: `rate_window`.
    min_send_rate: float | None = None
    #: The time over which both rates are measured, in seconds.
    rate_window: float = 20.0
    #: The maximum size of the request line and the header section together, in bytes (414 or 431).
    max_header_size: int = 64 * 1024
    #: The maximum number of header fields of one request (431).
    max_header_count: int = 1000
    #: The maximum number of open connections. When it is reached, a new connection causes the connections
    #: that have been idle longest to be closed. If none is idle, the new connection is refused. The limit is
    #: never more than three quarters of the file descriptors that the process may open.
    max_connections: int | None = None
    #: The maximum number of connections from one IPv4 address or one IPv6 /64 network. Further connections
    #: are refused.
    max_connections_per_address: int | None = None
    #: The maximum number of successive requests on one connection that each arrive before the previous
    #: response was sent. The count restarts when no request is waiting. When the limit is reached, the next
    #: response has ``Connection: close``, and the client must send the unanswered requests again (RFC 9112
    #: section 9.3.2).
    max_pipelined_requests: int | None = None
    #: The maximum ratio of the decompressed to the compressed size of a request body (400) or WebSocket
    #: message (1009). It applies to decompressed sizes above 1 MiB.
    max_inflation_ratio: float | None = None
    #: The maximum size in bytes of a form (urlencoded or multipart) whose arguments or files a handler reads
    #: (413). Decoding a form blocks the event loop. A handler class may set its own `max_form_size`. The
    #: limit does not apply to bodies that are not read as forms, or to parts that an `.UploadHandler`
    #: receives.
    max_form_size: int | None = None
    #: The maximum size in bytes of a body that `.RequestHandler.get_json_body` decodes (413). A handler class
    #: may set its own `max_json_size`.
    max_json_size: int | None = None

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value is None and field.default is None:
                continue
            if not isinstance(value, (int, float)) or isinstance(value, bool):
                raise TypeError(f"{field.name} must be a number, got {value!r}")
            if not value > 0 and (value != 0 or field.name not in _MAY_BE_ZERO):  # also rejects NaN
                raise ValueError(f"{field.name} must be positive, got {value!r}")
            if field.type in _WHOLE and value % 1 != 0:  # the remainder is NaN for infinity
                raise TypeError(f"{field.name} must be a whole number, got {value!r}")

    @staticmethod
    def of(protection: str | Protection | None, **given: Any) -> Protection:
        """Return a set of limits, with single values replaced.

        A positive `idle_connection_timeout` also limits `header_timeout` and `tls_handshake_timeout` unless
        they are given: if a connection may be idle for only five seconds, a head should not take a minute.

        :param protection: a `Protection` or the name of one; None means ``"default"``.
        :param given: values that replace single limits of the set; None leaves a limit unchanged.
        :raises ValueError: if the name is unknown.
        :raises TypeError: if `protection` is neither a name nor a `Protection`.
        """
        if isinstance(protection, Protection):
            base = protection
        elif protection is None or isinstance(protection, str):
            if (protection or "default") not in _BY_NAME:
                raise ValueError(
                    f'expected protection "default", "public" or a Protection, got {protection!r}'
                )
            base = _BY_NAME[protection or "default"]
        else:
            raise TypeError(f'expected protection "default", "public" or a Protection, got {protection!r}')
        given = {name: value for name, value in given.items() if value is not None}
        idle = given.get("idle_connection_timeout")
        if isinstance(idle, (int, float)) and idle > 0:
            for name in ("header_timeout", "tls_handshake_timeout"):
                given.setdefault(name, min(getattr(base, name), idle))
        return dataclasses.replace(base, **given) if given else base


#: The limits of a server without the `protection` argument: on heads (time, size, number of fields) and on
#: TLS handshakes.
DEFAULT = Protection()

#: Limits for a server that is reachable from the internet without a proxy in front of it.
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
