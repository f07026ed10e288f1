"""Names that programs import from upstream's modules, although those modules do not define but only import
them.

``from tornado.httputil import urlencode`` works with upstream because its ``httputil`` imports that function
for its own use. Programs rely on hundreds of such names, so each module here provides them too: its
``__getattr__`` looks them up in `_IMPORTS` and imports them on first use. ``dir()`` does not list them. Names
that a module here defines or imports itself are found without `_IMPORTS`.

``tests/compat/test_reexports.py`` compares the result with the names in upstream's modules.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import MutableMapping
from typing import Any

from tornado._public_module_names import list_public

#: Module -> source -> names. The names listed under the source "" are modules. A dotted name such as
#: ``email.utils`` defines only its first part, ``email``, as ``import email.utils`` does.
_IMPORTS: dict[str, dict[str, str]] = {
    "tornado.auth": {
        "tornado.auth._oauth1_signature": "_oauth10a_signature _oauth_escape _oauth_signature",
        "": "base64 binascii hashlib hmac re time urllib.parse uuid",
        "collections.abc": "Iterable",
        "tornado": "escape httpclient",
        "tornado.httputil": "url_concat",
        "tornado.util": "unicode_type",
        "tornado.web": "RequestHandler",
    },
    "tornado.autoreload": {
        "": "functools importlib.abc importlib.util os pkgutil signal subprocess sys traceback types weakref",
        "collections.abc": "Callable",
        "tornado": "ioloop process",
        "tornado.log": "gen_log",
    },
    "tornado.concurrent": {
        "": "asyncio functools sys types typing",
        "asyncio": "Future",
        "collections.abc": "Callable",
        "concurrent": "futures",
        "tornado.log": "app_log",
    },
    "tornado.curl_httpclient": {
        "": "inspect logging threading time",
        "collections.abc": "Callable",
        "io": "BytesIO",
        "tornado": "gen httputil ioloop",
        "tornado.escape": "native_str utf8",
        "tornado.httpclient": "AsyncHTTPClient HTTPError HTTPRequest HTTPResponse main",
        "tornado.log": "app_log",
    },
    "tornado.escape": {
        "": "binascii html json re typing urllib.parse",
        "collections.abc": "Callable",
        "tornado.util": "unicode_type",
    },
    "tornado.gen": {
        "": (
            "asyncio builtins collections.abc concurrent.futures contextvars datetime functools sys types "
            "typing"
        ),
        "asyncio": "Future",
        "collections.abc": "Awaitable Callable Generator Iterable Mapping Sequence",
        "functools": "singledispatch",
        "inspect": "isawaitable",
        "tornado.concurrent": (
            "chain_future future_add_done_callback future_set_exc_info future_set_result_unless_cancelled "
            "is_future"
        ),
        "tornado.ioloop": "IOLoop",
        "tornado.log": "app_log",
    },
    "tornado.http1connection": {
        "tornado.http1connection._private_names": (
            "_ExceptionLoggingContext _GzipMessageDelegate _QuietException"
        ),
        "": "asyncio logging re types zlib",
        "asyncio": "Future",
        "collections.abc": "Awaitable Callable",
        "tornado": "gen httputil iostream",
        "tornado.concurrent": "future_add_done_callback future_set_result_unless_cancelled",
        "tornado.escape": "native_str utf8",
        "tornado.log": "app_log gen_log",
        "tornado.util": "GzipDecompressor",
    },
    "tornado.httpclient": {
        "": "datetime functools ssl time weakref",
        "asyncio": "Future",
        "collections.abc": "Awaitable Callable",
        "io": "BytesIO",
        "tornado": "gen httputil",
        "tornado.concurrent": "future_set_exception_unless_cancelled future_set_result_unless_cancelled",
        "tornado.escape": "native_str utf8",
        "tornado.ioloop": "IOLoop",
        "tornado.util": "Configurable",
    },
    "tornado.httpserver": {
        "": "socket ssl typing",
        "collections.abc": "Awaitable Callable",
        "tornado": "httputil iostream netutil",
        "tornado.escape": "native_str",
        "tornado.http1connection": "HTTP1ConnectionParameters HTTP1ServerConnection",
        "tornado.tcpserver": "TCPServer",
        "tornado.util": "Configurable",
    },
    "tornado.httputil": {
        "": (
            "calendar collections.abc copy dataclasses datetime email.utils http.client http.cookies re "
            "time typing unicodedata warnings"
        ),
        "collections.abc": "Awaitable Generator Iterable Iterator Mapping",
        "functools": "lru_cache",
        "ssl": "SSLError",
        "urllib.parse": "parse_qsl urlencode urlparse urlunparse",
        "tornado.escape": "native_str parse_qs_bytes to_unicode utf8",
        "tornado.util": "ObjectDict unicode_type",
    },
    "tornado.ioloop": {
        "": "asyncio concurrent.futures datetime functools math numbers os random sys time typing warnings",
        "asyncio": "Future",
        "collections.abc": "Awaitable Callable",
        "inspect": "isawaitable",
        "tornado.concurrent": "chain_future future_add_done_callback future_set_exc_info is_future",
        "tornado.log": "app_log",
        "tornado.util": "Configurable import_object",
    },
    "tornado.iostream": {
        "": "asyncio collections.abc errno io numbers os re socket ssl sys typing",
        "asyncio": "Future",
        "collections.abc": "Awaitable Callable",
        "re": "Pattern",
        "types": "TracebackType",
        "tornado": "ioloop",
        "tornado.concurrent": "future_set_result_unless_cancelled",
        "tornado.log": "gen_log",
        "tornado.netutil": "_client_ssl_defaults ssl_wrap_socket",
        "tornado.util": "errno_from_exception",
    },
    "tornado.locale": {
        "": "codecs csv datetime gettext glob os re",
        "collections.abc": "Iterable",
        "tornado": "escape",
        "tornado.log": "gen_log",
    },
    "tornado.locks": {
        "": "collections.abc datetime types",
        "asyncio": "Future",
        "collections.abc": "Awaitable",
        "tornado": "gen ioloop",
        "tornado.concurrent": "future_set_result_unless_cancelled",
    },
    "tornado.log": {
        "": "curses logging sys",
        "tornado.escape": "_unicode",
        "tornado.util": "basestring_type unicode_type",
    },
    "tornado.netutil": {
        "tornado.netutil._resolver": "_resolve_addr",
        "": "asyncio concurrent.futures errno functools os socket ssl stat sys",
        "collections.abc": "Awaitable Callable",
        "tornado.concurrent": "dummy_executor run_on_executor",
        "tornado.ioloop": "IOLoop",
        "tornado.util": "Configurable errno_from_exception",
    },
    "tornado.options": {
        "": "datetime numbers os re sys textwrap",
        "collections.abc": "Callable Iterable Iterator",
        "tornado.escape": "_unicode native_str",
        "tornado.log": "define_logging_options",
        "tornado.util": "basestring_type exec_in",
    },
    "tornado.platform.asyncio": {
        "": (
            "asyncio atexit concurrent.futures contextvars errno functools select socket sys threading "
            "typing warnings"
        ),
        "collections.abc": "Callable",
        "tornado.gen": "convert_yielded",
        "tornado.ioloop": "IOLoop",
    },
    "tornado.platform.caresresolver": {
        "": "pycares socket typing",
        "asyncio": "Future",
        "collections.abc": "Generator",
        "tornado": "gen",
        "tornado.ioloop": "IOLoop",
        "tornado.netutil": "Resolver is_valid_ip",
    },
    "tornado.platform.twisted": {
        "": "sys typing",
        "asyncio": "Future",
        "twisted.internet.defer": "Deferred",
        "twisted.python": "failure",
        "tornado": "gen",
        "tornado.concurrent": "future_set_exc_info",
    },
    "tornado.process": {
        "": "asyncio multiprocessing os signal subprocess sys time",
        "asyncio": "Future",
        "binascii": "hexlify",
        "collections.abc": "Callable",
        "subprocess": "CalledProcessError",
        "tornado": "ioloop",
        "tornado.concurrent": "future_set_exception_unless_cancelled future_set_result_unless_cancelled",
        "tornado.iostream": "PipeIOStream",
        "tornado.log": "gen_log",
    },
    "tornado.queues": {
        "": "collections.abc datetime heapq",
        "asyncio": "Future",
        "collections.abc": "Awaitable",
        "tornado": "ioloop",
        "tornado.concurrent": "future_set_result_unless_cancelled",
        "tornado.locks": "Event",
    },
    "tornado.routing": {
        "": "re",
        "collections.abc": "Awaitable Sequence",
        "functools": "partial",
        "re": "Pattern",
        "tornado": "httputil",
        "tornado.escape": "url_escape url_unescape utf8",
        "tornado.log": "app_log",
        "tornado.util": "basestring_type import_object re_unescape unicode_type",
    },
    "tornado.simple_httpclient": {
        "": "base64 collections.abc copy functools re socket ssl sys time urllib.parse",
        "asyncio": "Future",
        "collections.abc": "Awaitable Callable",
        "io": "BytesIO",
        "types": "TracebackType",
        "tornado": "gen httputil version",
        "tornado.escape": "_unicode",
        "tornado.http1connection": "HTTP1Connection HTTP1ConnectionParameters",
        "tornado.httpclient": "AsyncHTTPClient HTTPError HTTPRequest HTTPResponse _RequestProxy main",
        "tornado.ioloop": "IOLoop",
        "tornado.iostream": "IOStream StreamClosedError",
        "tornado.log": "gen_log",
        "tornado.netutil": "OverrideResolver Resolver _client_ssl_defaults is_valid_ip",
        "tornado.tcpclient": "TCPClient",
    },
    "tornado.tcpclient": {
        "": "asyncio datetime functools numbers socket ssl",
        "asyncio": "Future",
        "collections.abc": "Callable Iterator",
        "tornado": "gen",
        "tornado.concurrent": "future_add_done_callback",
        "tornado.ioloop": "IOLoop",
        "tornado.iostream": "IOStream",
        "tornado.netutil": "Resolver",
    },
    "tornado.tcpserver": {
        "": "errno os socket ssl",
        "collections.abc": "Awaitable Callable Iterable",
        "tornado": "gen process",
        "tornado.ioloop": "IOLoop",
        "tornado.iostream": "IOStream SSLIOStream",
        "tornado.log": "app_log",
        "tornado.netutil": "add_accept_handler bind_sockets ssl_wrap_socket",
        "tornado.util": "errno_from_exception",
    },
    "tornado.template": {
        "": "datetime linecache os posixpath re threading typing",
        "collections.abc": "Callable Iterable",
        "io": "StringIO",
        "tornado": "escape",
        "tornado.log": "app_log",
        "tornado.util": "ObjectDict exec_in unicode_type",
    },
    "tornado.testing": {
        "": "asyncio functools inspect logging os re signal socket sys typing unittest warnings",
        "collections.abc": "Callable Coroutine Generator",
        "types": "TracebackType",
        "tornado": "gen netutil",
        "tornado.httpclient": "AsyncHTTPClient HTTPResponse",
        "tornado.httpserver": "HTTPServer",
        "tornado.ioloop": "IOLoop",
        "tornado.log": "app_log",
        "tornado.platform.asyncio": "AsyncIOMainLoop",
        "tornado.process": "Subprocess",
        "tornado.util": "basestring_type raise_exc_info",
        "tornado.web": "Application",
    },
    "tornado.util": {
        "": "array asyncio os re typing warnings zlib",
        "collections.abc": "Callable Mapping Sequence",
        "inspect": "getfullargspec",
        "re": "Match",
        "tornado.util": "basestring_type unicode_type",
    },
    "tornado.web": {
        "tornado.web._input._arguments": "_ArgDefaultMarker",
        "": (
            "asyncio base64 binascii datetime email.utils functools gzip hashlib hmac http.client "
            "http.cookies mimetypes numbers os re socket stat string sys threading time tornado traceback "
            "types urllib.parse warnings"
        ),
        "asyncio": "Future",
        "collections.abc": "Awaitable Callable Generator Iterable",
        "inspect": "isclass",
        "io": "BytesIO",
        "types": "TracebackType",
        "urllib.parse": "urlencode",
        "tornado": "escape gen httputil iostream locale template",
        "tornado.concurrent": "future_set_result_unless_cancelled",
        "tornado.escape": "utf8",
        "tornado.httpserver": "HTTPServer",
        "tornado.log": "access_log app_log gen_log",
        "tornado.routing": (
            "AnyMatches DefaultHostMatches HostMatches ReversibleRouter ReversibleRuleRouter Rule URLSpec"
        ),
        "tornado.util": "ObjectDict _websocket_mask unicode_type",
    },
    "tornado.websocket": {
        "": "abc asyncio base64 functools hashlib logging os struct sys tornado warnings zlib",
        "asyncio": "Future",
        "collections.abc": "Awaitable Callable",
        "types": "TracebackType",
        "tornado": "gen httpclient httputil simple_httpclient",
        "tornado.concurrent": "future_add_done_callback future_set_result_unless_cancelled",
        "tornado.escape": "native_str to_unicode utf8",
        "tornado.ioloop": "IOLoop",
        "tornado.iostream": "IOStream StreamClosedError",
        "tornado.log": "app_log gen_log",
        "tornado.netutil": "Resolver",
        "tornado.queues": "Queue",
        "tornado.tcpclient": "TCPClient",
        "tornado.util": "_websocket_mask",
    },
    "tornado.wsgi": {
        "": "concurrent.futures sys tornado typing",
        "collections.abc": "Callable",
        "io": "BytesIO",
        "types": "TracebackType",
        "tornado": "escape httputil",
        "tornado.concurrent": "dummy_executor",
        "tornado.ioloop": "IOLoop",
        "tornado.log": "access_log",
    },
}


def reexport(namespace: MutableMapping[str, Any]) -> None:
    """Define a module's ``__getattr__``, which finds the names in `_IMPORTS`, and its ``__dir__``.

    A module that needs another ``__getattr__`` calls `reexported` and `list_public` instead.

    :param namespace: the module's ``globals()``.
    """
    module = namespace["__name__"]
    namespace["__getattr__"] = lambda name: reexported(module, name)
    list_public(namespace)


def reexported(module: str, name: str) -> Any:
    """Import the object that `name` refers to in upstream's module, and store it in the module of this
    package.

    :param module: the dotted name of the module of this package.
    :returns: the object.
    :raises AttributeError: if `name` is not listed for `module`.
    """
    for source, names in _IMPORTS.get(module, {}).items():
        listed = names.split()
        if source and name in listed:
            value = _import_name(source, name)
            break
        if not source and (found := [each for each in listed if each.partition(".")[0] == name]):
            for each in found:
                importlib.import_module(each)
            value = sys.modules[name]
            break
    else:
        raise AttributeError(f"module {module!r} has no attribute {name!r}")
    return vars(sys.modules[module]).setdefault(name, value)


def _import_name(source: str, name: str) -> Any:
    """Return the object that ``from source import name`` imports."""
    found = importlib.import_module(source)
    try:
        return getattr(found, name)
    except AttributeError:
        return importlib.import_module(f"{source}.{name}")
