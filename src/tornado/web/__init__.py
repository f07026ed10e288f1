"""A web framework: request handlers, applications, and what they are made with.

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

A handler object is used from its event loop's thread only. Other threads hand work to it by
`.IOLoop.add_callback`.
"""

from __future__ import annotations

from tornado import escape, gen, httputil, iostream, locale, template
from tornado._export import export
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
from tornado.util import ObjectDict, unicode_type
from tornado.web._application import Application, _ApplicationRouter, _HandlerDelegate
from tornado.web._arguments import _ARG_DEFAULT
from tornado.web._decorators import addslash, authenticated, removeslash, stream_request_body
from tornado.web._errors import Finish, HTTPError, MissingArgumentError
from tornado.web._handler import RequestHandler
from tornado.web._handlers import ErrorHandler, FallbackHandler, RedirectHandler
from tornado.web._signed import (
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
from tornado.web._static import StaticFileHandler
from tornado.web._transforms import GZipContentEncoding, OutputTransform
from tornado.web._uimodules import TemplateModule, UIModule, _linkify, _UIModuleNamespace, _xsrf_form_html

url = URLSpec


def is_absolute(path: str) -> bool:
    """Whether `path` is an address of its own (``/…``, ``http:…``, ``https:…``) and not below
    ``static_path``.
    """
    return any(path.startswith(prefix) for prefix in ["/", "http:", "https:"])


__all__ = [
    "DEFAULT_SIGNED_VALUE_MIN_VERSION",
    "DEFAULT_SIGNED_VALUE_VERSION",
    "MAX_SUPPORTED_SIGNED_VALUE_VERSION",
    "MIN_SUPPORTED_SIGNED_VALUE_VERSION",
    "Application",
    "ErrorHandler",
    "FallbackHandler",
    "Finish",
    "GZipContentEncoding",
    "HTTPError",
    "MissingArgumentError",
    "OutputTransform",
    "RedirectHandler",
    "RequestHandler",
    "StaticFileHandler",
    "TemplateModule",
    "UIModule",
    "URLSpec",
    "addslash",
    "authenticated",
    "create_signed_value",
    "decode_signed_value",
    "get_signature_key_version",
    "is_absolute",
    "removeslash",
    "stream_request_body",
    "url",
]

export(globals(), module="tornado.web")
