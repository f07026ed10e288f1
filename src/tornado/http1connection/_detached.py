"""A small replacement for a server's exchange whose stream was detached for another protocol."""

from __future__ import annotations

from typing import Any

from tornado.concurrent import Future
from tornado.http1connection._parameters import HTTP1ConnectionParameters
from tornado.iostream import StreamClosedError


class DetachedConnection:
    """The ``request.connection`` of a request whose exchange was detached.

    It still has the `context` of the exchange, but its methods do nothing or fail. A WebSocket connection
    keeps its request for a long time, and this object needs a quarter of the memory of an exchange.

    :param origin: the driver of the exchange.
    :param context: the context of the exchange; None to use the connection's.
    """

    __slots__ = ("_address", "_delegate", "_stream", "params")

    #: None, as in a detached exchange.
    stream = None
    is_client = False
    no_keep_alive = True
    _detached = True
    _driver = None

    def __init__(self, origin: Any, context: Any) -> None:
        self._delegate = origin._delegate
        self._stream = origin.stream
        self._address = origin._context if context is None else context
        self.params: HTTP1ConnectionParameters = origin.params

    @property
    def context(self) -> Any:
        """The peer's address and protocol; see `HTTP1ServerConnection.context`."""
        address = self._address
        if address is None or isinstance(address, (tuple, str, bytes)):
            make = getattr(self._delegate, "_make_context", None)
            if make is not None:
                address = self._address = make(self._stream, address)
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
