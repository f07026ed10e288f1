"""The settings of an application, as a type.

This type exists for type checkers. At run time this module is imported only by programs that use the class.

`Application` also accepts settings that only the program reads, and a `TypedDict` of Python 3.11 cannot have
extra keys. Therefore the constructor is overloaded: one signature contains these settings, so that editors
complete and explain them, and the others accept any setting. A program that wants its settings checked
declares them as `ApplicationSettings` or a subclass. Most programs for Tornado collect settings in an
ordinary dictionary, which has the inferred type ``dict[str, object]``; a constructor with typed settings only
would reject it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from types import ModuleType
from typing import Any, Literal, TypedDict

from tornado._public_module_names import export
from tornado.template import BaseLoader
from tornado.web._encoding._content_codings import ContentCodings
from tornado.web._files._static import StaticFileHandler
from tornado.web._handler import RequestHandler
from tornado.web._security._security_headers import SecurityHeaders
from tornado.web._sessions.store import SessionStore
from tornado.web._ui._uimodules import UIModule

_UIModules = Mapping[str, type[UIModule]] | ModuleType
_UIMethods = Mapping[str, Callable[..., str]] | ModuleType


class ApplicationSettings(TypedDict, total=False):
    """The settings of `.Application` that the package reads; docs/reference/settings.md explains them.

    ::

        class Settings(ApplicationSettings, total=False):
            database: Database  # read by the program only

        settings: Settings = {"cookie_secret": secret, "database": database}
        application = Application(routes, **settings)
    """

    # The program
    debug: bool
    autoreload: bool
    autoreload_check_time: float
    autoreload_drain_time: float
    serve_traceback: bool
    log_function: Callable[[RequestHandler], object] | None
    handler_tasks: bool
    cancel_on_disconnect: bool
    handler_timeout: float
    head_from_get: bool
    lifespan: Callable[[Any], AbstractAsyncContextManager[Any]] | None
    on_startup: Sequence[Callable[[Any], object]] | None
    on_shutdown: Sequence[Callable[[Any], object]] | None
    # Observation
    access_log: Literal["off", "common", "combined", "json"] | None
    access_log_file: str | os.PathLike[str] | None
    metrics: bool
    opentelemetry: bool
    opentelemetry_secrets: Collection[str] | None
    request_id: bool
    # Routes
    default_handler_class: type[RequestHandler] | None
    default_handler_args: Mapping[str, Any] | None
    login_url: str
    # Browsers
    allowed_hosts: Collection[str] | None
    security_headers: bool | Mapping[str, Any] | SecurityHeaders | None
    cross_origin_protection: bool
    trusted_origins: Collection[str]
    xsrf_cookies: bool
    xsrf_cookie_name: str
    xsrf_cookie_kwargs: Mapping[str, Any]
    xsrf_cookie_version: Literal[1, 2]
    # Signed cookies
    cookie_secret: str | bytes | Mapping[int, str] | Mapping[int, bytes] | None
    key_version: int | None
    # Sessions
    session_store: SessionStore | None
    session_cookie_name: str | None
    session_cookie_kwargs: Mapping[str, Any] | None
    session_idle_timeout: float | None
    session_lifetime: float | None
    # Templates
    template_path: str | os.PathLike[str] | None
    template_loader: BaseLoader | None
    autoescape: str | None
    template_whitespace: Literal["all", "single", "oneline"] | None
    compiled_template_cache: bool
    ui_modules: _UIModules | Sequence[_UIModules]
    ui_methods: _UIMethods | Sequence[_UIMethods]
    # Static files
    static_path: str | os.PathLike[str] | None
    static_url_prefix: str
    static_handler_class: type[StaticFileHandler]
    static_handler_args: Mapping[str, Any]
    static_hash_cache: bool
    static_precompressed: bool | Sequence[str] | None
    # Bodies
    compress_response: bool | ContentCodings | Mapping[str, Any] | Sequence[str]
    gzip: bool
    upload_directory: str | os.PathLike[str] | None
    # WebSockets
    websocket_ping_interval: float | None
    websocket_ping_timeout: float | None
    websocket_max_message_size: int
    websocket_write_limit: int
    # Login through other sites
    openid_connect: Mapping[str, Any] | None
    google_oauth: Mapping[str, Any] | None
    facebook_api_key: str | None
    facebook_secret: str | None
    twitter_consumer_key: str | None
    twitter_consumer_secret: str | None


__all__ = ["ApplicationSettings"]

export(globals(), module="tornado.web")
