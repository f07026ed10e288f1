"""Code that HTTP clients and servers share: headers, requests, forms, cookies, dates and addresses.

Programs most often use `HTTPServerRequest` (as ``self.request`` in a handler) and `HTTPHeaders` (as
``request.headers`` and ``response.headers``). The delegate classes are for programs that handle requests
without `tornado.web`. `HTTPServerConnectionDelegate.start_request` is called for each request and returns an
`HTTPMessageDelegate`, whose methods are called with the parts of the request. The response is written to an
`HTTPConnection`.

Parsing is strict: input that HTTP does not allow, or that exceeds a limit, raises `HTTPInputError`. The
attribute ``status_code`` of the error is the status of the server's response: 400, unless a subclass defines
another one. Sending an invalid message raises `HTTPOutputError`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import tornado.httputil._forms as _forms
from tornado._implicit_reexports import reexported
from tornado._public_module_names import export
from tornado._wire import headers as _headers
from tornado._wire import ranges as _ranges
from tornado._wire.cookies import parse_cookie
from tornado._wire.cookies import unquote_value as _unquote_cookie
from tornado._wire.errors import HTTPInputError, HTTPOutputError
from tornado._wire.headers import HTTPHeaders
from tornado.httputil._delegates import HTTPConnection, HTTPMessageDelegate, HTTPServerConnectionDelegate
from tornado.httputil._field_values import (
    HTTP_WHITESPACE,
    doctests,
    encode_username_password,
    format_timestamp,
    responses,
)
from tornado.httputil._field_values import _encode_header as _encode_header
from tornado.httputil._field_values import _int_or_none as _int_or_none
from tornado.httputil._field_values import _parse_header as _parse_header
from tornado.httputil._field_values import _parseparam as _parseparam
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
from tornado.httputil._start_line import _ABNF as _ABNF
from tornado.httputil._start_line import (
    RequestStartLine,
    ResponseStartLine,
    parse_request_start_line,
    parse_response_start_line,
)
from tornado.httputil._url import qs_to_qsl, split_host_and_port, url_concat

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

# Private names that programs use nevertheless.
_FORBIDDEN_HEADER_CHARS_RE = _headers.FORBIDDEN_VALUE_CHARS
_get_content_range = _ranges.format_content_range
_parse_request_range = _ranges.parse_range

if TYPE_CHECKING:
    _DEFAULT_PARSE_BODY_CONFIG: ParseBodyConfig
else:

    def __getattr__(name):
        """Look up `_DEFAULT_PARSE_BODY_CONFIG`, whose value may change, in the module that defines it."""
        if name == "_DEFAULT_PARSE_BODY_CONFIG":
            return _forms.default_config
        return reexported(__name__, name)


export(globals())
