"""The type of the keyword arguments of `tornado.httpserver.HTTPServer`.

It is intended for type checkers. At run time the module is imported only if a program uses the class.
"""

from __future__ import annotations

import ssl
from typing import Any, TypedDict

from tornado._public_module_names import export
from tornado.http1connection._protection import Protection
from tornado.ioloop import IOLoop


class HTTPServerOptions(TypedDict, total=False):
    """Keyword arguments of `.HTTPServer` and `.Application.listen`.

    Use it to annotate a function that passes such arguments on::

        def serve(port: int, **options: Unpack[HTTPServerOptions]) -> HTTPServer:
            return make_app().listen(port, **options)
    """

    no_keep_alive: bool
    xheaders: bool
    ssl_options: dict[str, Any] | ssl.SSLContext | None
    protocol: str | None
    decompress_request: bool
    chunk_size: int | None
    max_header_size: int | None
    idle_connection_timeout: float | None
    body_timeout: float | None
    max_body_size: int | None
    max_buffer_size: int | None
    trusted_downstream: list[str] | None
    io_loop: IOLoop | None
    protection: str | Protection | None
    header_timeout: float | None
    tls_handshake_timeout: float | None
    min_body_rate: float | None
    min_send_rate: float | None
    rate_window: float | None
    max_header_count: int | None
    max_connections: int | None
    max_connections_per_address: int | None
    max_pipelined_requests: int | None
    max_inflation_ratio: float | None
    max_form_size: int | None
    max_json_size: int | None
    trusted_proxies: list[str] | None


__all__ = ["HTTPServerOptions"]

export(globals(), module="tornado.httpserver")
