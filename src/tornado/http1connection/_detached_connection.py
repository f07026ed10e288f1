"""A small replacement for a server's exchange whose stream was detached for another protocol."""

from __future__ import annotations

from typing import Any

from tornado.concurrent import Future
from tornado.http1connection._interfaces import Dispatcher
from tornado.http1connection._parameters import HTTP1ConnectionParameters
from tornado.http1connection._states import ExchangeState
from tornado.iostream import IOStream, StreamClosedError


class DetachedConnection:
    """The ``request.connection`` of a request whose exchange was detached.

    It still has the `context` of the exchange, but its methods do nothing or fail. A WebSocket connection
    keeps its request for a long time, and this object needs a quarter of the memory of an exchange.

    :param params: the settings of the connection.
    :param stream: the stream that was detached.
    :param dispatcher: creates the context; None if `context` is not an address.
    :param context: the context of the exchange, or the address of the peer, from which a context is created.
    """

    __slots__ = ("_address", "_dispatcher", "_stream", "params")

    #: None, as in a detached exchange.
    stream = None
    state = ExchangeState.DETACHED
    is_client = False
    is_detached = ended = True

    def __init__(
        self, params: HTTP1ConnectionParameters, stream: IOStream, dispatcher: Dispatcher | None, context: Any
    ) -> None:
        self.params: HTTP1ConnectionParameters = params
        self._stream = stream
        self._dispatcher = dispatcher
        self._address = context

    @property
    def no_keep_alive(self) -> bool:
        """True: the connection serves no further requests."""
        return True

    @property
    def context(self) -> Any:
        """The peer's address and protocol; see `HTTP1ServerConnection.context`."""
        address = self._address
        if address is None or isinstance(address, (tuple, str, bytes)):
            if self._dispatcher is not None:
                address = self._address = self._dispatcher.make_context(self._stream, address)
        return address

    def set_close_callback(self, callback: object) -> None:
        """Ignore `callback`: the new owner of the stream is notified when it closes."""

    def detach(self) -> None:
        """Return None: the stream has been detached already."""

    def close(self) -> None:
        """Do nothing: the stream has another owner."""

    def write_headers(self, *args: object, **kwargs: object) -> Future[None]:
        """Fail, because the stream has another owner.

        :returns: a Future that has failed with `.StreamClosedError`.
        """
        future: Future[None] = Future()
        future.set_exception(StreamClosedError())
        future.exception()  # marks the error as retrieved, because few callers check this Future
        return future

    write = write_headers

    def finish(self) -> None:
        """Do nothing."""


__all__ = ["DetachedConnection"]
