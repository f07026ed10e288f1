"""The `RequestHandler` class, with the reference documentation of its methods.

This file exceeds the usual length limit because it is the reference of the class that programs subclass. The
methods are thin: functions in the neighbouring modules do the work (`_execute`, `_response`, `_arguments`,
`_cookies`, `_signed_values`, `_xsrf`, `_rendering`).
"""

from __future__ import annotations

import copy
import datetime
import functools
import http.cookies
import re
import threading
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Self, Unpack, cast, overload

from tornado import escape, httputil
from tornado.concurrent import Future
from tornado.iostream import IOStream
from tornado.locale import Locale
from tornado.log import app_log, escape_controls, gen_log
from tornado.template import BaseLoader
from tornado.web._errors import HTTPError
from tornado.web._execution import (
    _bypassed_methods,
    _client_disconnect,
    _error_page,
    _execute,
    _late_response_changes,
    _request_body_errors,
    _response,
    _response_fields,
)
from tornado.web._execution._execution_state import ExecutionOwner
from tornado.web._execution._matched_route import MatchedRoute
from tornado.web._execution._preconditions import precondition_fails
from tornado.web._execution._response import Response, ResponseOwner, response_of
from tornado.web._input import _arguments
from tornado.web._input._arguments import _ARG_DEFAULT, _ArgDefaultMarker
from tornado.web._security import _authentication, _cookies, _security_headers, _signed_values, _xsrf
from tornado.web._ui import _rendering
from tornado.web._ui._namespace import UI

if TYPE_CHECKING:
    from tornado.web._input._argument_conversion import Converter, D, T
    from tornado.web._interfaces import ApplicationInterface
    from tornado.web._security._cookie_options import ClearCookieOptions, SignedCookieOptions
    from tornado.web._sessions.request_session import RequestSession
    from tornado.web._sessions.session import Session


HeaderValue = str | bytes | int | datetime.datetime
_Verb = Callable[..., Awaitable[None] | None]

#: Classes without base classes other than handlers. The look-up costs half as much as reading ``__mro__``.
_ONLY_HANDLERS: set[type] = set()
_MAX_ONLY_HANDLERS = 1000


@_bypassed_methods.record
class RequestHandler(ExecutionOwner):
    """Base class of request handlers. Each request is handled by a new object.

    Subclasses define methods named after the HTTP methods (`get`, `post`, …), plain or ``async``. For each
    request, these methods are called in order: `initialize` (with the arguments of the route), `prepare`, the
    HTTP method, `on_finish`. The response is sent when the HTTP method returns.

    Objects of this class are not thread-safe: call their methods on the event loop's thread only.

    Attributes that a class may set: `max_body_size`, `body_timeout`, `cancel_on_disconnect`,
    `handler_timeout`, `SUPPORTED_METHODS`; docs/reference/settings.md lists those of all classes.
    """

    #: HTTP methods that the class may define. A program that handles ``PROPFIND`` adds it here.
    SUPPORTED_METHODS: tuple[str, ...] = ("GET", "HEAD", "POST", "DELETE", "PATCH", "PUT", "OPTIONS")

    #: The maximum size of a request body, in bytes. A larger body is rejected with 413; if the client sends
    #: ``Expect: 100-continue``, before it sends the body. None: the limit of the server (``max_body_size``,
    #: by default 100 MiB). With `stream_request_body`, ``prepare`` may set a limit for its request on
    #: ``self``.
    max_body_size: int | None = None
    #: The maximum size of a form whose arguments or files are read, in bytes. A larger form is rejected with
    #: 413. None: the limit of the server (``max_form_size``, by default no limit). Only `max_body_size`
    #: applies to a body that is not a form, or whose arguments and files are not accessed.
    max_form_size: int | None = None
    #: The maximum time for receiving the request body, in seconds, after which the connection is closed.
    #: None: the limit of the server (``body_timeout``, by default no limit). ``prepare`` may set it on
    #: ``self``, like `max_body_size`. If one of these three attributes is not a number, it is ignored and an
    #: error is logged once, because older programs may use the names for other purposes.
    body_timeout: float | None = None

    #: Whether a waiting handler is cancelled when its client disconnects: first `on_connection_close` is
    #: called, then `asyncio.CancelledError` is raised where the handler waits; ``finally`` blocks and
    #: `on_finish` run. A client that closed only its sending side counts as disconnected. None: the value of
    #: the application setting of the same name, which is False by default. The attribute is read when a
    #: request is first routed to the class.
    cancel_on_disconnect: bool | None = None
    #: The time, in seconds, after which `asyncio.CancelledError` is raised in a waiting handler and 503 is
    #: sent. The limit covers waiting in ``prepare``, in the HTTP method and for a streamed body. The log
    #: message names the place where the handler waited. The timeout may be detected up to 10 % late. 0: no
    #: limit. None: the value of the application setting of the same name, by default no limit. If the body is
    #: streamed, the time starts when the head has been received, so the timeout of an `UploadHandler`
    #: includes the upload: set a larger value, or 0, in such classes. An `EventSourceHandler` has no limit
    #: unless its class sets one. Handlers that wait without a coroutine (`asynchronous`) are not limited.
    handler_timeout: float | None = None

    #: The pattern of the route that matched the request, as the program wrote it; None if no route matched.
    #: A class or an object may assign another value.
    route: str | None = cast("str | None", MatchedRoute())

    #: Whether `get` also handles HEAD in a class without `head`: the response has the same status and header
    #: fields, and no body. None: the value of the application setting of the same name; by default HEAD is
    #: rejected with 405.
    head_from_get: bool | None = None

    #: The authentication scheme of an API, such as ``"Bearer"``. If it is set, `authenticated` responds with
    #: 401 and ``WWW-Authenticate`` instead of a redirect. With ``"Bearer"``, requests that have a bearer
    #: token are exempt from the XSRF and cross-origin checks. None: the handler serves pages to browsers.
    authentication_scheme: str | None = None
    #: The name of the protected area in ``WWW-Authenticate``. None: no name is sent.
    authentication_realm: str | None = None
    #: The permissions of the user of this request, compared with the ``scopes`` of `authenticated`. `prepare`
    #: or `get_current_user` sets it on ``self``.
    granted_scopes: Collection[str] = ()

    #: Whether the session is loaded before `prepare`, if the store is asynchronous and the request has a
    #: session cookie. Set it to False in handlers that rarely use `session`, and ``await self.get_session()``
    #: there.
    session_autoload: bool = True

    _template_loaders: ClassVar[dict[str, BaseLoader]] = {}
    _template_loader_lock = threading.Lock()
    _remove_control_chars_regex = re.compile(r"[\x00-\x08\x0e-\x1f]")

    path_args: list[str] = []  # noqa: RUF012 - as above
    path_kwargs: dict[str, str] = {}  # noqa: RUF012 - as above
    _current_user: Any

    if TYPE_CHECKING:
        ui: dict[str, Any]  #: The application's UI methods and modules, as available in templates.
    else:
        ui = UI()

    application: ApplicationInterface

    def __init__(
        self, application: ApplicationInterface, request: httputil.HTTPServerRequest, **kwargs: Any
    ) -> None:
        set_up(self, application, request, kwargs)

    def _set_up(self, application: Any, request: Any, kwargs: dict[str, Any] | None) -> None:
        """Initialize a new handler.

        This is not `__init__` because CPython calls a function with fixed parameters without entering its
        interpreter again.

        :param kwargs: the keyword arguments of ``initialize``.
        """
        cls = type(self)
        if cls not in _ONLY_HANDLERS:
            if cls.__mro__[-2] is not ResponseOwner:
                super().__init__()  # a subclass may have further base classes
            elif len(_ONLY_HANDLERS) < _MAX_ONLY_HANDLERS:
                _ONLY_HANDLERS.add(cls)
        self.application = application
        self.request = request
        self._own_response = Response()
        # The rest of `clear` has no effect on a new response. A call costs six times as much as a comparison.
        if cls.clear is not _CLEAR:
            self.clear()
        elif cls.set_default_headers is not _SET_DEFAULT_HEADERS:
            self.set_default_headers()
        if cls.on_connection_close is not _ON_CONNECTION_CLOSE:
            # Mock requests may have no connection.
            connection: Any = request.connection
            if connection is not None:
                connection.set_close_callback(self.on_connection_close)
        if kwargs:
            self.initialize(**kwargs)
        elif cls.initialize is not _INITIALIZE:
            self.initialize()

    def __copy__(self) -> Self:
        """Return a copy with a response of its own: what is added to it does not appear in this one's."""
        made = type(self).__new__(type(self))
        made.__dict__.update(self.__dict__)
        response = self.__dict__.get("_own_response")
        if response is not None:
            made._own_response = response = copy.copy(response)
            response.buffer = list(response.buffer)
            response.fields = copy.copy(response.fields)
            response.cookies = copy.copy(response.cookies)
        return made

    def _initialize(self) -> None:
        pass

    initialize: Callable[..., None] = _initialize
    """Called before any other method, with the third element of the route as keyword arguments.

    ::

        class ProfileHandler(RequestHandler):
            def initialize(self, database):
                self.database = database

        app = Application([(r"/user/(.*)", ProfileHandler, dict(database=database))])
    """

    @property
    def settings(self) -> dict[str, Any]:
        """The application's settings (`Application.settings`)."""
        return self.application.settings

    # -- the HTTP methods --

    def _unimplemented_method(self, *args: str, **kwargs: str) -> Awaitable[None] | None:
        if self.request.method == "HEAD" and self._get_handles_head():
            return self.get(*args, **kwargs)
        raise HTTPError(405)

    def _get_handles_head(self) -> bool:
        serves = self.head_from_get
        if serves is None:
            serves = self.settings.get("head_from_get", False)
        return bool(serves) and type(self).get is not RequestHandler._unimplemented_method

    get: _Verb = _unimplemented_method
    head: _Verb = _unimplemented_method
    post: _Verb = _unimplemented_method
    put: _Verb = _unimplemented_method
    patch: _Verb = _unimplemented_method
    delete: _Verb = _unimplemented_method
    options: _Verb = _unimplemented_method

    # -- hooks, to be overridden --

    def prepare(self) -> Awaitable[None] | None:
        """Called before the HTTP method of every request; may be ``async``.

        If it finishes the response or raises an exception, the HTTP method is not called.
        """

    def on_finish(self) -> None:
        """Called after the response has been finished, for logging and clean-up; no output can be sent."""

    def on_connection_close(self) -> None:
        """Called once if the client disconnects while an asynchronous handler runs.

        A disconnect is detected when the client closes its sending side. If the client has closed only this
        side, it still receives the response, unless `cancel_on_disconnect` is set.
        """

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """Called with each part of the body as it arrives, in handlers decorated with `stream_request_body`.

        :param chunk: the bytes of this part.
        :returns: None, or an awaitable. The next part is not read until the awaitable is done.
        """
        raise NotImplementedError(
            f"{type(self).__name__} streams its request body but has no data_received()"
        )

    def _before_body(self) -> None:
        """Handle the end of ``prepare`` in a handler that streams its body, before the body is read."""
        _request_body_errors.limit_own(self)

    def _body_is_collected(self) -> bool:
        """Whether ``request.body`` contains the body that the client has sent."""
        return not self._stream_request_body

    def _after_body(self) -> Awaitable[None] | None:
        """Handle the end of a body that was passed to `data_received`, before the HTTP method is called."""

    def set_default_headers(self) -> None:
        """Override to set header fields of every response, including error pages (see `clear`)."""

    # -- status and headers --

    def clear(self) -> None:
        """Reset status, header fields and body. After `flush`, only the unsent part of the body is reset."""
        response = response_of(self)
        response.clear()
        if not response.state.head_sent:
            self.set_default_headers()

    def set_status(self, status_code: int, reason: str | None = None) -> None:
        """Set the status of the response.

        :param status_code: the status code.
        :param reason: the reason phrase; by default the standard one, or "Unknown". A phrase that contains a
            control character, a character outside Latin-1 or an angle bracket is replaced by "Unknown".
        :raises TypeError: if the status code is not an integer.

        After `flush`, this method and those that set header fields and cookies no longer affect the response;
        a warning is logged.
        """
        if not isinstance(status_code, int):
            raise TypeError(f"status_code must be an int, got {status_code!r}")
        response = response_of(self)
        if response.state.head_sent:
            _late_response_changes.set_status(self, status_code)
            return
        response.set_status(status_code, reason)

    def get_status(self) -> int:
        """Return the status code that was sent or, if the head has not been sent, the code set so far."""
        return response_of(self).status_code

    def set_header(self, name: str, value: HeaderValue) -> None:
        """Set a header field of the response, replacing all earlier values.

        :param value: a str, bytes (sent unchanged), an int, or a `datetime.datetime`, which is formatted as
            an HTTP date (a naive one is treated as UTC).
        :raises ValueError: if the name or value contains a control character, or a character outside Latin-1.
        """
        response = response_of(self)
        if response.state.head_sent:
            _late_response_changes.ignore(self, f"set_header({name!r})")
        try:
            response.headers(self)[name] = self._convert_header_value(value)
        except (TypeError, ValueError) as error:
            _response_fields.add_field_name(error, name)
            raise

    def add_header(self, name: str, value: HeaderValue) -> None:
        """Add a value to a header field of the response that may have several values; see `set_header`."""
        response = response_of(self)
        if response.state.head_sent:
            _late_response_changes.ignore(self, f"add_header({name!r})")
        try:
            response.headers(self).add(name, self._convert_header_value(value))
        except (TypeError, ValueError) as error:
            _response_fields.add_field_name(error, name)
            raise

    def clear_header(self, name: str) -> None:
        """Remove a header field of the response, if it is set."""
        response = response_of(self)
        headers = response.headers(self)
        if name in headers:
            if response.state.head_sent:
                _late_response_changes.ignore(self, f"clear_header({name!r})")
            del headers[name]

    def _convert_header_value(self, value: HeaderValue) -> str:
        if type(value) is str and value.isascii() and value.isprintable():
            return value
        return _response_fields.header_text(value)

    # -- arguments --

    @overload
    def get_argument(self, name: str, default: _ArgDefaultMarker = ..., strip: bool = ...) -> str: ...
    @overload
    def get_argument(self, name: str, default: D, strip: bool = ...) -> str | D: ...
    @overload
    def get_argument(
        self, name: str, default: _ArgDefaultMarker = ..., strip: bool = ..., *, type: Converter[T]
    ) -> T: ...
    @overload
    def get_argument(self, name: str, default: D, strip: bool = ..., *, type: Converter[T]) -> T | D: ...
    def get_argument(
        self, name: str, default: Any = _ARG_DEFAULT, strip: bool = True, *, type: Any = None
    ) -> Any:
        """Return an argument from the query string or from a form in the body; the last value if it is
        repeated.

        ::

            page = self.get_argument("page", 1, type=int)

        :param default: returned if the argument is absent.
        :param strip: whether to remove whitespace at both ends.
        :param type: converts the text to a value: int, float, bool, `decimal.Decimal`, `datetime.date`,
            `datetime.time`, `datetime.datetime`, an enumeration (by its values), or a function that raises a
            `ValueError` for invalid text. Numbers are plain ASCII without underscores, and finite. Browsers
            send empty form fields as empty text; if `type` rejects an empty text, the default is returned, if
            there is one.
        :raises MissingArgumentError: (400) if the argument is absent and there is no default.
        :raises InvalidArgumentError: (400) if the text cannot be converted to `type`.
        :raises HTTPError: (400) if the value is not UTF-8.
        """
        source = self.request.arguments
        if type is not None:
            return _arguments.last_converted(self, name, default, source, strip, type)
        return _arguments.last(self, name, default, source, strip)

    @overload
    def get_arguments(self, name: str, strip: bool = ...) -> list[str]: ...
    @overload
    def get_arguments(self, name: str, strip: bool = ..., *, type: Converter[T]) -> list[T]: ...
    def get_arguments(self, name: str, strip: bool = True, *, type: Any = None) -> Any:
        """Return all values of an argument from query string and body; an empty list if it is absent.

        :param type: as in `get_argument`.
        """
        if not isinstance(strip, bool):
            raise TypeError(f"get_arguments(name, strip=True): strip must be a bool, got {strip!r}")
        source = self.request.arguments
        if type is not None:
            return _arguments.all_converted(self, name, source, strip, type)
        return _arguments.all_values(self, name, source, strip)

    @overload
    def get_body_argument(self, name: str, default: _ArgDefaultMarker = ..., strip: bool = ...) -> str: ...
    @overload
    def get_body_argument(self, name: str, default: D, strip: bool = ...) -> str | D: ...
    @overload
    def get_body_argument(
        self, name: str, default: _ArgDefaultMarker = ..., strip: bool = ..., *, type: Converter[T]
    ) -> T: ...
    @overload
    def get_body_argument(self, name: str, default: D, strip: bool = ..., *, type: Converter[T]) -> T | D: ...
    def get_body_argument(
        self, name: str, default: Any = _ARG_DEFAULT, strip: bool = True, *, type: Any = None
    ) -> Any:
        """Return an argument of the body; see `get_argument` for the parameters and errors."""
        source = self.request.body_arguments
        if type is not None:
            return _arguments.last_converted(self, name, default, source, strip, type)
        return _arguments.last(self, name, default, source, strip)

    @overload
    def get_body_arguments(self, name: str, strip: bool = ...) -> list[str]: ...
    @overload
    def get_body_arguments(self, name: str, strip: bool = ..., *, type: Converter[T]) -> list[T]: ...
    def get_body_arguments(self, name: str, strip: bool = True, *, type: Any = None) -> Any:
        """Return all values of an argument of the body; see `get_arguments` for the parameters."""
        source = self.request.body_arguments
        if type is not None:
            return _arguments.all_converted(self, name, source, strip, type)
        return _arguments.all_values(self, name, source, strip)

    @overload
    def get_query_argument(self, name: str, default: _ArgDefaultMarker = ..., strip: bool = ...) -> str: ...
    @overload
    def get_query_argument(self, name: str, default: D, strip: bool = ...) -> str | D: ...
    @overload
    def get_query_argument(
        self, name: str, default: _ArgDefaultMarker = ..., strip: bool = ..., *, type: Converter[T]
    ) -> T: ...
    @overload
    def get_query_argument(
        self, name: str, default: D, strip: bool = ..., *, type: Converter[T]
    ) -> T | D: ...
    def get_query_argument(
        self, name: str, default: Any = _ARG_DEFAULT, strip: bool = True, *, type: Any = None
    ) -> Any:
        """Return an argument of the query string; see `get_argument` for the parameters and errors."""
        source = self.request.query_arguments
        if type is not None:
            return _arguments.last_converted(self, name, default, source, strip, type)
        return _arguments.last(self, name, default, source, strip)

    @overload
    def get_query_arguments(self, name: str, strip: bool = ...) -> list[str]: ...
    @overload
    def get_query_arguments(self, name: str, strip: bool = ..., *, type: Converter[T]) -> list[T]: ...
    def get_query_arguments(self, name: str, strip: bool = True, *, type: Any = None) -> Any:
        """Return all values of an argument of the query string; see `get_arguments` for the parameters."""
        source = self.request.query_arguments
        if type is not None:
            return _arguments.all_converted(self, name, source, strip, type)
        return _arguments.all_values(self, name, source, strip)

    def _get_argument(
        self, name: str, default: Any, source: dict[str, list[bytes]], strip: bool = True
    ) -> Any:
        return _arguments.last(self, name, default, source, strip)

    def _get_arguments(self, name: str, source: dict[str, list[bytes]], strip: bool = True) -> list[str]:
        return _arguments.all_values(self, name, source, strip)

    def get_json_body(
        self, default: Any = _ARG_DEFAULT, *, max_depth: int = 100, max_size: int | None = None
    ) -> Any:
        """Return the value of a JSON body.

        The body is parsed strictly (RFC 7493): ``application/json`` or ``…+json``, UTF-8, no duplicate names
        in an object, no NaN. The body is parsed once; further calls return the same object.

        :param default: returned if the body is empty.
        :param max_depth: how deeply arrays and objects may be nested.
        :param max_size: the maximum size of the body, in bytes. None: the limit of the server
            (``max_json_size``, by default no limit).
        :raises InvalidBodyError: (400) if the body is malformed, or empty without a default; (413) if it is
            too large; (415) if its Content-Type is not JSON. The log contains the error and its position.
        :raises RuntimeError: in a handler that streams its body.
        """
        from tornado.web._input import _json_body  # imported late: not all programs read JSON

        return _json_body.read(self, self._body_is_collected(), default, max_depth, max_size)

    def decode_argument(self, value: bytes, name: str | None = None) -> str:
        """Decode the bytes of an argument, or of a group of the path; override for another encoding.

        :param name: the name of the argument, if it has one.
        :raises HTTPError: (400) if `value` is not UTF-8.
        """
        try:
            return value.decode() if type(value) is bytes else escape._unicode(value)
        except UnicodeDecodeError as error:
            raise HTTPError(400, "Invalid unicode in %s: %r", name or "url", value[:40]) from error

    # -- output --

    def write(self, chunk: str | bytes | dict[str, Any]) -> None:
        """Append to the body of the response.

        :param chunk: text is sent as UTF-8, a dict as JSON with the matching Content-Type.
        :raises TypeError: for any other type.
        :raises RuntimeError: after `finish`.
        """
        try:
            response = self._own_response
        except AttributeError:  # a test double; otherwise the call of `response_of` is not needed
            response = response_of(self)
        if response.state.ended:
            raise RuntimeError("Cannot write() after finish(): the response has been sent")
        if type(chunk) is str:
            response.buffer.append(chunk.encode())
        elif type(chunk) is bytes:
            response.buffer.append(chunk)
        else:
            response.write(self, chunk)

    def flush(self, include_footers: bool = False, callback: Callable[[], Any] | None = None) -> Future[None]:
        """Send everything written so far immediately.

        :param include_footers: whether the response ends here; used by `finish`.
        :param callback: (deprecated, the style of Tornado 4) called when the Future is done, unless the
            client has disconnected.
        :returns: a Future that is done when the operating system has accepted the bytes. Await it to keep a
            long response from accumulating in memory. It fails with `.iostream.StreamClosedError` if the
            client has disconnected.
        """
        if callback is not None:
            return _response.flush_for_callback(self, include_footers, callback)
        return response_of(self).flush(self, include_footers)

    def finish(self, chunk: str | bytes | dict[str, Any] | None = None) -> Future[None]:
        """Write `chunk`, if given, and complete the response.

        :returns: the Future of the last `flush`.
        :raises RuntimeError: if the response is already finished.
        """
        response = response_of(self)
        if response.state.ended:
            raise RuntimeError("finish() called twice")
        if chunk is not None:
            self.write(chunk)
        return _execute.finish(self, response)

    def detach(self) -> IOStream:
        """Take over the connection's stream, for another protocol. The handler then sends no response.

        :returns: the stream, with all unread bytes in its buffer.
        """
        connection: Any = self.request.connection
        stream = connection.detach()
        response_of(self).detach()  # after the connection, which may refuse: then an error page is sent
        return stream  # type: ignore[no-any-return]

    def redirect(self, url: str, permanent: bool = False, status: int | None = None) -> None:
        """Redirect the client to `url`, which may be relative, and finish the response.

        :param permanent: whether to send 301 instead of 302.
        :param status: another 3xx status code.
        :raises RuntimeError: if the head of the response has been sent.
        """
        if response_of(self).state.head_sent:
            raise RuntimeError("Cannot redirect after headers have been written")
        if status is None:
            status = 301 if permanent else 302
        elif not isinstance(status, int) or not 300 <= status <= 399:
            raise ValueError(f"redirect status must be from 300 to 399, got {status!r}")
        self.set_status(status)
        self.set_header("Location", escape.utf8(url))
        _ = self.finish()

    # -- entity tags --

    def compute_etag(self) -> str | None:
        """Return the entity tag of the response, by default a hash of the body. Override to return another
        tag, or None for no tag.
        """
        return response_of(self).compute_etag()

    def set_etag_header(self) -> None:
        """Set the Etag header field to the result of `compute_etag`; called by `finish` if no Etag is set."""
        response_of(self).set_etag_header(self)

    def check_etag_header(self) -> bool:
        """Whether the client's If-None-Match contains the entity tag of the response. If so, `finish` sends
        304.
        """
        return response_of(self).check_etag_header(self.request)

    def check_preconditions(self, etag: str | None, modified: datetime.datetime | None = None) -> None:
        """Refuse the request with 412 if the client's If-Match or If-Unmodified-Since does not hold (RFC 9110
        section 13.1).

        Call this method before a change, so that a client does not overwrite the change of another.

        :param etag: the current entity tag of the resource, in quotes; None if the resource does not exist.
        :param modified: the time of its last change; one without a time zone is in UTC.
        :raises HTTPError: (412)
        """
        if precondition_fails(self.request.headers, etag, modified):
            raise HTTPError(412)

    # -- errors --

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        """Send an error page, unless the head of the response has been sent.

        :param kwargs: passed to `write_error`; may include ``exc_info`` and ``reason``.
        """
        exc_info = kwargs.get("exc_info")
        response = response_of(self)
        if response.state.head_sent:
            if exc_info is None or not _client_disconnect.is_disconnect(self, exc_info[1]):
                gen_log.error("Cannot send error response after headers written")
            if not response.state.ended:
                try:
                    response.truncate(self)
                except Exception:
                    gen_log.error("Failed to flush partial response", exc_info=True)
            return
        if isinstance(self.request, httputil.HTTPServerRequest):  # programs may use mock requests in tests
            self.request.tolerate_bad_form()
        self.clear()
        reason = kwargs.get("reason")
        if exc_info is not None and isinstance(exc_info[1], HTTPError) and exc_info[1].reason:
            reason = exc_info[1].reason
        self.set_status(status_code, reason=reason)
        if status_code == 405:
            self.set_header("Allow", ", ".join(self._allowed_methods()))
        if exc_info is not None and isinstance(exc_info[1], HTTPError):
            for challenge in _authentication.challenges_of(exc_info[1], self):
                self.add_header("WWW-Authenticate", challenge)
        try:
            if status_code == 204 or status_code == 304 or 100 <= status_code < 200:
                pass  # these statuses have no body
            else:
                self.write_error(status_code, **kwargs)
        except Exception:
            app_log.error("Uncaught exception in write_error", exc_info=True)
        if not response.state.ended:
            _ = self.finish()

    def _allowed_methods(self) -> list[str]:
        unimplemented = RequestHandler._unimplemented_method
        methods = []
        for method in self.SUPPORTED_METHODS:
            function = getattr(type(self), method.lower(), unimplemented)
            if function is not unimplemented or (method == "HEAD" and self._get_handles_head()):
                methods.append(method)
        return methods

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Write the body of an error page; override to send other pages.

        :param kwargs: ``exc_info``, the exception as a triple, if an exception is the cause. With the setting
            ``serve_traceback`` (part of ``debug=True``) the default page shows browsers the traceback with
            the request and the variables of each frame. A client that prefers JSON receives the traceback in
            the JSON error, other clients receive text. Values whose names suggest a secret are masked. Only
            responses to requests for localhost, an IP address or one of ``allowed_hosts`` contain tracebacks.

        The default page is HTML, or JSON if the client's ``Accept`` prefers it. It includes the
        ``public_message`` of an exception (see `HTTPError`).
        """
        if self.settings.get("serve_traceback") and "exc_info" in kwargs:
            from tornado.web import _debug  # imported late: used during development only

            if _debug.write_error(self, status_code, kwargs["exc_info"]):
                return
        _error_page.write(self, status_code, response_of(self).reason, kwargs.get("exc_info"))

    def log_exception(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """Log an uncaught exception; override to report it elsewhere.

        An `HTTPError` is logged as a warning without a traceback, if it has a log message. A
        `.StreamClosedError` on a closed connection means that the client has disconnected; it is logged at
        INFO, at most once per second. Any other exception is logged as an error.
        """
        if isinstance(value, HTTPError):
            if value.log_message:
                shown = [escape_controls(each) if isinstance(each, str) else each for each in value.args]
                arguments = [value.status_code, self._request_summary(), *shown]
                gen_log.warning("%d %s: " + value.log_message, *arguments)
            return
        if _client_disconnect.is_disconnect(self, value):
            _client_disconnect.report(self)
            return
        exc_info: Any = (typ, value, tb)
        app_log.error("Uncaught exception %s\n%r", self._request_summary(), self.request, exc_info=exc_info)

    # -- running --

    async def _execute(self, transforms: list[Any], *args: bytes, **kwargs: bytes) -> None:
        """Handle the request. Tracing programs wrap this method on the class."""
        rest = _execute.start(self, transforms, args, kwargs, self._stream_request_body)
        if rest is not None:
            await rest

    def _send_minimal_error(self) -> bool:
        """Send a minimal 500 page after `send_error` has raised.

        :returns: False if the head of a response has already been sent.
        """
        response = response_of(self)
        if response.state.head_sent:
            return False
        app_log.error("Failed to send the error page for %s", self._request_summary(), exc_info=True)
        response.finish_minimal(
            500, "Internal Server Error", functools.partial(_error_page.send_minimal, self.request)
        )
        self._log()
        self.on_finish()
        return True

    def _handle_request_exception(self, e: BaseException) -> None:
        _execute.handle_exception(self, e)

    # -- cookies --

    @property
    def cookies(self) -> dict[str, http.cookies.Morsel[str]]:
        """The request's cookies (`.HTTPServerRequest.cookies`)."""
        return self.request.cookies

    @overload
    def get_cookie(self, name: str, default: None = None) -> str | None: ...
    @overload
    def get_cookie(self, name: str, default: str) -> str: ...
    def get_cookie(self, name: str, default: str | None = None) -> str | None:
        """Return the unquoted value of a request cookie, or `default` if it was not sent. If a name is
        repeated, the last value is returned.

        Cookies set by `set_cookie` in this response are not visible here.
        """
        return _cookies.get_cookie(self, name, default)

    def set_cookie(
        self,
        name: str,
        value: str | bytes,
        domain: str | None = None,
        expires: float | tuple[int, ...] | datetime.datetime | None = None,
        path: str = "/",
        expires_days: float | None = None,
        *,
        max_age: int | None = None,
        httponly: bool = False,
        secure: bool = False,
        samesite: str | None = None,
        partitioned: bool = False,
        **kwargs: Any,
    ) -> None:
        """Set a cookie (RFC 6265 section 4.1).

        :param expires: when the browser deletes the cookie: a timestamp, a time tuple or a datetime, in UTC.
        :param expires_days: the number of days after which the browser deletes the cookie; cannot be combined
            with `expires`.
        :param max_age: the time after which the browser deletes the cookie, in seconds.
        :param httponly: whether the cookie is hidden from scripts.
        :param secure: whether the cookie is sent over HTTPS only.
        :param samesite: ``"Strict"``, ``"Lax"``, or ``"None"``, which browsers accept with `secure` only.
        :param partitioned: whether a page that is embedded in another site has a separate cookie for that
            site ("CHIPS"); requires `secure`.
        :param kwargs: further attributes by their names in `http.cookies.Morsel` (an old spelling, deprecated
            in favour of the parameters above).
        :raises ValueError: if a value or attribute contains a control character, a value contains a space, or
            an attribute contains a semicolon; if `partitioned` is set without `secure`.
        :raises http.cookies.CookieError: if the name is not a valid cookie name. This is a `ValueError` too.

        Cookies that browsers would silently drop are logged, once for each name: a name with the prefix
        ``__Secure-`` or ``__Host-`` (in any case) without `secure`; ``__Host-`` with a `domain` or with
        a `path` other than ``/``; a `samesite` that is not one of the three values above, or is ``"None"``
        without `secure`.
        """
        if response_of(self).state.head_sent:
            _late_response_changes.ignore(self, f"set_cookie({name!r})")
            return
        attributes = {
            "domain": domain,
            "expires": expires,
            "path": path,
            "expires_days": expires_days,
            "max_age": max_age,
            "httponly": httponly,
            "secure": secure,
            "samesite": samesite,
            "partitioned": partitioned,
        }
        _cookies.set_cookie(self, name, value, attributes, kwargs)

    def clear_cookie(
        self, name: str, path: str = "/", domain: str | None = None, **kwargs: Unpack[ClearCookieOptions]
    ) -> None:
        """Delete a cookie in the browser.

        :param path: the path with which the cookie was set. The path, `domain` and some of the other
            attributes must match, or the browser keeps the cookie. For names that begin with ``__Secure-`` or
            ``__Host-``, ``secure`` is set automatically.
        """
        _cookies.clear_cookie(self, name, {"path": path, "domain": domain, **kwargs})

    def clear_all_cookies(
        self, path: str = "/", domain: str | None = None, **kwargs: Unpack[ClearCookieOptions]
    ) -> None:
        """Delete all cookies of the request in the browser; see `clear_cookie`."""
        _cookies.clear_all_cookies(self, {"path": path, "domain": domain, **kwargs})

    def set_signed_cookie(
        self,
        name: str,
        value: str | bytes,
        expires_days: float | None = 30,
        version: int | None = None,
        **kwargs: Unpack[SignedCookieOptions],
    ) -> None:
        """Set a cookie that the client can read but not forge. Requires the setting ``cookie_secret``.

        :param expires_days: how long the browser keeps the cookie, in days (None: until the browser is
            closed).
        :param version: the version of the signature format; by default the newest.
        :param kwargs: passed to `set_cookie`.
        """
        self.set_cookie(
            name, self.create_signed_value(name, value, version=version), expires_days=expires_days, **kwargs
        )

    set_secure_cookie = set_signed_cookie

    def create_signed_value(self, name: str, value: str | bytes, version: int | None = None) -> bytes:
        """Return `value` with a timestamp and a signature that is valid for `name` only, as stored by
        `set_signed_cookie`.
        """
        return _signed_values.create_for(self, name, value, version)

    def get_signed_cookie(
        self,
        name: str,
        value: str | None = None,
        max_age_days: float = 31,
        min_version: int | None = None,
    ) -> bytes | None:
        """Return the value of a signed cookie, or None if it is absent, forged or too old.

        :param value: the signed text, if it was not sent as a cookie.
        :param max_age_days: the maximum age of the signature, in days.
        :param min_version: the oldest signature format that is accepted.
        """
        return _signed_values.read_for(self, name, value, max_age_days, min_version)

    get_secure_cookie = get_signed_cookie

    def get_signed_cookie_key_version(self, name: str, value: str | None = None) -> int | None:
        """Return the version of the key that signed a cookie, if ``cookie_secret`` has several."""
        return _signed_values.key_version_for(self, name, value)

    get_secure_cookie_key_version = get_signed_cookie_key_version

    # -- the session --

    @functools.cached_property
    def session(self) -> Session:
        """The data stored for this browser between requests, as a mapping (`Session`).

        The session is stored in a signed cookie or in the ``session_store`` of the application, and saved
        with the response. A program may assign another object to this attribute. ::

            self.session["cart"] = [*self.session.get("cart", ()), item]

        :raises SessionStoreError: (503) if the store cannot be used.
        :raises RuntimeError: if the session is not loaded, see `session_autoload`.
        """
        return self._get_request_session().open(response_of(self).state.head_sent)

    async def get_session(self) -> Session:
        """Return `session`, loading it first if necessary."""
        if "session" not in self.__dict__:
            self.session = await self._get_request_session().load(response_of(self).state.head_sent)
        return self.session

    def _get_request_session(self) -> RequestSession:
        """Return the object that loads and saves the session of this request."""
        response = response_of(self)
        session: RequestSession | None = response.session
        if session is None:
            # Imported late: many programs have no sessions.
            from tornado.web._sessions.request_session import RequestSession

            session = response.session = RequestSession(self)
            if response.cookies is None:
                response.cookies = {}  # not None: the fast path cannot send the session cookie
        return session

    def _load_session(self) -> Coroutine[Any, Any, None] | None:
        """Return a coroutine that loads the session before `prepare`, or None if it need not be loaded."""
        return self._get_request_session().loading() if self.session_autoload else None

    # -- cross-site request forgery --

    @property
    def xsrf_token(self) -> bytes:
        """The token that forms and scripts must send with state-changing requests (see ``xsrf_cookies``)."""
        made: bytes | None = self.__dict__.get("_xsrf_token")
        if made is None:
            made = self._xsrf_token = _xsrf.make_token(self, *self._get_raw_xsrf_token())
        return made

    def _get_raw_xsrf_token(self) -> tuple[int | None, bytes, float]:
        made: tuple[int | None, bytes, float] | None = self.__dict__.get("_raw_xsrf_token")
        if made is None:
            made = self._raw_xsrf_token = _xsrf.raw_token(self, self._decode_xsrf_token)
        return made

    def _decode_xsrf_token(self, cookie: str) -> tuple[int | None, bytes | None, float | None]:
        return _xsrf.decode_token(cookie)

    def check_xsrf_cookie(self) -> None:
        """Check that the request contains the token of its ``_xsrf`` cookie.

        The token may be sent as the argument ``_xsrf`` or in a header field ``X-Xsrftoken`` or
        ``X-Csrftoken``.

        :raises HTTPError: (403) if the token is missing or different.
        """
        _xsrf.check_cookie(self, self._decode_xsrf_token, self._get_raw_xsrf_token)

    def check_trusted_origin(self, origin: str) -> bool:
        """Whether pages of another `origin` may send state-changing requests (``cross_origin_protection``).

        By default, this is True for the origins in the setting ``trusted_origins``.
        """
        return _xsrf.is_trusted_origin(self, origin)

    def xsrf_form_html(self) -> str:
        """Return a hidden form field with the token: ``{% module xsrf_form_html() %}`` in every form that
        posts.
        """
        return f'<input type="hidden" name="_xsrf" value="{escape.xhtml_escape(self.xsrf_token)}"/>'

    @property
    def csp_nonce(self) -> str:
        """The random nonce with which a Content-Security-Policy allows this response's inline scripts; in
        templates ``{{ csp_nonce }}``. The setting ``security_headers`` adds it to the policy (see
        `SecurityHeaders`).

        :raises RuntimeError: if the policy was sent before the nonce was first read.
        """
        return _security_headers.nonce(self)

    # -- the user --

    @property
    def current_user(self) -> Any:
        """The user of the request: the result of `get_current_user`, which is called once per request, or the
        value that the program has assigned to this attribute.

        If the look-up is asynchronous, assign the user in `prepare`.
        """
        try:
            return self._current_user
        except AttributeError:
            self._current_user = self.get_current_user()
            return self._current_user

    @current_user.setter
    def current_user(self, value: Any) -> None:
        self._current_user = value

    def get_current_user(self) -> Any:
        """Override to return the logged-in user, for example from `session`, or None.

        The override may be a coroutine function if all methods that use the user are `authenticated`.
        Otherwise `current_user` would be a coroutine object, so `prepare` must assign the user.
        """
        return None

    def get_bearer_token(self) -> str | None:
        """Return the bearer token of the Authorization field (RFC 6750 section 2.1), or None if there is
        none.

        Tokens in the query or in a form are not read because they would be logged. ::

            def get_current_user(self):
                token = self.get_bearer_token()
                return None if token is None else self.users.by_token(token)

        :raises AuthenticationError: (400, ``invalid_request``) if no token or more than one follows the
            scheme; (401, ``invalid_token``) if the token has characters that RFC 6750 does not allow.
        """
        return _authentication.token_of(self)

    def get_login_url(self) -> str:
        """Return the URL of the login page, to which `authenticated` redirects: the setting ``login_url``."""
        self.require_setting("login_url", "@tornado.web.authenticated")
        return self.application.settings["login_url"]  # type: ignore[no-any-return]

    # -- language --

    @property
    def locale(self) -> Locale:
        """The language of the response: the result of `get_user_locale` or, if that is None, of
        `get_browser_locale`, called once per request; or the value that the program has assigned.
        """
        try:
            return self._locale
        except AttributeError:
            found = self.get_user_locale()
            self._locale: Locale = found if found is not None else self.get_browser_locale()
            return self._locale

    @locale.setter
    def locale(self, value: Locale) -> None:
        self._locale = value

    def get_user_locale(self) -> Locale | None:
        """Override to return the language that the user has chosen, or None to use the browser's."""
        return None

    def get_browser_locale(self, default: str = "en_US") -> Locale:
        """Return the best supported language of the Accept-Language header field.

        :param default: the code of the locale to use if no supported language is listed.
        """
        return _arguments.browser_locale(self, default)

    # -- templates and URLs --

    def render(self, template_name: str, **kwargs: Any) -> Future[None]:
        """Render a template as the response, and finish it.

        The CSS and JavaScript of UI modules are inserted before ``</head>`` and ``</body>``.

        :param kwargs: variables for the template.
        :raises RuntimeError: after `finish`.
        """
        if response_of(self).state.ended:
            raise RuntimeError("Cannot render() after finish()")
        return self.finish(_rendering.render_page(self, template_name, kwargs))

    def render_string(self, template_name: str, **kwargs: Any) -> bytes:
        """Render a template and return the result, encoded as UTF-8."""
        return _rendering.render_string(self, template_name, kwargs, self._template_loader)

    def _template_loader(self, path: str) -> BaseLoader:
        """Return the loader of a directory, which all handlers share."""
        loaders = type(self)._template_loaders
        loader = loaders.get(path)
        if loader is None:
            with type(self)._template_loader_lock:
                loader = loaders.get(path)
                if loader is None:
                    loader = loaders[path] = self.create_template_loader(path)
        return loader

    def get_template_namespace(self) -> dict[str, Any]:
        """Return the names that are available in every template; override to add to them."""
        return _rendering.namespace(self)

    def create_template_loader(self, template_path: str) -> BaseLoader:
        """Create the loader for the templates under `template_path`. This method is called once for each path
        (see the ``template_…`` settings).
        """
        return _rendering.make_loader(self.application.settings, template_path)

    def get_template_path(self) -> str | None:
        """Return the directory of templates: the setting ``template_path``, or None to use the directory of
        the calling file.
        """
        return self.application.settings.get("template_path")

    def render_linked_js(self, js_files: Iterable[str]) -> str:
        """Return the ``<script src>`` elements of UI modules; override to bundle the files."""
        return _rendering.linked_js(self, js_files)

    def render_embed_js(self, js_embed: Iterable[bytes]) -> bytes:
        """Return the ``<script>`` element with the embedded JavaScript of UI modules."""
        return _rendering.embedded_js(self, js_embed)

    def render_linked_css(self, css_files: Iterable[str]) -> str:
        """Return the ``<link>`` elements for the style sheets of UI modules."""
        return _rendering.linked_css(self, css_files)

    def render_embed_css(self, css_embed: Iterable[bytes]) -> bytes:
        """Return the ``<style>`` element with the embedded CSS of UI modules."""
        return _rendering.embedded_css(self, css_embed)

    def require_setting(self, name: str, feature: str = "this feature") -> None:
        """Check that the application has a setting.

        :raises Exception: if it is missing or empty; the message names the setting and `feature`.
        """
        if not self.application.settings.get(name):
            raise Exception(f"You must define the {name!r} setting in your application to use {feature}")

    def reverse_url(self, name: str, *args: Any) -> str:
        """Return the URL of the route called `name`, with `args` for the groups of its pattern."""
        return self.application.reverse_url(name, *args)

    def static_url(self, path: str, include_host: bool | None = None, **kwargs: Any) -> str:
        """Return the URL of a static file. It contains a version that changes with the content of the file,
        so that browsers may cache it for a long time.

        :param path: relative to the setting ``static_path``.
        :param include_host: whether the URL is absolute; by default the handler's attribute ``include_host``.
        :param kwargs: passed to `StaticFileHandler.make_static_url`.
        """
        self.require_setting("static_path", "static_url")
        application: Any = self.application
        handler_class = self.settings.get("static_handler_class") or application._static_handler_class
        if include_host is None:
            include_host = getattr(self, "include_host", False)
        base = f"{self.request.protocol}://{self.request.host}" if include_host else ""
        url: str = handler_class.make_static_url(self.settings, path, **kwargs)
        return base + url


_ON_CONNECTION_CLOSE = RequestHandler.on_connection_close
_CLEAR = RequestHandler.clear
_SET_DEFAULT_HEADERS = RequestHandler.set_default_headers
_INITIALIZE = RequestHandler.initialize

#: Initialize a new handler: its parameters are the handler, the application, the request, and the keyword
#: arguments of ``initialize`` or None.
set_up = RequestHandler._set_up


__all__ = ["RequestHandler"]
