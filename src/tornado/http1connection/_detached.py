"""What is left of a server's exchange once its stream has been taken over for another protocol."""

from __future__ import annotations

from typing import Any

from tornado.concurrent import Future
from tornado.http1connection._parameters import HTTP1ConnectionParameters
from tornado.iostream import StreamClosedError


class DetachedConnection:
    """Stands in for the exchange as ``request.connection``, as long as its request is kept: it knows where
    the request came from, and can do nothing.

    A WebSocket lives long, and its request with it; this is a quarter of what it replaces.

    :param origin: the driver of the exchange.
    :param context: the exchange's own; None for that of the connection.
    """

    __slots__ = ("_address", "_delegate", "_stream", "params")

    #: As with any exchange that was detached.
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
        """Where the connection comes from; see `HTTP1ServerConnection.context`."""
        address = self._address
        if address is None or isinstance(address, (tuple, str, bytes)):
            make = getattr(self._delegate, "_make_context", None)
            if make is not None:
                address = self._address = make(self._stream, address)
        return address

    def set_close_callback(self, callback: object) -> None:
        """Nobody is called: whoever has the stream now hears of its end."""

    def detach(self) -> None:
        """There is nothing to be had any more."""

    def close(self) -> None:
        """Nothing is closed: the stream is somebody else's."""

    def write_headers(self, *args: object, **kwargs: object) -> Future[None]:
        """Nothing can be sent.

        :returns: a Future that holds a `.StreamClosedError`.
        """
        future: Future[None] = Future()
        future.set_exception(StreamClosedError())
        future.exception()  # seen: few look at it
        return future

    write = write_headers

    def finish(self) -> None:
        """There is nothing to finish."""


__all__ = ["DetachedConnection"]
