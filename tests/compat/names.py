"""Undocumented names that programs, or upstream's tests, use.

A name is a dotted path: a module, followed by attributes. A path that begins with a name in angle brackets is
looked up on the object that :mod:`tests.compat.objects` creates for it, because some attributes exist only on
instances. Each group names its users. ``PENDING`` lists names that are not implemented yet, by prefix, with
the issue that implements them: such a name must be absent, so the test fails when it appears and the entry
must be deleted.
"""

from __future__ import annotations

NAMES: dict[str, list[str]] = {
    "streams (Dask, Jupyter, upstream's tests)": [
        "tornado.iostream._ERRNO_CONNRESET",
        "tornado.iostream._StreamBuffer",
        "tornado.iostream.BaseIOStream._try_inline_read",
        "<stream buffer>._buffers",
        "<stream buffer>._large_buf_threshold",
        "<stream>._read_buffer",
        "<stream>._read_buffer_size",
        "<stream>._write_buffer",
        "<stream>._total_write_index",
        "<stream>.socket",
    ],
    "parsers": [
        "tornado.httputil._parse_header",
        "tornado.httputil._parse_request_range",
        "tornado.httputil._get_content_range",
        "tornado.httputil._ABNF",
        "tornado.httputil._FORBIDDEN_HEADER_CHARS_RE",
        "tornado.httputil._DEFAULT_PARSE_BODY_CONFIG",
        "tornado.escape._unicode",
        "tornado.escape._unquote_to_bytes",
        "tornado.util._websocket_mask_python",
    ],
    "servers and parsers (OctoPrint)": [
        "tornado.http1connection._ExceptionLoggingContext",
        "tornado.http1connection._GzipMessageDelegate",
        "tornado.http1connection._QuietException",
        "tornado.httputil._parseparam",
        "tornado.httputil._unquote_cookie",
    ],
    "routes (ddtrace)": [
        "<path matcher>._group_count",
        "<path matcher>._path",
        "tornado.routing._unquote_or_none",
    ],
    "names imported by single programs": [
        "tornado.auth._oauth10a_signature",
        "tornado.auth._oauth_escape",
        "tornado.auth._oauth_signature",
        "tornado.autoreload._reload_hooks",
        "tornado.autoreload._watched_files",
        "tornado.iostream._client_ssl_defaults",
        "tornado.netutil._DEFAULT_BACKLOG",
        "tornado.netutil._resolve_addr",
        "tornado.simple_httpclient._client_ssl_defaults",
        "tornado.web._ArgDefaultMarker",
    ],
    "handlers (Jupyter, Sentry, OpenTelemetry, Bokeh)": [
        "tornado.web._ApplicationRouter",
        "tornado.web._UIModuleNamespace",
        "tornado.web._ARG_DEFAULT",
        "tornado.web._has_stream_request_body",
        "tornado.web._create_signature_v1",
        "tornado.web._create_signature_v2",
        "tornado.web.RequestHandler._template_loaders",
        "tornado.web.RequestHandler._execute",
        "tornado.web.RequestHandler._unimplemented_method",
        "tornado.web.StaticFileHandler._lock",
        "tornado.web.GZipContentEncoding.CONTENT_TYPES",
        "<handler>._transforms",
        "<handler>._headers",
        "<handler>._headers_written",
        "<handler>._finished",
        "<handler>._auto_finish",
        "<handler>._write_buffer",
        "<handler>._status_code",
        "<handler>._reason",
        "<handler>.request.connection",
        "<application>.wildcard_router.rules",
        "<application>.default_router",
        "tornado.routing._RuleList",
        "tornado.routing.PathMatches._find_groups",
    ],
    "modules reached through a facade": [
        "tornado.web.escape",
        "tornado.web.gen",
        "tornado.web.httputil",
        "tornado.web.iostream",
        "tornado.web.locale",
        "tornado.web.template",
        "tornado.httpclient.gen",
    ],
    "names taken from where they are used, not where they are made (Flower, HoloViz, raven)": [
        "tornado.http1connection.gen_log",
        "tornado.httpclient.IOLoop",
        "tornado.simple_httpclient.HTTPError",
        "tornado.template.ObjectDict",
        "tornado.testing.AsyncHTTPClient",
        "tornado.testing.HTTPServer",
        "tornado.testing.IOLoop",
        "tornado.web.HTTPServer",
        "tornado.web._unicode",
        "tornado.web.access_log",
        "tornado.web.app_log",
        "tornado.web.gen_log",
        "tornado.web.utf8",
        "tornado.websocket.IOLoop",
        "tornado.websocket.StreamClosedError",
        "tornado.websocket.app_log",
        "tornado.websocket.gen_log",
    ],
    "servers": [
        "<tcp server>._sockets",
        "<http server>._sockets",
        "tornado.http1connection._MAX_1XX_RESPONSES",
    ],
    "clients": [
        "tornado.httpclient._RequestProxy",
        "tornado.simple_httpclient._HTTPConnection",
        "tornado.tcpclient._Connector",
        "tornado.tcpclient._format_addr",
    ],
    "loop (ipykernel, pyzmq, Jupyter)": [
        "tornado.ioloop.IOLoop._ioloop_for_asyncio",
        "tornado.ioloop.PeriodicCallback._update_next",
        "<periodic callback>._next_timeout",
        "<condition>._waiters",
        "<semaphore>._waiters",
        "<queue>._getters",
        "<queue>._putters",
        "tornado.util.Configurable._save_configuration",
        "tornado.util.Configurable._restore_configuration",
        "tornado.platform.asyncio.SelectorThread",
        "tornado.platform.asyncio.AddThreadSelectorEventLoop",
        "tornado.netutil.ThreadedResolver._threadpool",
    ],
    "settings and texts": [
        "<option>.type",
        "<option>.multiple",
        "<options>.mockable",
        "<log formatter>._colors",
        "<log formatter>._normal",
        "tornado.locale.Locale._cache",
    ],
    "WebSockets (Jupyter, Bokeh, Sentry)": [
        "tornado.websocket._PerMessageDeflateCompressor",
        "tornado.websocket._PerMessageDeflateDecompressor",
        "tornado.websocket._DecompressTooLargeError",
        "tornado.websocket.WebSocketProtocol13._handle_message",
        "tornado.websocket.WebSocketProtocol13.is_closing",
        "tornado.websocket.WebSocketProtocol13._abort",
        "tornado.websocket.WebSocketHandler.on_close",
        "tornado.websocket.WebSocketClientConnection",
    ],
    "the 4.x style": [
        "tornado.concurrent.return_future",
        "tornado.gen.Callback",
        "tornado.gen.Task",
        "tornado.gen.Wait",
        "tornado.gen.WaitAll",
        "tornado.gen.engine",
        "tornado.ioloop.IOLoop.initialized",
        "tornado.stack_context.StackContext",
        "tornado.testing.get_unused_port",
        "tornado.web.asynchronous",
        "tornado.wsgi.WSGIAdapter",
    ],
}

#: Prefix -> the issue that implements it. Delete an entry when it is implemented.
PENDING: dict[str, str] = {}

#: Every public module of the API.
MODULES = """
    auth autoreload concurrent curl_httpclient escape gen http1connection httpclient httpserver httputil
    ioloop iostream locale locks log netutil options platform.asyncio platform.caresresolver platform.twisted
    process queues routing simple_httpclient tcpclient tcpserver template testing util web websocket wsgi
""".split()
