"""`Application`: routes and settings, and the dispatch of requests from a connection to a handler.

This file exceeds the usual length limit because the steps of the dispatch share private state of the
application, and calls between objects would slow down each request.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import logging
import re
import socket
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Unpack, cast, overload

from tornado import httputil
from tornado._loop.tasks import run_eagerly
from tornado._original_methods import OriginalMethods
from tornado.concurrent import Future
from tornado.http1connection import HTTP1Connection
from tornado.http1connection._interfaces import register_opener
from tornado.http1connection._server_connection import finish_after
from tornado.httpserver import HTTPServer
from tornado.log import access_log, app_log, log_access
from tornado.routing import (
    AnyMatches,
    DefaultHostMatches,
    HostMatches,
    ReversibleRouter,
    ReversibleRuleRouter,
    Rule,
    RuleRouter,
    _RuleList,
    _VersionedRules,
)
from tornado.web._dispatch import (
    _debug_checks,
    _handler_construction_errors,
    _lifespan,
    _route_checks,
    _settings_checks,
)
from tornado.web._dispatch._allowed_hosts import AllowedHosts, HostCheckingRouter, MisdirectedHandler
from tornado.web._dispatch._builtin_handlers import ErrorHandler, ServerOptionsHandler
from tornado.web._encoding._transforms import OutputTransform, transforms_of
from tornado.web._execution import _cancellation, _execute, _handler_lookup, _request_body_errors
from tornado.web._execution._bypassed_methods import EXECUTE
from tornado.web._execution._execution_state import (
    execute,
    execution_of,
    handle_error,
    loading_of,
    streams_body,
)
from tornado.web._execution._response import SecurityOwner, request_summary, response_of
from tornado.web._files import _static_precompressed
from tornado.web._files._static import StaticFileHandler
from tornado.web._handler import RequestHandler, set_up
from tornado.web._input._body_accumulator import BodyAccumulator
from tornado.web._security._security_headers import headers_of
from tornado.web._ui._uimodules import TemplateModule, UIModule, _linkify, _xsrf_form_html

if TYPE_CHECKING:
    from tornado._http_server_options import HTTPServerOptions
    from tornado.web._dispatch._application_settings import ApplicationSettings
    from tornado.web._observation._observer import Observer

_INFO = logging.INFO
#: The UI modules of every application.
_UI_MODULES = {"Template": TemplateModule, "linkify": _linkify, "xsrf_form_html": _xsrf_form_html}


class _ApplicationRouter(ReversibleRuleRouter):
    """A router whose targets may be handler classes or lists of further routes."""

    def __init__(self, application: Application, rules: _RuleList | None = None) -> None:
        self.application = application
        super().__init__(rules)

    def process_rule(self, rule: Rule) -> Rule:
        processed = super().process_rule(rule)
        routes = processed.target
        if isinstance(routes, (list, tuple)):
            processed.target = _ApplicationRouter(self.application, routes)
        elif _TARGETS.are_original(type(self)) and not _can_be_target(routes):
            raise TypeError(
                f"the target of the route {rule!r:.200} must be a RequestHandler class, its dotted name, a "
                f"list of routes, a router, an application or a function, got {routes!r:.100}"
            )
        _route_checks.check(processed)
        return processed

    def add_rules(self, rules: _RuleList) -> None:
        """Append rules, and log a warning for each that conflicts with others."""
        begin = len(self.rules)
        super().add_rules(rules)
        if _TARGETS.are_original(type(self)):
            _route_checks.check_list(self.rules, begin)

    def _delegate_of_class(
        self, target: type[Any], request: httputil.HTTPServerRequest, params: dict[str, Any]
    ) -> httputil.HTTPMessageDelegate | None:
        if issubclass(target, RequestHandler):
            return self.application.get_handler_delegate(request, target, **params)
        return None

    def _delegate_of_server(
        self, target: httputil.HTTPServerConnectionDelegate, request: httputil.HTTPServerRequest
    ) -> httputil.HTTPMessageDelegate:
        observer = self.application.observer
        start: Any = None if observer is None else getattr(target, "start_observed", None)
        if start is None:
            return super()._delegate_of_server(target, request)
        return cast("httputil.HTTPMessageDelegate", start(request, observer))


class Application(SecurityOwner, ReversibleRouter):
    """The routes and settings of a program; served by an `.HTTPServer`.

    ::

        application = Application([
            (r"/", MainHandler),
            (r"/story/([0-9]+)", StoryHandler, {"database": database}, "story"),
        ])
        application.listen(8888)

    :param handlers: the routes, tried in order: `URLSpec` or `.Rule` objects, or tuples of their arguments. A
        target may be a `RequestHandler` class (or its dotted name), a list of routes, another router or
        application.
    :param default_host: the host used for routing if the host of the request matches no route and the request
        was received directly, without ``X-Real-Ip``.
    :param transforms: `OutputTransform` classes. By default `GZipContentEncoding` if ``compress_response`` is
        true, and `ContentEncoding` if that setting is a `ContentCodings`, a dictionary of its arguments, a
        list of codings or the name of a coding.
    :param settings: all other arguments; docs/reference/settings.md lists them.
    :raises TypeError: if `handlers` is not a list of routes; the message contains the faulty entry and the
        correct form. Likewise for settings whose values have the wrong type.
    :raises ValueError: if the setting ``handler_timeout`` is not a number of seconds, or
        ``compress_response`` or ``static_precompressed`` contains an unknown coding.

    Two of the settings cancel waiting handlers: ``cancel_on_disconnect`` and ``handler_timeout``. Handler
    classes may override them with attributes of the same names (`RequestHandler.cancel_on_disconnect`,
    `RequestHandler.handler_timeout`).

    Two settings protect browsers. ``allowed_hosts`` is a list of the host names of this application, or
    `LOCAL_HOSTS`: ``"example.com"``, or ``".example.com"`` to include its subdomains, each with a port if
    only that port is accepted. Requests for other hosts are rejected with 421. ``security_headers`` (True, a
    `SecurityHeaders` or a dictionary of its arguments) adds header fields that restrict what browsers do with
    the responses.
    """

    _static_handler_class = StaticFileHandler
    _hosts: AllowedHosts | None = None
    _observer: Observer | None

    # There are several signatures because programs have their own settings; see `_application_settings`.
    @overload
    def __init__(
        self,
        handlers: _RuleList | None = None,
        default_host: str | None = None,
        transforms: list[type[OutputTransform]] | None = None,
        **settings: Unpack[ApplicationSettings],
    ) -> None: ...
    @overload
    def __init__(
        self,
        handlers: _RuleList | None = None,
        default_host: str | None = None,
        transforms: list[type[OutputTransform]] | None = None,
        **settings: Any,
    ) -> None: ...
    # For a dictionary with values of several types: the parameters are positional-only so that type checkers
    # do not match the values with the parameters.
    @overload
    def __init__(
        self,
        handlers: _RuleList | None = None,
        default_host: str | None = None,
        transforms: list[type[OutputTransform]] | None = None,
        /,
        **settings: object,
    ) -> None: ...
    def __init__(  # type: ignore[misc]  # a setting called "handlers" is impossible with any signature
        self,
        handlers: _RuleList | None = None,
        default_host: str | None = None,
        transforms: list[type[OutputTransform]] | None = None,
        **settings: Any,
    ) -> None:
        _settings_checks.check_routes(handlers, default_host)
        own_delegates = not _DELEGATES.are_original(type(self))
        _settings_checks.check(settings, transforms, own_delegates)
        _static_precompressed.wanted(None, settings.get("static_precompressed"))
        if transforms is None:
            transforms = transforms_of(settings)
        self.transforms: list[type[OutputTransform]] = transforms
        self.settings = settings
        self._has_run_lifespan = False
        self.default_host = default_host
        ui_modules = _settings_checks.ui_modules_of(settings.get("ui_modules", {}))
        self.ui_modules: dict[str, type[UIModule]] = {**_UI_MODULES, **ui_modules}
        self.ui_methods: dict[str, Callable[..., str]] = _settings_checks.ui_methods_of(
            settings.get("ui_methods", {})
        )
        handlers = list(handlers or ())
        if settings.get("static_path"):
            handlers = [*self._static_routes(), *handlers]
        if settings.get("debug"):
            for name in ("autoreload", "serve_traceback"):
                settings.setdefault(name, True)
            for name in ("compiled_template_cache", "static_hash_cache"):
                settings.setdefault(name, False)
        _cancellation.settings_of(self, RequestHandler)
        #: A cache of handler classes that neither stream their bodies nor can be cancelled.
        self._handler_classes: set[type[RequestHandler]] = set()
        #: A cache of handler classes that can be cancelled and do not stream their bodies.
        self._cancellable_classes: set[type[RequestHandler]] = set()
        self._plain_rules: Any = None
        self._plain_version = 0
        #: Whether templates and versions of static files are reloaded for each request.
        self._reloads = not settings.get("compiled_template_cache", True) or not settings.get(
            "static_hash_cache", True
        )
        #: Whether every handler runs in a task, so that `asyncio.current_task` is never None in handlers.
        self._in_tasks = bool(settings.get("handler_tasks"))
        #: Whether `_debug_checks` checks handlers.
        self._checks_handlers = bool(settings.get("debug"))
        #: Whether sessions are loaded before handlers run, because their store is asynchronous.
        self._loads_sessions = _settings_checks.loads_sessions(self)
        self._special = self._reloads or self._in_tasks or self._checks_handlers or self._loads_sessions
        self._security = headers_of(settings.get("security_headers"))
        hosts = settings.get("allowed_hosts")
        self._hosts = None if hosts is None else AllowedHosts(hosts)
        self.wildcard_router: _ApplicationRouter = _ApplicationRouter(self, handlers)
        self.default_router: _ApplicationRouter = _ApplicationRouter(
            self, [Rule(AnyMatches(), self.wildcard_router)]
        )
        #: Follows each request if a setting such as ``metrics`` requires it.
        self._observer = self._response_observer = None
        if not _OBSERVING.isdisjoint(settings):
            from tornado.web._observation._installation import install

            install(self, Application.log_request)
        if settings.get("autoreload"):
            from tornado import autoreload

            check_time = settings.get("autoreload_check_time")
            drain_time = settings.get("autoreload_drain_time")
            given = {"check_time": check_time, "drain_time": drain_time}
            autoreload.start(**{name: value for name, value in given.items() if value is not None})

    def _static_routes(self) -> list[Any]:
        settings = self.settings
        prefix = settings.get("static_url_prefix", "/static/")
        handler_class = settings.get("static_handler_class", StaticFileHandler)
        arguments = dict(settings.get("static_handler_args", {}))
        arguments["path"] = settings["static_path"]
        patterns = (re.escape(prefix) + r"(.*)", r"/(favicon\.ico)", r"/(robots\.txt)")
        return [(pattern, handler_class, arguments) for pattern in patterns]

    def server_listens(self, *, runs_lifespan: bool = False) -> None:
        """Log warnings about settings that are unsafe in production; called before a server listens.

        :param runs_lifespan: whether the caller runs the application's lifespan before it listens.
        """
        _settings_checks.warn_of_short_secrets(self.settings.get("cookie_secret"))
        if not runs_lifespan and not self._has_run_lifespan:
            _lifespan.warn_if_set(self.settings)
        if self._observer is not None:
            self._observer.server_listens()

    def listen(
        self,
        port: int,
        address: str | None = None,
        *,
        family: socket.AddressFamily = socket.AF_UNSPEC,
        backlog: int = 128,
        flags: int | None = None,
        reuse_port: bool = False,
        **kwargs: Unpack[HTTPServerOptions],
    ) -> HTTPServer:
        """Start an `.HTTPServer` for this application on the current event loop.

        :param port: TCP port; 0 selects a free one.
        :param address: IP address or host name to listen on; by default all interfaces.
        :param kwargs: passed to `.HTTPServer` (``ssl_options``, ``xheaders``, …).
        :returns: the server.
        :raises OSError: if the port is in use.
        """
        server = HTTPServer(self, **kwargs)
        server.listen(
            port, address=address, family=family, backlog=backlog, flags=flags, reuse_port=reuse_port
        )
        return server

    def run_lifespan(self) -> AbstractAsyncContextManager[None]:
        """Return a context manager in which this application can be served::

            async with application.run_lifespan():
                server = application.listen(8888)
                await stopping.wait()
                await server.drain()

        `tornado.testing` uses it. At the beginning, it enters the context manager of the setting
        ``lifespan``, runs the lifespans of the routes' targets (`.ASGIContainer`), and calls the functions of
        ``on_startup`` in their order. At the end, it does the reverse: it calls the
        functions of ``on_shutdown`` in the reverse order, and exits ``lifespan``. Each function receives the
        application and may be ``async``.

        If a function of ``on_startup`` raises an exception, all functions of ``on_shutdown`` are called,
        ``lifespan`` is exited, and the exception propagates. If a function of ``on_shutdown`` raises an
        exception, the rest of the shutdown is not skipped, and the last exception propagates.

        :raises TypeError: when the context manager is entered, if one of the settings has the wrong type.
        """
        self._has_run_lifespan = True
        return _lifespan.run(self)

    def add_handlers(self, host_pattern: str, host_handlers: _RuleList) -> None:
        """Add routes for requests whose host matches the regular expression `host_pattern`.

        These routes are tried before the routes given to the constructor. If this method is called several
        times, the host patterns are tried in the order in which they were added.
        """
        router = _ApplicationRouter(self, host_handlers)
        rule = Rule(HostMatches(host_pattern), router)
        self.default_router.rules.insert(-1, rule)
        if self.default_host is not None:
            self.wildcard_router.add_rules([(DefaultHostMatches(self, rule.matcher.host_pattern), router)])  # type: ignore[attr-defined]

    def add_transform(self, transform_class: type[OutputTransform]) -> None:
        """Add an `OutputTransform` class for all responses."""
        self.transforms.append(transform_class)

    def observe(self, observer: Observer, fields: Any = None) -> None:
        """Let `observer` follow each request from now on, and add response header fields.

        :param fields: called with the `SecurityHeaders` or None; returns an object with the same interface.
        """
        self._observer = observer
        if fields is not None:
            self._security = fields(self._security)
        # The attribute takes precedence over the method, also over that of a subclass, which the observer
        # calls. Thus an application without an observer does no additional work.
        self.log_request = observer.request_finished  # type: ignore[method-assign]
        self._response_observer = observer

    @property
    def observer(self) -> Observer | None:
        """The object that follows each request, or None."""
        return self._observer

    # -- dispatching requests --

    def __call__(self, request: httputil.HTTPServerRequest) -> Awaitable[None] | None:
        """Handle a complete request that did not come from an `.HTTPServer`."""
        delegate = self.find_handler(request)
        return delegate.execute()

    def start_request(
        self, server_conn: object, request_conn: httputil.HTTPConnection
    ) -> httputil.HTTPMessageDelegate:
        """Return a delegate that calls `find_handler` when the head of the request has been received."""
        if self._hosts is not None:
            router = HostCheckingRouter(self, self._hosts, self._misdirected)
            return router.start_request(server_conn, request_conn)
        return super().start_request(server_conn, request_conn)

    def find_handler(self, request: httputil.HTTPServerRequest, **kwargs: Any) -> _HandlerDelegate:
        """Return the delegate of the first matching route, or a delegate that sends the error page."""
        if self._hosts is not None and not self._hosts.allow(request):
            return self._misdirected(request)
        route = self.default_router.find_handler(request)
        if route is not None:
            return cast("_HandlerDelegate", route)
        handler_class, arguments = self._unmatched(request)
        return self.get_handler_delegate(request, handler_class, arguments)

    def _misdirected(self, request: httputil.HTTPServerRequest) -> _HandlerDelegate:
        """Return a delegate that rejects a request for a host that is not in ``allowed_hosts``."""
        return _HandlerDelegate(self, request, MisdirectedHandler, {"status_code": 421}, None, None)

    def _unmatched(self, request: httputil.HTTPServerRequest) -> tuple[type[RequestHandler], dict[str, Any]]:
        settings = self.settings
        default = settings.get("default_handler_class")
        if request.path == "*" and request.method == "OPTIONS":
            return ServerOptionsHandler, {}  # the request concerns the server, not a missing page
        if default:
            return default, settings.get("default_handler_args", {})
        return ErrorHandler, {"status_code": 404}

    def get_handler_delegate(
        self,
        request: httputil.HTTPServerRequest,
        target_class: type[RequestHandler],
        target_kwargs: dict[str, Any] | None = None,
        path_args: list[bytes] | None = None,
        path_kwargs: dict[str, bytes] | None = None,
    ) -> _HandlerDelegate:
        """Return a delegate that passes `request` to a new `target_class` object.

        :param target_kwargs: arguments of its ``initialize``.
        :param path_args: positional arguments of its HTTP method.
        :param path_kwargs: keyword arguments of its HTTP method.
        """
        return _HandlerDelegate(self, request, target_class, target_kwargs, path_args, path_kwargs)

    def reverse_url(self, name: str, *args: Any) -> str:
        """Return the path of the route called `name`, with `args` for the groups of its pattern.

        :raises KeyError: if `name` is unknown.
        """
        reversed_url = self.default_router.reverse_url(name, *args)
        if reversed_url is not None:
            return reversed_url
        known = ", ".join(sorted(self.wildcard_router.named_rules)) or "none"
        raise KeyError(f"{name} not found in named urls (known names: {known})")

    def log_request(self, handler: RequestHandler) -> None:
        """Write a line about a finished request to the access log: status code, request, time in
        milliseconds.

        Server errors (5xx) are logged at ERROR, client errors (4xx) at WARNING, all others at INFO. 499 is
        logged at INFO too: the client had disconnected (see `RequestHandler.cancel_on_disconnect`). Override
        this method, or set ``log_function``, to log differently.
        """
        settings = self.settings
        if "log_function" in settings and settings["log_function"] is not None:
            settings["log_function"](handler)
            return
        status = response_of(handler).status_code
        if status < 400 or status == _cancellation.CLIENT_CLOSED_REQUEST:
            level = _INFO
        else:
            level = logging.WARNING if status < 500 else logging.ERROR
        # CPython 3.14 makes an object for the method if its owner is an imported name.
        log = access_log
        if log.isEnabledFor(level):
            milliseconds = 1000.0 * handler.request.request_time()
            log_access(level, "%d %s %.2fms", handler.get_status(), request_summary(handler), milliseconds)

    def log_refusal(self, request: httputil.HTTPServerRequest, status_code: int) -> None:
        """Log a request that the server has rejected without a handler: 400, 413, 414, 417, 421, 431, 500,
        501 or 505.

        `log_request`, and thus ``log_function``, is called with an `ErrorHandler` that has not run. If the
        head could not be parsed, the method and `uri` of its request are those that the first line seems to
        contain, or ``-``.
        """
        self.log_request(ErrorHandler(self, request, status_code=status_code))

    def describe_exchange(self, exchange: HTTP1Connection) -> str:
        """Return a description of a request that is being served, for the log of `.HTTPServer.drain`."""
        return _handler_lookup.describe(exchange)

    # -- the fast path, taken if no step is overridden --

    def _open_exchange(self, exchange: HTTP1Connection, head: Any) -> Any:
        """Route a request and run its handler until it first waits; the server's dispatcher calls it.

        This is a single function because it runs for every request, and a call costs as much as several of
        its steps.
        """
        cls = type(self)
        if (
            cls.start_request is not _START_REQUEST
            or cls.find_handler is not _FIND_HANDLER
            or cls.get_handler_delegate is not _GET_DELEGATE
        ):
            return NotImplemented
        request = _request_of(exchange, head)
        path_args: Any = ()
        path_kwargs: Any = None
        handler_kwargs: Any = None
        is_special: bool = False
        streams: bool | None = False
        target: Any
        wildcard = self.wildcard_router
        default_router: Any = self.default_router
        rules: Any
        try:
            rules = default_router.rules
        except AttributeError:  # it may be any Router
            rules = False
        router = type(wildcard)
        if (
            rules is not self._plain_rules
            or rules.version != self._plain_version
            or router.find_handler is not _ROUTER_FIND
            or router.get_target_delegate is not _TARGET_DELEGATE
        ):
            is_allowed = self._hosts is None or self._hosts.allow(request)
            if not (is_allowed and self._is_plain(rules)):
                return self._open_slow(request, exchange, head)
        found = wildcard._match(request)
        if found is None:
            target, handler_kwargs = self._unmatched(request)
        else:
            rule, path_args, path_kwargs = found
            request.matched_rule = rule
            target = rule.target
            handler_kwargs = rule.target_kwargs
        if target not in self._handler_classes:
            is_special, streams = self._kind_of_class(target)
        if streams is not False or head.has_body:
            delegate = (
                self.find_handler(request)  # it is not a handler class
                if streams is None
                else _HandlerDelegate(self, request, target, handler_kwargs, path_args, path_kwargs)
            )
            return self._open_delegate(delegate, exchange, head)
        if (
            is_special
            or handler_kwargs
            or self.transforms
            or target._execute is not EXECUTE.originals
            or self._special
        ):
            return _run_handler(self, target, request, handler_kwargs, path_args, path_kwargs)
        observer = self._observer
        if observer is not None:  # as in `Observer.request_started`, whose call would cost 500 instructions
            observer.in_flight[request] = target
            if observer.follows_start:
                observer.call_started(request)
        try:
            # A call of the class costs 1,500 instructions more, because `__init__` accepts any keyword.
            if target.__init__ is _HANDLER_INIT and target.__new__ is _NEW and type(target) is type:
                handler = _NEW(target)
                set_up(handler, self, request, None)
            else:
                handler = target(self, request)
        except Exception as error:
            _handler_construction_errors.respond(self, request, target, handler_kwargs, error)
            return None
        return _execute.start(handler, _NO_TRANSFORMS, path_args, path_kwargs, False)

    def _kind_of_class(self, target: Any) -> tuple[bool, bool | None]:
        """Return whether handlers of a class stream their bodies or can be cancelled, and whether they stream
        them, or None if `target` is not a handler class.

        A class that does not stream its bodies, and has valid settings, is added to one of the sets of such
        classes.
        """
        if target in self._cancellable_classes:
            return _CANCELLABLE
        if not (isinstance(target, type) and issubclass(target, RequestHandler)):
            return True, None
        if streams_body(target):
            return True, True
        try:
            is_cancellable = _cancellation.is_enabled(self, target)
        except ValueError:  # an invalid attribute: `_run_handler` detects it too, and sends the error page
            return True, False
        (self._cancellable_classes if is_cancellable else self._handler_classes).add(target)
        return is_cancellable, False

    def _is_plain(self, rules: Any) -> bool:
        """Whether all hosts share one list of routes, and `default_router` and `wildcard_router` search it as
        `.RuleRouter` does. The result is cached until the rules for hosts change.

        The routers are of the same class, so checking the methods of one is sufficient.
        """
        router = type(self.wildcard_router)
        if (
            type(rules) is not _VersionedRules
            or len(rules) != 1
            or rules[0].target is not self.wildcard_router
            or type(rules[0].matcher) is not AnyMatches
            or type(self.default_router) is not router
            or not _ROUTING.are_original(router)
            or not _DISPATCH.are_original_on(self)  # a hook may be set on this object
        ):
            return False
        if self._hosts is None:  # otherwise the host of each request must be checked
            self._plain_rules, self._plain_version = rules, rules.version
        return True

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name in _DISPATCH.names:
            self._plain_rules = None  # the next request calls `_is_plain`
        elif name == "log_request":
            self._response_observer = None

    def _open_slow(self, request: httputil.HTTPServerRequest, exchange: HTTP1Connection, head: Any) -> Any:
        """Handle a request on the slow path, because this object or its routes are customized.

        If `start_request` is set on this object, NotImplemented is returned, so that the connection calls it.
        """
        if self._hosts is not None and not self._hosts.allow(request):
            return self._open_delegate(self._misdirected(request), exchange, head)
        if not _START.are_original_on(self):
            return NotImplemented
        return self._open_delegate(self.find_handler(request), exchange, head)

    def _open_delegate(self, delegate: Any, exchange: HTTP1Connection, head: Any) -> Any:
        exchange.message_delegate = delegate
        if type(delegate) is not _HandlerDelegate:
            start_line = httputil.RequestStartLine(head.method, head.target, head.version)
            result = delegate.headers_received(start_line, head.headers)
        else:
            result = delegate.begin()
        if head.has_body or exchange.is_detached:
            return result
        if result is None:
            return delegate.finish()
        return finish_after(result, delegate)


register_opener(Application, Application._open_exchange)

_NO_TRANSFORMS: list[Any] = []
#: The result of `Application._kind_of_class` for cancellable handlers that do not stream their bodies.
_CANCELLABLE = (True, False)
#: The settings that require an observer.
_OBSERVING = frozenset({"access_log", "metrics", "opentelemetry", "request_id"})
_request_of = httputil.HTTPServerRequest._from_head
#: The methods of an application and of its routers that the fast path bypasses.
_START = OriginalMethods(Application, "start_request")
_DELEGATES = OriginalMethods(Application, "get_handler_delegate")
_DISPATCH = OriginalMethods(Application, "start_request", "find_handler", "get_handler_delegate")
_ROUTING = OriginalMethods(RuleRouter, "find_handler", "get_target_delegate")
_TARGETS = OriginalMethods(RuleRouter, "get_target_delegate")
# `_open_exchange` compares these one by one: comparing tuples would cost 560 more instructions a request.
_HANDLER_INIT: Any = RequestHandler.__init__
_NEW: Any = object.__new__
_START_REQUEST, _FIND_HANDLER, _GET_DELEGATE = _DISPATCH.originals
_ROUTER_FIND, _TARGET_DELEGATE = _ROUTING.originals


def _run_handler(
    application: Application,
    handler_class: type[RequestHandler],
    request: httputil.HTTPServerRequest,
    handler_kwargs: dict[str, Any] | None,
    path_args: Any,
    path_kwargs: dict[str, bytes] | None,
) -> Any:
    """Create the handler and start it; return a coroutine for the rest of its work, or None."""
    if application._observer is not None:
        application._observer.request_started(request, handler_class)
    if application._reloads:
        settings = application.settings
        if not settings.get("compiled_template_cache", True):
            for loader in list(RequestHandler._template_loaders.values()):
                loader.reset()
        if not settings.get("static_hash_cache", True):
            settings.get("static_handler_class", StaticFileHandler).reset()
    try:
        if (
            handler_class not in application._handler_classes
            and handler_class not in application._cancellable_classes
        ):
            _cancellation.settings_of(application, handler_class)  # an invalid setting gets an error page
        handler = (
            handler_class(application, request, **handler_kwargs)
            if handler_kwargs
            else handler_class(application, request)
        )
    except Exception as error:
        _handler_construction_errors.respond(application, request, handler_class, handler_kwargs, error)
        return None
    if application._checks_handlers:
        _debug_checks.check(handler)
    transforms = (
        [transform(request) for transform in application.transforms] if application.transforms else []
    )
    rest: Any
    loading = loading_of(handler) if application._loads_sessions else None
    if loading is not None or not EXECUTE.are_original(handler_class) or application._in_tasks:
        rest = _execute_handler(handler, loading, transforms, path_args, path_kwargs or {})
    else:
        rest = _execute.start(handler, transforms, path_args, path_kwargs or {})
    if rest is None or handler_class in application._handler_classes:
        return rest
    return _cancellation.wrap(handler, rest)


def _execute_handler(
    handler: RequestHandler, loading: Any, transforms: list[Any], path_args: Any, path_kwargs: dict[str, Any]
) -> Any:
    """Return a coroutine that runs a handler. If `loading`, which loads its session, is not None, it is
    awaited first.
    """
    if loading is None:
        return execute(handler, transforms, path_args, path_kwargs)
    return _execute_loaded(
        loading, functools.partial(_execute_handler, handler, None, transforms, path_args, path_kwargs)
    )


async def _execute_loaded(loading: Any, execute: Callable[[], Any]) -> None:
    await loading
    await execute()


class _HandlerDelegate(httputil.HTTPMessageDelegate):
    """Receives a request and runs a handler for it: immediately if the handler streams the body, otherwise
    when the body is complete.
    """

    def __init__(
        self,
        application: Application,
        request: httputil.HTTPServerRequest,
        handler_class: type[RequestHandler],
        handler_kwargs: dict[str, Any] | None,
        path_args: Any,
        path_kwargs: dict[str, bytes] | None,
    ) -> None:
        self.application = application
        self.connection: httputil.HTTPConnection | None = request.connection
        self.request: Any = request
        self.handler_class = handler_class
        self.handler_kwargs: dict[str, Any] = handler_kwargs or {}
        self.path_args: Any = path_args or ()
        self.path_kwargs: dict[str, bytes] = path_kwargs or {}
        self.stream_request_body: bool = streams_body(handler_class)
        self.handler: RequestHandler | None = None
        self._body = b""
        self._body_buffer: Any = None
        #: Done when the body of a streaming handler has been received.
        self._body_received: Any = None
        self._prepared: Any = None

    def headers_received(
        self,
        start_line: httputil.RequestStartLine | httputil.ResponseStartLine,
        headers: httputil.HTTPHeaders,
    ) -> Awaitable[None] | None:
        return self.begin()

    def begin(self) -> Awaitable[None] | None:
        """Handle the end of the head: start a streaming handler, whose body is read after its ``prepare``."""
        handler_class = self.handler_class
        if (
            handler_class.max_body_size is not None
            or handler_class.max_form_size is not None
            or handler_class.body_timeout is not None
        ):
            _request_body_errors.limit(self)
        if not self.stream_request_body:
            return None
        self._body_received = Future()
        return self.execute()

    def data_received(self, data: bytes) -> Awaitable[None] | None:
        if self.stream_request_body:
            handler = self.handler
            assert handler is not None
            if self._body_received.done():
                return None  # receiving the body has failed, and the handler sends the error page
            try:
                result = handler.data_received(data)
            except (Exception, asyncio.CancelledError) as error:
                _request_body_errors.fail(handler, error)
                return None
            return None if result is None else _request_body_errors.feed_data(handler, result)
        buffer = self._body_buffer
        if buffer is not None:
            buffer.write(data)
        elif not self._body:
            self._body = data
        else:
            head = self.request.__dict__.get("_head")
            self._body_buffer = buffer = BodyAccumulator(None if head is None else head.content_length)
            buffer.write(self._body)
            buffer.write(data)
            self._body = b""
        return None

    def finish(self) -> Any:
        if self.stream_request_body:
            _set_result(self._body_received)
            return None
        if self._body_buffer is not None:
            self.request.body = self._body_buffer.getvalue()
            self._body_buffer = None
        else:
            self.request.body = self._body
        return self._start()

    def on_connection_close(self) -> None:
        self._body_buffer = None
        self._body = b""
        if self.stream_request_body and self.handler is not None:
            future = self._body_received
            if not future.done():
                future.set_exception(_execute.ClientDisconnectedError())
                future.exception()

    def _start(self) -> Any:
        return _run_handler(
            self.application,
            self.handler_class,
            self.request,
            self.handler_kwargs,
            self.path_args,
            self.path_kwargs,
        )

    def execute(self) -> Awaitable[None] | None:
        """Create the handler and run it.

        :returns: None, or an awaitable. For a streaming handler, the awaitable is done when ``prepare`` is
            complete and the body may be delivered, otherwise when the request is complete.
        """
        application = self.application
        handler_class = self.handler_class
        if not self.stream_request_body:
            return self._start()  # type: ignore[no-any-return]
        if application._observer is not None:
            application._observer.request_started(self.request, handler_class)
        try:
            _cancellation.settings_of(application, handler_class)  # an invalid setting gets an error page
            handler = handler_class(application, self.request, **self.handler_kwargs)
        except Exception as error:
            self.handler = _handler_construction_errors.respond(
                application, self.request, handler_class, self.handler_kwargs, error
            )
            return None
        self.handler = handler
        if application._checks_handlers:
            _debug_checks.check(handler)
        prepared: Future[None] = Future()
        self._prepared = prepared
        execution = execution_of(handler)
        execution.prepared, execution.body = prepared, self._body_received
        transforms = [transform(self.request) for transform in application.transforms]
        loading = loading_of(handler) if application._loads_sessions else None
        rest = _execute_handler(handler, loading, transforms, self.path_args, self.path_kwargs)
        rest = _cancellation.wrap(handler, rest)
        task = run_eagerly(asyncio.get_running_loop(), rest, contextvars.copy_context())
        if task.done():
            self._executed(task)
        else:
            cast(Any, self.connection).task = task
            task.add_done_callback(self._executed)
        if prepared.done() and prepared.exception() is None:
            return None
        return prepared

    def send_error_response(self, error: Exception) -> None:
        """Create a handler that only sends the response for `error`."""
        application, handler_class = self.application, self.handler_class
        try:
            handler = handler_class(application, self.request, **self.handler_kwargs)
        except Exception as fault:
            _handler_construction_errors.respond(
                application, self.request, handler_class, self.handler_kwargs, fault
            )
            return
        response_of(handler).transforms = [transform(self.request) for transform in application.transforms]
        handle_error(handler, error)

    def _executed(self, task: asyncio.Task[Any]) -> None:
        """Handle the end of a streaming handler's task. If the task failed outside of the error handling, or
        before ``prepare`` was complete, the connection must not continue to wait for ``prepare``.
        """
        assert self.handler is not None
        # If receiving failed, `Execution.wait_for_body` has replaced the Future to break a reference cycle.
        self._body_received = execution_of(self.handler).body
        prepared: Future[None] = self._prepared
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if error is not None:
            connection = cast(Any, self.connection)
            if isinstance(error, Exception) and not prepared.done():
                prepared.set_exception(error)  # the connection awaits this Future, logs the error and closes
                return
            if not getattr(connection, "ended", True):
                connection.driver.failed(connection, error)
            elif not isinstance(error, asyncio.CancelledError):
                app_log.error("Uncaught exception after the end of a request", exc_info=error)
        _set_result(prepared)


def _can_be_target(target: Any) -> bool:
    """Whether `target` may be the target of a route, as far as this can be determined."""
    return callable(target) or hasattr(target, "find_handler") or hasattr(target, "start_request")


def _set_result(future: Future[None]) -> None:
    if not future.done():
        future.set_result(None)
