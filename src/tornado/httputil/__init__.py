"""What HTTP clients and servers share: headers, requests, forms, cookies, dates and addresses.

The names a program meets most often are `HTTPServerRequest` (as ``self.request`` in a handler) and
`HTTPHeaders` (as ``request.headers`` and ``response.headers``). The delegate classes at the end are for
programs that plug into the server below `tornado.web`: a `HTTPServerConnectionDelegate` is told of each
request, answers with a `HTTPMessageDelegate` that is told of its parts, and writes to a `HTTPConnection`.

Reading is strict: what HTTP does not allow, or what passes a limit, raises `HTTPInputError`, which a server
answers with status 400 (or `HTTPInputError.status_code` of a subclass). A message that this program may not
send raises `HTTPOutputError`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tornado._export import export
from tornado._wire.cookies import parse_cookie
from tornado._wire.errors import HTTPInputError, HTTPOutputError
from tornado._wire.headers import FORBIDDEN_VALUE_CHARS as _FORBIDDEN_HEADER_CHARS_RE
from tornado._wire.headers import HTTPHeaders
from tornado._wire.ranges import format_content_range as _get_content_range
from tornado._wire.ranges import parse_range as _parse_request_range
from tornado.httputil import _forms
from tornado.httputil._address import qs_to_qsl, split_host_and_port, url_concat
from tornado.httputil._delegates import HTTPConnection, HTTPMessageDelegate, HTTPServerConnectionDelegate
from tornado.httputil._fields import (
    HTTP_WHITESPACE,
    _encode_header,
    _int_or_none,
    _parse_header,
    doctests,
    encode_username_password,
    format_timestamp,
    responses,
)
from tornado.httputil._forms import (
    HTTPFile,
    ParseBodyConfig,
    ParseMultipartConfig,
    ParseUrlEncodedConfig,
    parse_body_arguments,
    parse_multipart_form_data,
    set_parse_body_config,
)
from tornado.httputil._request import HTTPServerRequest
from tornado.httputil._startline import (
    _ABNF,
    RequestStartLine,
    ResponseStartLine,
    parse_request_start_line,
    parse_response_start_line,
)

__all__ = [
    "HTTP_WHITESPACE",
    "HTTPConnection",
    "HTTPFile",
    "HTTPHeaders",
    "HTTPInputError",
    "HTTPMessageDelegate",
    "HTTPOutputError",
    "HTTPServerConnectionDelegate",
    "HTTPServerRequest",
    "ParseBodyConfig",
    "ParseMultipartConfig",
    "ParseUrlEncodedConfig",
    "RequestStartLine",
    "ResponseStartLine",
    "_ABNF",
    "_FORBIDDEN_HEADER_CHARS_RE",
    "_encode_header",
    "_get_content_range",
    "_int_or_none",
    "_parse_header",
    "_parse_request_range",
    "doctests",
    "encode_username_password",
    "format_timestamp",
    "parse_body_arguments",
    "parse_cookie",
    "parse_multipart_form_data",
    "parse_request_start_line",
    "parse_response_start_line",
    "qs_to_qsl",
    "responses",
    "set_parse_body_config",
    "split_host_and_port",
    "url_concat",
]

if TYPE_CHECKING:
    _DEFAULT_PARSE_BODY_CONFIG: ParseBodyConfig
else:

    def __getattr__(name):
        """`_DEFAULT_PARSE_BODY_CONFIG` is a variable, so it is looked up where it lives."""
        if name == "_DEFAULT_PARSE_BODY_CONFIG":
            return _forms.default_config
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


export(globals())
