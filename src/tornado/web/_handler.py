"""`RequestHandler`: the manual of what a request handler can do.

This file is longer than the house allows, on purpose: it is the reference of the class that programs are made
of. The methods are thin; the work is done by functions in the files beside it (`_execute`, `_response`,
`_arguments`, `_cookies`, `_signed_values`, `_xsrf`, `_rendering`).
"""

from __future__ import annotations

import asyncio
import datetime
import functools
import http.cookies
import re
import threading
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Unpack, overload

from tornado import escape, httputil
from tornado._tasks import keep_reference
from tornado.concurrent import (
    Future,
    chain_future,
    future_add_done_callback,
    future_set_result_unless_cancelled,
)
from tornado.iostream import IOStream
from tornado.locale import Locale
from tornado.log import app_log, escape_controls, gen_log
from tornado.template import BaseLoader
from tornado.web import (
    _arguments,
    _authentication,
    _body_errors,
    _client_disconnect,
    _cookies,
    _error_page,
    _execute,
    _late_response_changes,
    _rendering,
    _response,
    _security_headers,
    _signed_values,
    _xsrf,
)
from tornado.web._arguments import _ARG_DEFAULT, _ArgDefault
from tornado.web._errors import HTTPError
from tornado.web._uimodules import UI

if TYPE_CHECKING:
    from tornado.web._application import Application
    from tornado.web._argument_conversion import Converter, D, T
    from tornado.web._cancellation import Cancellation
    from tornado.web._cookie_attributes import CookieAttributes, CookieFlags
    from tornado.web._sessions.request_session import RequestSession
    from tornado.web._sessions.session import Session


HeaderValue = str | bytes | int | datetime.datetime
_Verb = Callable[..., Awaitable[None] | None]

# RFC 9112 section 4: a reason phrase is of tabs, spaces, visible characters and obs-text. Angle brackets are
# out because error pages show it, also those of a program's own write_error: it must not be taken for HTML.
_UNSAFE_REASON = re.compile(r"[^\t\x20-\x7e\x80-\xff]|[<>]")


class RequestHandler:
    """Base class of handlers: one object answers one request.

    Subclasses define the methods named after HTTP's (`get`, `post`, …), plain or ``async``. The life of a
    request: `initialize` (with the route's arguments), `prepare`, the method, `on_finish`. What a method has
    written when it returns is the response.

    Objects of this class are not thread-safe: call their methods on the event loop's thread only.

    Attributes that a class may set: `max_body_size`, `body_timeout`, `cancel_on_disconnect`,
    `handler_timeout`, `SUPPORTED_METHODS`; docs/reference/settings.md lists those of all classes.
    """

    #: Methods this class may define; a program that handles ``PROPFIND`` adds it here.
    SUPPORTED_METHODS: tuple[str, ...] = ("GET", "HEAD", "POST", "DELETE", "PATCH", "PUT", "OPTIONS")

    #: Most bytes that the body of a request may have; more are answered with 413, where the client asks first
    #: (``Expect: 100-continue``) before any are sent. None: what the server says (``max_body_size``, else 100
    #: MiB). Where `stream_request_body` is used, ``prepare`` may set it on ``self`` for its request.
    max_body_size: int | None = None
    #: Most bytes that a form may have whose arguments or files are asked for; a larger one is answered with
    #: 413. None: what the server says (``max_form_size``, else no limit). A body that is not a form, or that
    #: nothing asks for as a form, may have `max_body_size`.
    max_form_size: int | None = None
    #: Seconds that the body of a request may take to arrive before the connection is closed. None: what the
    #: server says (``body_timeout``, else no limit). ``prepare`` may set it likewise. What is no number is
    #: ignored, and logged once, here as in `max_body_size`: older programs may use the names.
    body_timeout: float | None = None

    #: Whether a handler that waits is cancelled when its client goes away: first `on_connection_close` is
    #: called, then `asyncio.CancelledError` is raised where the handler waits; ``finally`` blocks and
    #: `on_finish` run. A client that only closed its sending side counts as gone then. None: what the
    #: application's setting of this name says; by default nothing is cancelled. Looked at when a route first
    #: leads to the class.
    cancel_on_disconnect: bool | None = None
    #: Seconds after which a handler that waits (in ``prepare``, in its method, or for the body that it
    #: streams) is cancelled likewise, and 503 sent; the log says where it waited. It may be noticed a tenth
    #: later. 0: no limit. None: what the application's setting of this name says; by default there is no
    #: limit. The time begins with the head where the body is streamed, thus in an `UploadHandler` it is also
    #: that of the upload: give such classes more, or 0. An `EventSourceHandler` has no limit unless its class
    #: sets one. What waits without a coroutine (`asynchronous`) is not limited.
    handler_timeout: float | None = None

    #: Whether `get` also answers HEAD in a class that has no `head`: the response has the same status and
    #: headers, and no body. None: what the application's setting of this name says; by default HEAD is
    #: answered with 405 there.
    head_from_get: bool | None = None

    #: The authentication scheme of an API, such as ``"Bearer"``: with it `authenticated` answers with 401 and
    #: ``WWW-Authenticate`` instead of a redirect. With ``"Bearer"``, requests that have a bearer token need
    #: neither an XSRF token nor an own origin. None: the handler serves pages.
    authentication_scheme: str | None = None
    #: The name of the protected area in ``WWW-Authenticate``; None: none is sent.
    authentication_realm: str | None = None
    #: What the user of this request may do, compared with the ``scopes`` of `authenticated`. `prepare` or
    #: `get_current_user` sets it on ``self``.
    granted_scopes: Collection[str] = ()

    #: Whether the session is loaded before `prepare`, where the store is asynchronous and the request has a
    #: session cookie. False suits handlers that seldom use `session`; they ``await self.get_session()``.
    session_autoload: bool = True

    _template_loaders: ClassVar[dict[str, BaseLoader]] = {}
    _template_loader_lock = threading.Lock()
    _remove_control_chars_regex = re.compile(r"[\x00-\x08\x0e-\x1f]")
    _stream_request_body = False

    # What is not set yet in an object shows these.
    _headers_written = False
    _finished = False
    _auto_finish = True
    _has_ui = False
    _prepared_future: Future[None] | None = None
    _cancellation: Cancellation | None = None
    _session_exchange: RequestSession | None = None
    _status_code = 200
    _reason = "OK"
    _made_headers: httputil.HTTPHeaders | None = None
    _sent_fields: tuple[bytes, bytes] | None = None  # the two halves of the head that went the short way
    _json = False
    _etag: str | None = None
    _length: int | None = None
    _new_cookie: dict[str, _cookies.SetCookie] | None = None
    _transforms: list[Any] = []  # noqa: RUF012 - replaced for each request, never changed in place here
    _write_buffer: list[bytes]
    path_args: list[str] = []  # noqa: RUF012 - as above
    path_kwargs: dict[str, str] = {}  # noqa: RUF012 - as above
    _current_user: Any

    if TYPE_CHECKING:
        ui: dict[str, Any]  #: The application's UI methods and modules, as templates know them.
    else:
        ui = UI()

    def __init__(self, application: Application, request: httputil.HTTPServerRequest, **kwargs: Any) -> None:
        cls = type(self)
        if cls.__mro__[-2] is not RequestHandler:
            super().__init__()  # there are other classes behind this one
        self.application = application
        self.request = request
        # Class attributes too, for objects made otherwise; CPython 3.11 reads them ten times faster here.
        self._headers_written = self._finished = self._has_ui = False
        self._auto_finish = True
        self._transforms = []
        self._new_cookie = None
        self.clear()
        if cls.on_connection_close is not _ON_CONNECTION_CLOSE:
            # A mock without a connection is welcome.
            connection: Any = request.connection
            if connection is not None:
                connection.set_close_callback(self.on_connection_close)
        if kwargs:
            self.initialize(**kwargs)
        else:
            self.initialize()

    def _initialize(self) -> None:
        pass

    initialize: Callable[..., None] = _initialize
    """Called before anything else, with the third element of the route as keyword arguments.

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
        if self.request.method == "HEAD" and self._serves_head_by_get():
            return self.get(*args, **kwargs)
        raise HTTPError(405)

    def _serves_head_by_get(self) -> bool:
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

    # -- moments in a request's life, to be overridden --

    def prepare(self) -> Awaitable[None] | None:
        """Called before the method, whichever it is; may be ``async``.

        If it finishes the response (or raises), the method is not called.
        """

    def on_finish(self) -> None:
        """Called after the response has been finished, for logging and cleaning up; nothing can be sent any
        more.
        """

    def on_connection_close(self) -> None:
        """Called once if the client goes away while an asynchronous handler runs.

        It means that the client closed its sending side. A client that did just that still gets its answer,
        unless `cancel_on_disconnect` is set.
        """

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """Called with each part of the body as it arrives, in handlers decorated with `stream_request_body`.

        :param chunk: the bytes; while a returned awaitable is not done, no more are read.
        """
        raise NotImplementedError(
            f"{type(self).__name__} streams its request body but has no data_received()"
        )

    def _body_begins(self) -> None:
        """``prepare`` of a handler that streams its body is over, and the body will be read."""
        _body_errors.limit_own(self)

    def _body_is_collected(self) -> bool:
        """Whether ``request.body`` is what the client has sent."""
        return not self._stream_request_body

    def _body_ends(self) -> Awaitable[None] | None:
        """The whole body has gone through `data_received`; the method is next."""

    def set_default_headers(self) -> None:
        """Override to set headers on every response, error pages included (see `clear`)."""

    # -- status and headers --

    def clear(self) -> None:
        """Reset status, headers and body. After `flush`, only the part of the body that was not sent."""
        self._write_buffer = []
        if self._headers_written:
            return
        self._status_code = 200
        self._reason = "OK"
        self._made_headers = None
        self._json = False
        self._etag = None
        self._length = None
        self.set_default_headers()

    @property
    def _headers(self) -> httputil.HTTPHeaders:
        headers = self._made_headers
        if headers is None:
            headers = self._made_headers = _response.make_headers(self)
        return headers

    @_headers.setter
    def _headers(self, headers: httputil.HTTPHeaders) -> None:
        self._made_headers = headers

    def set_status(self, status_code: int, reason: str | None = None) -> None:
        """Set the response's status.

        :param status_code: the number.
        :param reason: the phrase beside it; by default the usual one, or "Unknown". "Unknown" also stands in
            for one that holds a control character, a character outside Latin-1 or an angle bracket.
        :raises TypeError: if the number is no integer.

        After `flush` it has no effect, like the methods for headers and cookies; a warning is logged.
        """
        if not isinstance(status_code, int):
            raise TypeError(f"a status code is an int, not {status_code!r}")
        if self._headers_written:
            _late_response_changes.set_status(self, status_code)
            return
        self._status_code = status_code
        if reason is None:
            self._reason = httputil.responses.get(status_code, "Unknown")
        else:
            reason = escape.native_str(reason)
            # It may hold what the client sent, and most often an error is being answered: that must not
            # become a second error.
            self._reason = "Unknown" if _UNSAFE_REASON.search(reason) else reason

    def get_status(self) -> int:
        """Return the status that was sent; before that, the status set so far."""
        return self._status_code

    def set_header(self, name: str, value: HeaderValue) -> None:
        """Set a response header, in place of all earlier values.

        :param value: text, bytes (UTF-8), a number, or a `datetime.datetime`, which is written as an HTTP
            date (a naive one is taken for UTC).
        :raises ValueError: if name or value holds a control character.
        """
        if self._headers_written:
            _late_response_changes.ignore(self, f"set_header({name!r})")
        self._headers[name] = self._convert_header_value(value)

    _original_set_header: ClassVar[Callable[..., None]] = set_header

    def add_header(self, name: str, value: HeaderValue) -> None:
        """Add a value to a response header that may have several; see `set_header`."""
        if self._headers_written:
            _late_response_changes.ignore(self, f"add_header({name!r})")
        self._headers.add(name, self._convert_header_value(value))

    def clear_header(self, name: str) -> None:
        """Take off a header, if it is set."""
        headers = self._headers
        if name in headers:
            if self._headers_written:
                _late_response_changes.ignore(self, f"clear_header({name!r})")
            del headers[name]

    def _convert_header_value(self, value: HeaderValue) -> str:
        if type(value) is str and value.isascii() and value.isprintable():
            return value
        return _response.header_text(value)

    def _clear_representation_headers(self) -> None:
        _response.clear_representation_headers(self)

    # -- arguments --

    @overload
    def get_argument(self, name: str, default: _ArgDefault = ..., strip: bool = ...) -> str: ...
    @overload
    def get_argument(self, name: str, default: D, strip: bool = ...) -> str | D: ...
    @overload
    def get_argument(
        self, name: str, default: _ArgDefault = ..., strip: bool = ..., *, type: Converter[T]
    ) -> T: ...
    @overload
    def get_argument(self, name: str, default: D, strip: bool = ..., *, type: Converter[T]) -> T | D: ...
    def get_argument(
        self, name: str, default: Any = _ARG_DEFAULT, strip: bool = True, *, type: Any = None
    ) -> Any:
        """The value of an argument of the query string or of a form in the body; the last of several.

        ::

            page = self.get_argument("page", 1, type=int)

        :param default: returned if the argument is absent.
        :param strip: take off white space at both ends.
        :param type: what makes a value of the text: int, float, bool, `decimal.Decimal`, `datetime.date`,
            `datetime.time`, `datetime.datetime`, an enumeration (by its values), or a function that raises a
            `ValueError` where the text makes no sense. Numbers are plain ASCII without underscores, and
            finite. An empty text is none; the default, where there is one, is returned for it, as forms send
            fields that were left empty.
        :raises MissingArgumentError: (400) if the argument is absent and there is no default.
        :raises InvalidArgumentError: (400) if the text does not go with `type`.
        :raises HTTPError: (400) if the value is not UTF-8.
        """
        source = self.request.arguments
        if type is not None:
            return _arguments.last_as(self, name, default, source, strip, type)
        return _arguments.last(self, name, default, source, strip)

    @overload
    def get_arguments(self, name: str, strip: bool = ...) -> list[str]: ...
    @overload
    def get_arguments(self, name: str, strip: bool = ..., *, type: Converter[T]) -> list[T]: ...
    def get_arguments(self, name: str, strip: bool = True, *, type: Any = None) -> Any:
        """All values of an argument of query string and body; empty if there is none.

        :param type: as in `get_argument`.
        """
        if not isinstance(strip, bool):
            raise TypeError(f"get_arguments(name, strip=True): strip is a bool, not {strip!r}")
        source = self.request.arguments
        if type is not None:
            return _arguments.all_as(self, name, source, strip, type)
        return _arguments.all_values(self, name, source, strip)

    @overload
    def get_body_argument(self, name: str, default: _ArgDefault = ..., strip: bool = ...) -> str: ...
    @overload
    def get_body_argument(self, name: str, default: D, strip: bool = ...) -> str | D: ...
    @overload
    def get_body_argument(
        self, name: str, default: _ArgDefault = ..., strip: bool = ..., *, type: Converter[T]
    ) -> T: ...
    @overload
    def get_body_argument(self, name: str, default: D, strip: bool = ..., *, type: Converter[T]) -> T | D: ...
    def get_body_argument(
        self, name: str, default: Any = _ARG_DEFAULT, strip: bool = True, *, type: Any = None
    ) -> Any:
        """As `get_argument`, from the body only."""
        source = self.request.body_arguments
        if type is not None:
            return _arguments.last_as(self, name, default, source, strip, type)
        return _arguments.last(self, name, default, source, strip)

    @overload
    def get_body_arguments(self, name: str, strip: bool = ...) -> list[str]: ...
    @overload
    def get_body_arguments(self, name: str, strip: bool = ..., *, type: Converter[T]) -> list[T]: ...
    def get_body_arguments(self, name: str, strip: bool = True, *, type: Any = None) -> Any:
        """As `get_arguments`, from the body only."""
        source = self.request.body_arguments
        if type is not None:
            return _arguments.all_as(self, name, source, strip, type)
        return _arguments.all_values(self, name, source, strip)

    @overload
    def get_query_argument(self, name: str, default: _ArgDefault = ..., strip: bool = ...) -> str: ...
    @overload
    def get_query_argument(self, name: str, default: D, strip: bool = ...) -> str | D: ...
    @overload
    def get_query_argument(
        self, name: str, default: _ArgDefault = ..., strip: bool = ..., *, type: Converter[T]
    ) -> T: ...
    @overload
    def get_query_argument(
        self, name: str, default: D, strip: bool = ..., *, type: Converter[T]
    ) -> T | D: ...
    def get_query_argument(
        self, name: str, default: Any = _ARG_DEFAULT, strip: bool = True, *, type: Any = None
    ) -> Any:
        """As `get_argument`, from the query string only."""
        source = self.request.query_arguments
        if type is not None:
            return _arguments.last_as(self, name, default, source, strip, type)
        return _arguments.last(self, name, default, source, strip)

    @overload
    def get_query_arguments(self, name: str, strip: bool = ...) -> list[str]: ...
    @overload
    def get_query_arguments(self, name: str, strip: bool = ..., *, type: Converter[T]) -> list[T]: ...
    def get_query_arguments(self, name: str, strip: bool = True, *, type: Any = None) -> Any:
        """As `get_arguments`, from the query string only."""
        source = self.request.query_arguments
        if type is not None:
            return _arguments.all_as(self, name, source, strip, type)
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
        """The value in a body of JSON, read strictly (RFC 7493): ``application/json`` or ``…+json``, UTF-8,
        no name twice in an object, no NaN. It is made once; further calls return the same object.

        :param default: returned if the body is empty.
        :param max_depth: how many arrays and objects may stand in each other.
        :param max_size: the most bytes that the body may have. None: what the server says
            (``max_json_size``, else no limit).
        :raises InvalidBodyError: (400) if the body is malformed, or empty without a default; (413) if it is
            too large; (415) if it is not said to be JSON. The log tells what is wrong where.
        :raises RuntimeError: in a handler that streams its body.
        """
        from tornado.web import _json_body  # late: most programs read none

        return _json_body.read(self, default, max_depth, max_size)

    def decode_argument(self, value: bytes, name: str | None = None) -> str:
        """Turn the bytes of an argument, or of a group of the path, into text; override for another encoding.

        :param name: which argument, where it has a name.
        :raises HTTPError: (400) if `value` is not UTF-8.
        """
        try:
            return value.decode() if type(value) is bytes else escape._unicode(value)
        except UnicodeDecodeError as error:
            raise HTTPError(400, "Invalid unicode in %s: %r", name or "url", value[:40]) from error

    # -- output --

    def write(self, chunk: str | bytes | dict[str, Any]) -> None:
        """Append to the response's body.

        :param chunk: text is sent as UTF-8, a dict as JSON (and the content type is set to match).
        :raises TypeError: for anything else.
        :raises RuntimeError: after `finish`.
        """
        if self._finished:
            raise RuntimeError("Cannot write() after finish(): the response has been sent")
        if type(chunk) is str:
            self._write_buffer.append(chunk.encode())
        elif type(chunk) is bytes:
            self._write_buffer.append(chunk)
        else:
            _response.write(self, chunk)

    def flush(self, include_footers: bool = False, callback: Callable[[], Any] | None = None) -> Future[None]:
        """Send at once what has been written so far.

        :param include_footers: that the response ends here; for `finish`.
        :param callback: (deprecated, the style of Tornado 4) called when the Future is done, unless the
            client is gone.
        :returns: a Future that is done when the operating system has taken the bytes: awaiting it keeps a
            long response from piling up in memory. It holds an `.iostream.StreamClosedError` if the client is
            gone.
        """
        if callback is not None:
            return _response.flush_for_callback(self, include_footers, callback)
        return _response.flush(self, include_footers)

    def finish(self, chunk: str | bytes | dict[str, Any] | None = None) -> Future[None]:
        """Complete the response; `chunk` is written first.

        :returns: the Future of the last `flush`.
        :raises RuntimeError: if the response was finished before.
        """
        if self._finished:
            raise RuntimeError("finish() called twice")
        if chunk is not None:
            self.write(chunk)
        return _response.finish(self)

    def detach(self) -> IOStream:
        """Take over the connection's stream, for another protocol; no response is sent by this handler.

        :returns: the stream, with everything unread in its buffer.
        """
        self._finished = True
        connection: Any = self.request.connection
        return connection.detach()  # type: ignore[no-any-return]

    def _break_cycles(self) -> None:
        # A render keeps template functions and modules bound to this object.
        if self._has_ui:
            self.__dict__.pop("ui", None)
            self.__dict__.pop("_active_modules", None)

    def redirect(self, url: str, permanent: bool = False, status: int | None = None) -> None:
        """Send the client to `url`, which may be relative, and finish.

        :param permanent: 301 instead of 302.
        :param status: any other 3xx status.
        :raises RuntimeError: if the response has begun.
        """
        if self._headers_written:
            raise RuntimeError("Cannot redirect after headers have been written")
        if status is None:
            status = 301 if permanent else 302
        elif not isinstance(status, int) or not 300 <= status <= 399:
            raise ValueError(f"redirect status must be from 300 to 399, not {status!r}")
        self.set_status(status)
        self.set_header("Location", escape.utf8(url))
        _ = self.finish()

    # -- entity tags --

    def compute_etag(self) -> str | None:
        """The response's entity tag: by default a hash of the body. Override to return another, or None for
        none.
        """
        return _response.compute_etag(self)

    def set_etag_header(self) -> None:
        """Set the Etag header to what `compute_etag` returns; called by `finish` if there is none yet."""
        _response.set_etag_header(self)

    def _entity_tag(self) -> str | None:
        """The tag that the response has so far."""
        return self._etag if self._made_headers is None else self._made_headers.get("Etag")

    def check_etag_header(self) -> bool:
        """Whether the client has this representation already, by If-None-Match; called by `finish`, for a
        304.
        """
        return _response.check_etag_header(self)

    # -- errors --

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        """Answer with an error page, unless the response has begun.

        :param kwargs: given on to `write_error`; ``exc_info`` and ``reason`` among them.
        """
        exc_info = kwargs.get("exc_info")
        if self._headers_written:
            if exc_info is None or not _client_disconnect.has_left(self, exc_info[1]):
                gen_log.error("Cannot send error response after headers written")
            if not self._finished:
                try:
                    _response.break_off(self)
                except Exception:
                    gen_log.error("Failed to flush partial response", exc_info=True)
            return
        if isinstance(self.request, httputil.HTTPServerRequest):  # tests of programs use stand-ins
            self.request.tolerate_bad_form()
        self.clear()
        reason = kwargs.get("reason")
        if exc_info is not None and isinstance(exc_info[1], HTTPError) and exc_info[1].reason:
            reason = exc_info[1].reason
        self.set_status(status_code, reason=reason)
        if status_code == 405:
            self.set_header("Allow", ", ".join(self._allowed_methods()))
        if exc_info is not None and isinstance(exc_info[1], HTTPError):
            for challenge in exc_info[1].www_authenticate:
                self.add_header("WWW-Authenticate", challenge)
        try:
            if status_code == 204 or status_code == 304 or 100 <= status_code < 200:
                pass  # no body, whatever the page would say
            else:
                self.write_error(status_code, **kwargs)
        except Exception:
            app_log.error("Uncaught exception in write_error", exc_info=True)
        if not self._finished:
            _ = self.finish()

    def _allowed_methods(self) -> list[str]:
        unimplemented = RequestHandler._unimplemented_method
        methods = []
        for method in self.SUPPORTED_METHODS:
            function = getattr(type(self), method.lower(), unimplemented)
            if function is not unimplemented or (method == "HEAD" and self._serves_head_by_get()):
                methods.append(method)
        return methods

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Write the body of an error page; override for pages of your own.

        :param kwargs: ``exc_info``, the exception as a triple, where one is the cause. With the setting
            ``serve_traceback`` (part of ``debug=True``) the default page shows it to a browser, with the
            request and the variables on its way. A client that prefers JSON gets the traceback in the JSON
            error, others as text. Secrets are masked by their names. Only requests for localhost, an IP
            address or one of ``allowed_hosts`` get it, others the plain page.

        The default page is HTML, or JSON where the client's ``Accept`` prefers that. An exception's
        ``public_message`` (see `HTTPError`) is shown in it.
        """
        if self.settings.get("serve_traceback") and "exc_info" in kwargs:
            from tornado.web import _debug  # only where somebody develops

            if _debug.write_error(self, status_code, kwargs["exc_info"]):
                return
        _error_page.write(self, status_code, self._reason, kwargs.get("exc_info"))

    def log_exception(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """Log an uncaught exception; override to report it elsewhere.

        An `HTTPError` is a warning, without a traceback, if it has a log message. A `.StreamClosedError` on a
        connection that is closed says that the client has gone: that is a line of the level INFO, at most one
        a second. Anything else is an error.
        """
        if isinstance(value, HTTPError):
            if value.log_message:
                shown = [escape_controls(each) if isinstance(each, str) else each for each in value.args]
                arguments = [value.status_code, self._request_summary(), *shown]
                gen_log.warning("%d %s: " + value.log_message, *arguments)
            return
        if _client_disconnect.has_left(self, value):
            _client_disconnect.report(self)
            return
        exc_info: Any = (typ, value, tb)
        app_log.error("Uncaught exception %s\n%r", self._request_summary(), self.request, exc_info=exc_info)

    def _request_summary(self) -> str:
        request = self.request
        uri = request.uri
        if uri and not uri.isascii():
            uri = escape_controls(uri)
        return f"{request.method} {uri} ({request.remote_ip})"

    def _log(self) -> None:
        self.application.log_request(self)

    # -- running --

    async def _execute(self, transforms: list[Any], *args: bytes, **kwargs: bytes) -> None:
        """Answer the request; programs that trace requests wrap this on the class."""
        rest = _execute.start(self, transforms, args, kwargs, self._stream_request_body)
        if rest is not None:
            await rest

    def _head_failed(self, begun: bool) -> None:
        """The head could not be sent; unless a part of it was, an error page can be, without transforms."""
        self._headers_written = begun
        self._sent_fields = None
        self._transforms = []

    def _answer_plainly(self) -> bool:
        """Answer with a bare 500 where `send_error` has raised; False if the head has been sent."""
        if self._headers_written:
            return False
        app_log.error("Failed to send the error page for %s", self._request_summary(), exc_info=True)
        self._status_code, self._reason = 500, "Internal Server Error"
        self._headers_written = self._finished = True
        self._made_headers = _error_page.send_bare(self.request)
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
        """The value of a request cookie, unquoted; `default` if it was not sent. Of a repeated name the last
        one counts.

        It does not see what `set_cookie` has set in this response.
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

        :param expires: when the browser forgets it: a timestamp, a time tuple or a datetime, in UTC.
        :param expires_days: the same, in days from now; not with `expires`.
        :param max_age: seconds after which the browser forgets it.
        :param httponly: scripts of the page do not see it.
        :param secure: sent by HTTPS only.
        :param samesite: ``"Strict"``, ``"Lax"``, or ``"None"``, which browsers take with `secure` only.
        :param partitioned: where the page is embedded in another site's, a cookie for that site alone
            ("CHIPS"); goes with `secure` only.
        :param kwargs: further attributes as `http.cookies.Morsel` knows them (an old spelling, deprecated for
            the ones above).
        :raises ValueError: if a value or attribute holds a control character, a value a space, or an
            attribute a semicolon; if `partitioned` goes without `secure`.
        :raises http.cookies.CookieError: if the name is none. It is a `ValueError` too.

        What browsers would drop silently is logged, once for each name: a name that begins with ``__Secure-``
        or ``__Host-`` (in any case) without `secure` or, for the latter, with a `domain` or another `path`
        than ``/``, and a `samesite` that is none of the three, or ``"None"`` without `secure`.
        """
        if self._headers_written:
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
        self, name: str, path: str = "/", domain: str | None = None, **kwargs: Unpack[CookieFlags]
    ) -> None:
        """Have the browser forget a cookie.

        :param path: and `domain`, and the like among `kwargs`, as they were set; without them it stays.
            ``secure`` is understood where the name begins with ``__Secure-`` or ``__Host-``.
        """
        _cookies.clear_cookie(self, name, {"path": path, "domain": domain, **kwargs})

    def clear_all_cookies(
        self, path: str = "/", domain: str | None = None, **kwargs: Unpack[CookieFlags]
    ) -> None:
        """`clear_cookie` for every cookie that the request brought."""
        _cookies.clear_all_cookies(self, {"path": path, "domain": domain, **kwargs})

    def set_signed_cookie(
        self,
        name: str,
        value: str | bytes,
        expires_days: float | None = 30,
        version: int | None = None,
        **kwargs: Unpack[CookieAttributes],
    ) -> None:
        """Set a cookie that cannot be forged, though it can be read; needs the setting ``cookie_secret``.

        :param expires_days: how long the browser keeps it (None: until it is closed).
        :param version: of the signature's format; the newest by default.
        :param kwargs: given on to `set_cookie`.
        """
        self.set_cookie(
            name, self.create_signed_value(name, value, version=version), expires_days=expires_days, **kwargs
        )

    set_secure_cookie = set_signed_cookie

    def create_signed_value(self, name: str, value: str | bytes, version: int | None = None) -> bytes:
        """Sign and timestamp `value` for use under `name` only; what `set_signed_cookie` stores."""
        return _signed_values.create_for(self, name, value, version)

    def get_signed_cookie(
        self,
        name: str,
        value: str | None = None,
        max_age_days: float = 31,
        min_version: int | None = None,
    ) -> bytes | None:
        """The value of a signed cookie, or None if it is absent, forged or too old.

        :param value: the signed text, if it did not come as a cookie.
        :param max_age_days: how old the signature may be.
        :param min_version: the oldest format of signature to accept.
        """
        return _signed_values.read_for(self, name, value, max_age_days, min_version)

    get_secure_cookie = get_signed_cookie

    def get_signed_cookie_key_version(self, name: str, value: str | None = None) -> int | None:
        """Which key of a ``cookie_secret`` with several has signed a cookie."""
        return _signed_values.key_version_for(self, name, value)

    get_secure_cookie_key_version = get_signed_cookie_key_version

    # -- the session --

    @functools.cached_property
    def session(self) -> Session:
        """The values kept for this browser between requests, as a mapping (`Session`).

        They are kept in a signed cookie, or where the setting ``session_store`` says, and saved with the
        response. A program may assign another object. ::

            self.session["cart"] = [*self.session.get("cart", ()), item]

        :raises SessionStoreError: (503) if the store cannot be used.
        :raises RuntimeError: if it is not loaded, see `session_autoload`.
        """
        return self._session_part().open(self._headers_written)

    async def get_session(self) -> Session:
        """Return `session`, after loading it if it is not loaded yet."""
        if "session" not in self.__dict__:
            self.session = await self._session_part().load(self._headers_written)
        return self.session

    def _session_part(self) -> RequestSession:
        """The object that loads and saves the session of this request."""
        exchange = self._session_exchange
        if exchange is None:
            from tornado.web._sessions.request_session import (
                RequestSession,  # late: many programs have no sessions
            )

            exchange = self._session_exchange = RequestSession(self)
            if self._new_cookie is None:
                self._new_cookie = {}  # the short way of sending a response has no place for cookies
        return exchange

    def _loading_session(self) -> Coroutine[Any, Any, None] | None:
        """What loads the session before `prepare`, or None if there is nothing to load."""
        return self._session_part().loading() if self.session_autoload else None

    def _finish_after(self, saving: Coroutine[Any, Any, None]) -> Future[None]:
        """Send the response, complete but for its session, when the session is saved.

        Meanwhile the handler is as after the response: late changes do not reach what will be sent.
        """
        complete = self._headers, self._write_buffer
        self._headers, self._write_buffer = self._headers.copy(), []
        self._headers_written = self._finished = True
        done: Future[None] = Future()
        future_add_done_callback(done, _note_outcome)
        _ = keep_reference(asyncio.ensure_future(self._finish_saved(saving, complete, done)))
        return done

    async def _finish_saved(
        self,
        saving: Coroutine[Any, Any, None],
        complete: tuple[httputil.HTTPHeaders, list[bytes]],
        done: Future[None],
    ) -> None:
        try:
            try:
                await saving
            finally:
                self._headers_written = self._finished = False
                self._headers, self._write_buffer = complete
            chain_future(_response.finish_saved(self), done)
        except BaseException as error:  # a store may also raise CancelledError, and the client is waiting
            try:
                _execute.handle_in_task(self, error)
            finally:
                future_set_result_unless_cancelled(done, None)
            if isinstance(error, (KeyboardInterrupt, SystemExit)):
                raise

    # -- protection against forged cross-site requests --

    @property
    def xsrf_token(self) -> bytes:
        """The token that forms and scripts send back with requests that change something (see
        ``xsrf_cookies``).
        """
        return _xsrf.token(self)

    def _get_raw_xsrf_token(self) -> tuple[int | None, bytes, float]:
        return _xsrf.raw_token(self)

    def _decode_xsrf_token(self, cookie: str) -> tuple[int | None, bytes | None, float | None]:
        return _xsrf.decode_token(cookie)

    def check_xsrf_cookie(self) -> None:
        """See that a request carries the token of its ``_xsrf`` cookie.

        It may come as the argument ``_xsrf`` or in a header ``X-Xsrftoken`` or ``X-Csrftoken``.

        :raises HTTPError: (403) if it is missing or another one.
        """
        _xsrf.check_cookie(self)

    def check_trusted_origin(self, origin: str) -> bool:
        """Whether pages of another `origin` may send requests that change something
        (``cross_origin_protection``).

        By default those of the setting ``trusted_origins``.
        """
        return _xsrf.is_trusted_origin(self, origin)

    def xsrf_form_html(self) -> str:
        """A hidden form field with the token: ``{% module xsrf_form_html() %}`` in every form that posts."""
        return f'<input type="hidden" name="_xsrf" value="{escape.xhtml_escape(self.xsrf_token)}"/>'

    @property
    def csp_nonce(self) -> str:
        """A random word for this response, by which a Content-Security-Policy knows its own scripts; in
        templates ``{{ csp_nonce }}``. The setting ``security_headers`` puts it into the policy (see
        `SecurityHeaders`).

        :raises RuntimeError: if the policy was sent before anybody asked.
        """
        return _security_headers.nonce(self)

    # -- the user --

    @property
    def current_user(self) -> Any:
        """Who is logged in: what `get_current_user` returned, asked once a request, or what was assigned.

        Where finding out is asynchronous, `prepare` assigns it.
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
        """Override to return the user that is logged in, from `session` for example; None without one.

        It may be a coroutine function for methods that are `authenticated`. Elsewhere `current_user` would be
        the coroutine, so `prepare` assigns it there.
        """
        return None

    def get_bearer_token(self) -> str | None:
        """Return the bearer token of the Authorization field (RFC 6750 section 2.1), or None without one.

        A token in the query or in a form is not read, as it would be logged. ::

            def get_current_user(self):
                token = self.get_bearer_token()
                return None if token is None else self.users.by_token(token)

        :raises AuthenticationError: (400, ``invalid_request``) if no token or more than one follows the
            scheme; (401, ``invalid_token``) if the token has characters that RFC 6750 does not allow.
        """
        return _authentication.token_of(self)

    def get_login_url(self) -> str:
        """Where `authenticated` sends those who are not logged in: the setting ``login_url``."""
        self.require_setting("login_url", "@tornado.web.authenticated")
        return self.application.settings["login_url"]  # type: ignore[no-any-return]

    # -- language --

    @property
    def locale(self) -> Locale:
        """The language to answer in: `get_user_locale`, else `get_browser_locale`; asked once, or set."""
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
        """Override to return the language that the user has chosen; None leaves it to the browser."""
        return None

    def get_browser_locale(self, default: str = "en_US") -> Locale:
        """The best supported language of the Accept-Language header.

        :param default: the code of the one to use if the browser names none.
        """
        return _arguments.browser_locale(self, default)

    # -- templates and addresses --

    def render(self, template_name: str, **kwargs: Any) -> Future[None]:
        """Render a template as the response, and finish.

        CSS and JavaScript that UI modules asked for is put before ``</head>`` and ``</body>``.

        :param kwargs: names for the template.
        :raises RuntimeError: after `finish`.
        """
        if self._finished:
            raise RuntimeError("Cannot render() after finish()")
        return self.finish(_rendering.render_page(self, template_name, kwargs))

    def render_string(self, template_name: str, **kwargs: Any) -> bytes:
        """Render a template and return it, UTF-8 encoded."""
        return _rendering.render_string(self, template_name, kwargs)

    def get_template_namespace(self) -> dict[str, Any]:
        """The names that every template knows; override to add to them."""
        return _rendering.namespace(self)

    def create_template_loader(self, template_path: str) -> BaseLoader:
        """The loader for templates under `template_path`; made once for each path (see the ``template_…``
        settings).
        """
        return _rendering.make_loader(self.application.settings, template_path)

    def get_template_path(self) -> str | None:
        """The directory of templates: the setting ``template_path``; None: beside the file that renders."""
        return self.application.settings.get("template_path")

    def render_linked_js(self, js_files: Iterable[str]) -> str:
        """The ``<script src>`` elements of UI modules; override to pack them."""
        return _rendering.linked_js(self, js_files)

    def render_embed_js(self, js_embed: Iterable[bytes]) -> bytes:
        """The ``<script>`` element of UI modules' embedded JavaScript."""
        return _rendering.embedded_js(self, js_embed)

    def render_linked_css(self, css_files: Iterable[str]) -> str:
        """The ``<link>`` elements of UI modules' style sheets."""
        return _rendering.linked_css(self, css_files)

    def render_embed_css(self, css_embed: Iterable[bytes]) -> bytes:
        """The ``<style>`` element of UI modules' embedded style."""
        return _rendering.embedded_css(self, css_embed)

    def require_setting(self, name: str, feature: str = "this feature") -> None:
        """See that the application has a setting.

        :raises Exception: that says which setting `feature` needs.
        """
        if not self.application.settings.get(name):
            raise Exception(f"You must define the {name!r} setting in your application to use {feature}")

    def reverse_url(self, name: str, *args: Any) -> str:
        """The address of the route called `name`, its groups filled with `args`."""
        return self.application.reverse_url(name, *args)

    def static_url(self, path: str, include_host: bool | None = None, **kwargs: Any) -> str:
        """The address of a static file, with a version that changes with its content, so that it may be
        cached for long.

        :param path: below the setting ``static_path``.
        :param include_host: an absolute address; by default as the attribute ``include_host`` of the handler
            says.
        :param kwargs: given on to `StaticFileHandler.make_static_url`.
        """
        self.require_setting("static_path", "static_url")
        handler_class = self.settings.get("static_handler_class") or self.application._static_handler_class
        if include_host is None:
            include_host = getattr(self, "include_host", False)
        base = f"{self.request.protocol}://{self.request.host}" if include_host else ""
        url: str = handler_class.make_static_url(self.settings, path, **kwargs)
        return base + url


def _note_outcome(future: Future[None]) -> None:
    """Mark the error of a response as seen: a client that has disconnected is not the handler's concern."""
    if not future.cancelled():
        future.exception()


_ON_CONNECTION_CLOSE = RequestHandler.on_connection_close
_EXECUTE = RequestHandler._execute
_execute.FINISH = RequestHandler.finish
_response.OWN = _response.own_steps(RequestHandler)
_cookies.OWN_METHODS = RequestHandler.clear_cookie, RequestHandler.set_cookie

__all__ = ["RequestHandler"]
