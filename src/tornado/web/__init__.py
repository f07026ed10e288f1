"""The web framework: request handlers, applications and their parts.

::

    import asyncio
    from tornado import web

    class Hello(web.RequestHandler):
        def get(self):
            self.write("Hello, world")

    async def serve():
        web.Application([("/", Hello)]).listen(8888)
        await asyncio.Event().wait()

    asyncio.run(serve())

Handler objects are not thread-safe: use them only on their event loop's thread. Other threads can schedule
calls there with `.IOLoop.add_callback`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tornado import escape, gen, httputil, iostream, locale, template
from tornado._implicit_reexports import reexported
from tornado._public_module_names import export
from tornado.escape import _unicode, utf8
from tornado.log import access_log, app_log, gen_log
from tornado.routing import (
    AnyMatches,
    DefaultHostMatches,
    HostMatches,
    ReversibleRouter,
    ReversibleRuleRouter,
    Rule,
    URLSpec,
    _RuleList,
)
from tornado.util import ObjectDict, import_object, unicode_type
from tornado.web._decorators import (
    _has_stream_request_body as _has_stream_request_body,
)
from tornado.web._decorators import addslash, authenticated, removeslash, stream_request_body
from tornado.web._dispatch._allowed_hosts import LOCAL_HOSTS
from tornado.web._dispatch._application import Application, _ApplicationRouter, _HandlerDelegate
from tornado.web._dispatch._builtin_handlers import ErrorHandler, FallbackHandler, RedirectHandler
from tornado.web._encoding._content_codings import ContentCodings
from tornado.web._encoding._transforms import ContentEncoding, GZipContentEncoding, OutputTransform
from tornado.web._errors import (
    Finish,
    HTTPError,
    InvalidArgumentError,
    InvalidBodyError,
    MissingArgumentError,
)
from tornado.web._files._static import StaticFileHandler
from tornado.web._handler import RequestHandler
from tornado.web._input._arguments import _ARG_DEFAULT
from tornado.web._security._authentication import AuthenticationError, format_challenge
from tornado.web._security._security_headers import SecurityHeaders
from tornado.web._security._signed_values import (
    DEFAULT_SIGNED_VALUE_MIN_VERSION,
    DEFAULT_SIGNED_VALUE_VERSION,
    MAX_SUPPORTED_SIGNED_VALUE_VERSION,
    MIN_SUPPORTED_SIGNED_VALUE_VERSION,
    _create_signature_v1,
    _create_signature_v2,
    create_signed_value,
    decode_signed_value,
    get_signature_key_version,
)
from tornado.web._ui._namespace import _UIModuleNamespace
from tornado.web._ui._uimodules import TemplateModule, UIModule, _linkify, _xsrf_form_html

if TYPE_CHECKING:
    from tornado._tornado4.asynchronous import asynchronous as asynchronous
    from tornado.web._dispatch._application_settings import ApplicationSettings
    from tornado.web._input._uploaded_file import UploadedFile
    from tornado.web._input._uploads import UploadHandler
    from tornado.web._observation._metrics_handler import MetricsHandler
    from tornado.web._run import run
    from tornado.web._security._cookie_options import ClearCookieOptions, SignedCookieOptions
    from tornado.web._sessions.cookie import CookieSessionStore
    from tornado.web._sessions.memory import MemorySessionStore
    from tornado.web._sessions.redis import RedisSessionStore
    from tornado.web._sessions.session import Session
    from tornado.web._sessions.store import (
        SessionRecord,
        SessionStore,
        SessionStoreError,
        SessionTooLargeError,
    )
    from tornado.web._sse._sse_channel import EventChannel
    from tornado.web._sse._sse_handler import EventSourceHandler

url = URLSpec


def is_absolute(path: str) -> bool:
    """Whether `path` is an absolute URL or path (``/…``, ``http:…``, ``https:…``), not relative to
    ``static_path``.
    """
    return any(path.startswith(prefix) for prefix in ["/", "http:", "https:"])


__all__ = [
    "DEFAULT_SIGNED_VALUE_MIN_VERSION",
    "DEFAULT_SIGNED_VALUE_VERSION",
    "LOCAL_HOSTS",
    "MAX_SUPPORTED_SIGNED_VALUE_VERSION",
    "MIN_SUPPORTED_SIGNED_VALUE_VERSION",
    "Application",
    "ApplicationSettings",
    "AuthenticationError",
    "ClearCookieOptions",
    "ContentCodings",
    "ContentEncoding",
    "CookieSessionStore",
    "ErrorHandler",
    "EventChannel",
    "EventSourceHandler",
    "FallbackHandler",
    "Finish",
    "GZipContentEncoding",
    "HTTPError",
    "InvalidArgumentError",
    "InvalidBodyError",
    "MemorySessionStore",
    "MetricsHandler",
    "MissingArgumentError",
    "OutputTransform",
    "RedirectHandler",
    "RedisSessionStore",
    "RequestHandler",
    "SecurityHeaders",
    "Session",
    "SessionRecord",
    "SessionStore",
    "SessionStoreError",
    "SessionTooLargeError",
    "SignedCookieOptions",
    "StaticFileHandler",
    "TemplateModule",
    "UIModule",
    "URLSpec",
    "UploadHandler",
    "UploadedFile",
    "addslash",
    "authenticated",
    "create_signed_value",
    "decode_signed_value",
    "format_challenge",
    "get_signature_key_version",
    "is_absolute",
    "removeslash",
    "run",
    "stream_request_body",
    "url",
]

#: Names that few programs use, and their modules, which are imported on first access.
_LATE = {
    "ApplicationSettings": "tornado.web._dispatch._application_settings",
    "SignedCookieOptions": "tornado.web._security._cookie_options",
    "ClearCookieOptions": "tornado.web._security._cookie_options",
    "EventChannel": "tornado.web._sse._sse_channel",
    "CookieSessionStore": "tornado.web._sessions.cookie",
    "EventSourceHandler": "tornado.web._sse._sse_handler",
    "MemorySessionStore": "tornado.web._sessions.memory",
    "MetricsHandler": "tornado.web._observation._metrics_handler",
    "RedisSessionStore": "tornado.web._sessions.redis",
    "Session": "tornado.web._sessions.session",
    "SessionRecord": "tornado.web._sessions.store",
    "SessionStore": "tornado.web._sessions.store",
    "SessionStoreError": "tornado.web._sessions.store",
    "SessionTooLargeError": "tornado.web._sessions.store",
    "UploadHandler": "tornado.web._input._uploads",
    "UploadedFile": "tornado.web._input._uploaded_file",
    "run": "tornado.web._run",
    "asynchronous": "tornado._tornado4.asynchronous",  # the style of Tornado 4
}


if not TYPE_CHECKING:  # a type checker would assume that every name exists

    def __getattr__(name: str) -> Any:
        if name not in _LATE:
            return reexported(__name__, name)
        return globals().setdefault(name, import_object(f"{_LATE[name]}.{name}"))


export(globals(), module="tornado.web", late=_LATE)
