"""The interfaces between a connection, its exchanges, and the parts of both.

The parts depend only on these interfaces, so that no part imports the module of its owner.
"""

from __future__ import annotations

import contextvars
import types
from collections.abc import Callable
from typing import Any, Protocol

from tornado._wire import h1
from tornado.http1connection._parameters import HTTP1ConnectionParameters
from tornado.http1connection._states import ConnectionState, ExchangeState
from tornado.httputil import HTTPMessageDelegate, HTTPServerConnectionDelegate
from tornado.iostream import IOStream


class ExchangeDriver(Protocol):
    """The interface through which an exchange calls its driver.

    The driver feeds the reader, and handles errors and the end of the exchange. On the server side it is the
    `HTTP1ServerConnection`, on the client side a `ResponseReader`.
    """

    params: HTTP1ConnectionParameters

    @property
    def context(self) -> Any: ...
    def head_received(self, exchange: Any, head: Any) -> None: ...
    def resumed(self, exchange: Any) -> None: ...
    def exchange_finished(self, exchange: Any) -> None: ...
    def body_read(self, exchange: Any) -> None: ...
    def failed(self, exchange: Any, error: BaseException) -> None: ...
    def detached(self, exchange: Any) -> None: ...
    def await_output(self) -> None: ...


class Exchange(Protocol):
    """An exchange, as its parts and its driver use it; see `HTTP1Connection`."""

    stream: IOStream
    state: ExchangeState
    driver: Any
    input: Any
    output: Any
    message_delegate: Any
    run_context: contextvars.Context | None
    request_task: Any
    request_method: str
    fault: Any
    max_body_size: int | None
    body_timeout: float | None
    on_body_too_large: Any
    no_keep_alive: bool

    @property
    def context(self) -> Any: ...
    @property
    def params(self) -> Any: ...
    @property
    def head(self) -> h1.RequestHead | None: ...
    @property
    def is_client(self) -> bool: ...
    @property
    def head_sent(self) -> bool: ...
    @property
    def is_detached(self) -> bool: ...
    @property
    def read_done(self) -> bool: ...
    def body_limit(self) -> int: ...
    def begin_input(self, driver: Any, reader: h1.Reader, message: HTTPMessageDelegate | None) -> Any: ...
    def end(self, state: ExchangeState) -> None: ...


class Dispatcher(Protocol):
    """The interface through which a server's connections call its application."""

    #: The class of the server, and the original ``start_request`` of `.HTTPServer`. The class has another one
    #: if the method is overridden or patched.
    server_class: Any
    start_request: Any
    #: The function that starts an exchange without message delegates, or None. It may be called only if
    #: `start_request` is the method of `server_class`. It returns NotImplemented, or None or an awaitable.
    opener: Any

    def serves(self, delegate: object) -> bool:
        """Whether `delegate` is the server."""

    def calls_start_request(self) -> bool:
        """Whether ``start_request`` of the server is overridden or patched, and must be called."""

    def make_context(self, stream: IOStream, address: Any) -> Any:
        """Return the context of a connection, which describes its peer."""


#: The functions that start an exchange without message delegates, by the class of the application. They have
#: the arguments and the result of `Dispatcher.opener`, preceded by the application.
_OPENERS: dict[type, Callable[[Any, Any, Any], Any]] = {}


def register_opener(kind: type, opener: Callable[[Any, Any, Any], Any]) -> None:
    """Let servers start the exchanges of applications of a class with `opener`."""
    _OPENERS[kind] = opener


def opener_of(application: object) -> Any:
    """Return the function that was registered for the class of `application`, bound to it, or None.

    The type of the object determines the result, not its ``__class__``, because a proxy object that passes
    attribute access on to an application may wrap ``start_request``.
    """
    for kind in type(application).__mro__:
        if kind in _OPENERS:
            return types.MethodType(_OPENERS[kind], application)
    return None


class ServerConnection(Protocol):
    """A server's connection, as its parts use it; see `HTTP1ServerConnection`."""

    stream: IOStream
    params: HTTP1ConnectionParameters
    deadline: float
    state: ConnectionState
    exchange: Any
    delegate: HTTPServerConnectionDelegate | None
    has_eof: bool

    @property
    def context(self) -> Any: ...
    def deadline_passed(self) -> None: ...
    def peek(self, size: int) -> bytes: ...
    def body_remaining(self) -> int: ...
    def end_exchange(self, state: ConnectionState) -> None: ...
    def close_after_output(self, linger: bool, body_remaining: int = 0) -> None: ...
    def begin_lingering(self, pause: float) -> None: ...
    def failed(self, exchange: Any, error: BaseException) -> None: ...
