"""`BackPressure`: the senders that wait while too much output of a connection is unsent.

The object exists only while more than ``write_limit`` bytes wait, so other connections need no memory for it.
"""

from __future__ import annotations

from typing import Protocol

from tornado.concurrent import Future
from tornado.iostream._interface import Transport
from tornado.websocket._errors import closed_error
from tornado.websocket._parameters import WebSocketParams


class SendingConnection(Protocol):
    """The methods of a connection that its back-pressure uses."""

    stream: Transport
    params: WebSocketParams

    def output_resumed(self) -> None:
        """Continue after enough output has been sent, or after the stream has been closed."""


class BackPressure:
    """The wait until at most half of ``write_limit`` remains, and the Futures of the senders.

    :param connection: a connection with more than ``write_limit`` unsent bytes. Its ``output_resumed`` is
        called once, at the end of the wait.
    """

    __slots__ = ("_connection", "_senders")

    def __init__(self, connection: SendingConnection) -> None:
        self._connection = connection
        self._senders: list[Future[None]] = []
        self._wait()

    def sender(self) -> Future[None]:
        """Return a new Future that is done at the end of the wait. It raises `WebSocketClosedError` if the
        stream is closed before that.
        """
        future: Future[None] = self._connection.stream.loop.create_future()
        self._senders.append(future)
        return future

    def _wait(self) -> None:
        connection = self._connection
        connection.stream.when_written(connection.params.write_limit // 2).add_done_callback(self._written)

    def _written(self, written: Future[None]) -> None:
        connection = self._connection
        lost = written.cancelled() or written.exception() is not None
        # More output may have been added since the wait began.
        if not lost and connection.stream.pending_output > connection.params.write_limit // 2:
            self._wait()
            return
        for future in self._senders:
            if future.done():
                continue
            if not lost:
                future.set_result(None)
            else:
                future.set_exception(closed_error(connection))
                future.exception()  # mark it as retrieved: programs need not await it
        connection.output_resumed()


__all__ = ["BackPressure", "SendingConnection"]
