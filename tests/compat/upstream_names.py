"""The public names of the modules of Tornado 6.6.1, those of their imports included.

``upstream_names_program.py`` lists them.
"""

from __future__ import annotations

#: Names that are missing here, and why. At most ten.
MISSING = {
    "tornado.test": "upstream's own test suite; the name stays free for it",
    "tornado.typing": "the package itself imports nothing, so that `import tornado` stays cheap",
}

NAMES: dict[str, str] = {
    "tornado": """
        importlib platform test typing version version_info
    """,
    "tornado._language_names": """
        LOCALE_NAMES
    """,
    "tornado.auth": """
        AuthError FacebookGraphMixin GoogleOAuth2Mixin Iterable OAuth2Mixin OAuthMixin OpenIdMixin
        RequestHandler TwitterMixin base64 binascii escape hashlib hmac httpclient re time unicode_type
        url_concat urllib uuid
    """,
    "tornado.autoreload": """
        Callable add_reload_hook gen_log importlib ioloop main os pkgutil process signal start subprocess
        traceback wait watch weakref
    """,
    "tornado.concurrent": """
        Callable DummyExecutor FUTURES Future ReturnValueIgnoredError app_log asyncio chain_future
        dummy_executor future_add_done_callback future_set_exc_info future_set_exception_unless_cancelled
        future_set_result_unless_cancelled futures is_future run_on_executor typing
    """,
    "tornado.curl_httpclient": """
        AsyncHTTPClient BytesIO CR_OR_LF_RE Callable CurlAsyncHTTPClient CurlError HTTPError HTTPRequest
        HTTPResponse app_log curl_log gen httputil inspect ioloop logging main native_str pycurl re
        threading time utf8
    """,
    "tornado.escape": """
        Callable binascii html json json_decode json_encode linkify native_str parse_qs_bytes re
        recursive_unicode squeeze to_basestring to_unicode typing unicode_type url_escape url_unescape
        urllib utf8 xhtml_escape xhtml_unescape
    """,
    "tornado.gen": """
        Awaitable BadYieldError Callable Future Generator IOLoop Iterable KeyReuseError LeakedCallbackError
        Mapping Multi Return ReturnValueIgnoredError Runner Sequence TimeoutError UnknownKeyError
        WaitIterator app_log asyncio builtins chain_future concurrent contextvars convert_yielded coroutine
        datetime future_add_done_callback future_set_exc_info future_set_result_unless_cancelled
        is_coroutine_function is_future isawaitable maybe_future moment multi multi_future singledispatch
        sleep typing with_timeout
    """,
    "tornado.http1connection": """
        Awaitable CR_OR_LF_RE Callable DIGITS Future GzipDecompressor HEXDIGITS HTTP1Connection
        HTTP1ConnectionParameters HTTP1ServerConnection app_log asyncio future_add_done_callback
        future_set_result_unless_cancelled gen gen_log httputil iostream is_transfer_encoding_chunked
        logging native_str parse_hex_int parse_int re utf8 zlib
    """,
    "tornado.httpclient": """
        AsyncHTTPClient Awaitable BytesIO Callable Configurable Future HTTPClient HTTPClientError HTTPError
        HTTPRequest HTTPResponse IOLoop datetime future_set_exception_unless_cancelled
        future_set_result_unless_cancelled gen httputil main native_str ssl time utf8 weakref
    """,
    "tornado.httpserver": """
        Awaitable Callable Configurable HTTP1ConnectionParameters HTTP1ServerConnection HTTPRequest
        HTTPServer TCPServer httputil iostream native_str netutil socket ssl typing
    """,
    "tornado.httputil": """
        Awaitable Generator HTTPConnection HTTPFile HTTPHeaders HTTPInputError HTTPMessageDelegate
        HTTPOutputError HTTPServerConnectionDelegate HTTPServerRequest HTTP_WHITESPACE Iterable Iterator
        Mapping ObjectDict ParseBodyConfig ParseMultipartConfig ParseUrlEncodedConfig RequestStartLine
        ResponseStartLine SSLError annotations calendar copy dataclasses datetime doctests email
        encode_username_password format_timestamp http lru_cache native_str parse_body_arguments
        parse_cookie parse_multipart_form_data parse_qs_bytes parse_qsl parse_request_start_line
        parse_response_start_line qs_to_qsl re responses set_parse_body_config split_host_and_port time
        to_unicode typing unicode_type unicodedata url_concat urlencode urlparse urlunparse utf8
    """,
    "tornado.ioloop": """
        Awaitable Callable Configurable Future IOLoop PeriodicCallback TimeoutError annotations app_log
        asyncio chain_future concurrent datetime future_add_done_callback future_set_exc_info import_object
        is_future isawaitable math numbers os random time typing
    """,
    "tornado.iostream": """
        Awaitable BaseIOStream Callable Future IOStream Pattern PipeIOStream SSLIOStream
        StreamBufferFullError StreamClosedError TracebackType UnsatisfiableReadError asyncio doctests errno
        errno_from_exception future_set_result_unless_cancelled gen_log io ioloop numbers os re socket ssl
        ssl_wrap_socket typing
    """,
    "tornado.locale": """
        CONTEXT_SEPARATOR CSVLocale GettextLocale Iterable LOCALE_NAMES Locale annotations codecs csv
        datetime escape gen_log get get_supported_locales gettext glob load_gettext_translations
        load_translations os re set_default_locale
    """,
    "tornado.locks": """
        Awaitable BoundedSemaphore Condition Event Future Lock Semaphore datetime
        future_set_result_unless_cancelled gen ioloop
    """,
    "tornado.log": """
        LogFormatter access_log app_log basestring_type curses define_logging_options enable_pretty_logging
        gen_log logging unicode_type
    """,
    "tornado.netutil": """
        Awaitable BlockingResolver Callable Configurable DefaultExecutorResolver DefaultLoopResolver
        ExecutorResolver IOLoop OverrideResolver Resolver ThreadedResolver add_accept_handler asyncio
        bind_sockets bind_unix_socket concurrent dummy_executor errno errno_from_exception is_valid_ip os
        run_on_executor socket ssl ssl_options_to_context ssl_wrap_socket stat
    """,
    "tornado.options": """
        Callable Error Iterable Iterator OptionParser add_parse_callback basestring_type datetime define
        define_logging_options exec_in native_str numbers options os parse_command_line parse_config_file
        print_help re textwrap
    """,
    "tornado.platform.asyncio": """
        AddThreadSelectorEventLoop AsyncIOLoop AsyncIOMainLoop BaseAsyncIOLoop Callable IOLoop
        SelectorThread asyncio atexit concurrent contextvars convert_yielded errno select socket threading
        to_asyncio_future to_tornado_future typing
    """,
    "tornado.platform.caresresolver": """
        CaresResolver Future Generator IOLoop Resolver gen is_valid_ip pycares socket typing
    """,
    "tornado.platform.twisted": """
        Deferred Future failure future_set_exc_info gen install typing
    """,
    "tornado.process": """
        Callable CalledProcessError Future PipeIOStream Subprocess asyncio cpu_count fork_processes
        future_set_exception_unless_cancelled future_set_result_unless_cancelled gen_log hexlify ioloop
        multiprocessing os signal subprocess task_id time
    """,
    "tornado.queues": """
        Awaitable Event Future LifoQueue PriorityQueue Queue QueueEmpty QueueFull annotations datetime
        future_set_result_unless_cancelled heapq ioloop
    """,
    "tornado.routing": """
        AnyMatches Awaitable DefaultHostMatches HostMatches Matcher PathMatches Pattern ReversibleRouter
        ReversibleRuleRouter Router Rule RuleRouter Sequence URLSpec app_log basestring_type httputil
        import_object partial re re_unescape unicode_type url_escape url_unescape utf8
    """,
    "tornado.simple_httpclient": """
        AsyncHTTPClient Awaitable BytesIO Callable Future HTTP1Connection HTTP1ConnectionParameters
        HTTPError HTTPRequest HTTPResponse HTTPStreamClosedError HTTPTimeoutError IOLoop IOStream
        OverrideResolver Resolver SimpleAsyncHTTPClient StreamClosedError TCPClient TracebackType base64
        copy gen gen_log httputil is_valid_ip main re socket ssl time urllib version
    """,
    "tornado.speedups": """
        websocket_mask
    """,
    "tornado.tcpclient": """
        Callable Future IOLoop IOStream Iterator Resolver TCPClient asyncio datetime
        future_add_done_callback gen numbers socket ssl
    """,
    "tornado.tcpserver": """
        Awaitable Callable IOLoop IOStream Iterable SSLIOStream TCPServer add_accept_handler app_log
        bind_sockets errno errno_from_exception gen os process socket ssl ssl_wrap_socket
    """,
    "tornado.template": """
        BaseLoader Callable DictLoader Iterable Loader ObjectDict ParseError StringIO Template app_log
        datetime escape exec_in filter_whitespace linecache os posixpath re threading typing unicode_type
    """,
    "tornado.testing": """
        Application AsyncHTTPClient AsyncHTTPSTestCase AsyncHTTPTestCase AsyncIOMainLoop AsyncTestCase
        Callable Coroutine ExpectLog Generator HTTPResponse HTTPServer IOLoop Subprocess TracebackType
        app_log asyncio basestring_type bind_unused_port gen gen_test get_async_test_timeout inspect logging
        main netutil os raise_exc_info re setup_with_context_manager signal socket typing unittest
    """,
    "tornado.util": """
        ArgReplacer Callable Configurable GzipDecompressor Mapping Match ObjectDict Sequence TimeoutError
        annotations array asyncio basestring_type bytes_type doctests errno_from_exception exec_in
        getfullargspec import_object os raise_exc_info re re_unescape timedelta_to_seconds typing
        unicode_type zlib
    """,
    "tornado.web": """
        AnyMatches Application Awaitable BytesIO Callable DEFAULT_SIGNED_VALUE_MIN_VERSION
        DEFAULT_SIGNED_VALUE_VERSION DefaultHostMatches ErrorHandler FallbackHandler Finish Future
        GZipContentEncoding Generator HTTPError HTTPServer HostMatches Iterable
        MAX_SUPPORTED_SIGNED_VALUE_VERSION MIN_SUPPORTED_SIGNED_VALUE_VERSION MissingArgumentError
        ObjectDict OutputTransform RedirectHandler RequestHandler ReversibleRouter ReversibleRuleRouter Rule
        StaticFileHandler TemplateModule TracebackType UIModule URLSpec access_log addslash app_log asyncio
        authenticated base64 binascii create_signed_value datetime decode_signed_value email escape
        future_set_result_unless_cancelled gen gen_log get_signature_key_version gzip hashlib hmac http
        httputil iostream is_absolute isclass locale mimetypes numbers os re removeslash socket stat
        stream_request_body string template threading time tornado traceback unicode_type url urlencode
        urllib utf8
    """,
    "tornado.websocket": """
        Awaitable Callable Future IOLoop IOStream Queue Resolver StreamClosedError TCPClient TracebackType
        WebSocketClientConnection WebSocketClosedError WebSocketError WebSocketHandler WebSocketProtocol
        WebSocketProtocol13 abc app_log asyncio base64 de_dupe_gen_log future_add_done_callback
        future_set_result_unless_cancelled gen gen_log hashlib httpclient httputil logging native_str os
        simple_httpclient struct to_unicode tornado utf8 websocket_connect zlib
    """,
    "tornado.wsgi": """
        BytesIO Callable HTTPRequest IOLoop TracebackType WSGIContainer access_log concurrent dummy_executor
        escape httputil to_wsgi_str tornado typing
    """,
}
