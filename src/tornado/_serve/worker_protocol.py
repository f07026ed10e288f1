"""The messages between the supervisor and a worker: one JSON object for each line, over a pair of sockets.

From the worker to the supervisor:

===========  =================================================================================================
``ready``    connections are accepted
``failed``   the start or the shutdown has failed: ``stage`` and ``report``, the text for the user
``beat``     every `BEAT_INTERVAL` seconds after ``ready``: ``loop``, the number of beats of the event loop;
             ``age``, the time since the last one in seconds; ``stats``, the numbers of the worker
``leaving``  the worker drains without having been told to, because it has received SIGTERM itself
``drained``  all requests have ended: ``clean``; ``snapshot``, the last counts; ``recent``, the last errors
             and log records
``reply``    the answer to a query: ``id`` and ``data``
===========  =================================================================================================

From the supervisor to the worker:

=========  ===================================================================================================
``drain``  drain and exit: ``grace`` and ``delay``, in seconds
``dump``   log the stacks of all threads and tasks
``query``  answer with a ``reply``: ``id``, ``what`` and ``arguments``
=========  ===================================================================================================

Neither side waits for the other one, except a worker for a moment at its end: what does not fit into the
socket is kept, up to a limit, and sent when the socket is writable again. A stopped process on one side must
not stop the other.
"""

from __future__ import annotations

import json
import logging
import select
import socket
import sys
import threading
import time
from typing import Any

from tornado._log_rate_limit import LogRateLimit
from tornado._serve.message_schema import Schema, find_error
from tornado.log import escape_controls, gen_log

if sys.platform == "win32":
    raise ImportError(f"{__name__} requires a platform with fork")

#: Time between two beats of a worker, in seconds.
BEAT_INTERVAL = 0.25
#: The maximum size of the output that is kept for a peer that does not read, in bytes. A droppable message,
#: such as a beat, is not kept at all.
MAX_KEPT_OUTPUT = 4 * 1024 * 1024
#: The maximum size of one message, in bytes. A larger one is not sent, and is a violation when it arrives.
MAX_MESSAGE_SIZE = 16 * 1024 * 1024
#: The maximum size of a message of a worker: the supervisor adds the process ID when it passes one on.
MAX_WORKER_MESSAGE_SIZE = MAX_MESSAGE_SIZE - 1024
_CHUNK = 65_536

Message = dict[str, Any]


class Channel:
    """One end of the connection between the supervisor and a worker. Threads may share it.

    :param sock: one socket of a pair.
    :param unread: input that the previous owner of the socket has received but not processed.
    :param accepts: the messages of the peer that are valid; None accepts all.
    :ivar max_sent: the maximum size of a message that is sent, in bytes.
    :ivar at_end: whether the peer has closed its end, for example because its process has ended.
    :ivar violation: what was wrong with an invalid message of the peer, the last one that was read; or None.
    """

    def __init__(self, sock: socket.socket, unread: bytes = b"", accepts: Schema | None = None) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._input = bytearray(unread)
        self._output = bytearray()
        self._lock = threading.Lock()
        self._accepts = accepts
        self.max_sent = MAX_MESSAGE_SIZE
        #: A remote client can cause large messages, and the administration asks often.
        self._log = LogRateLimit(gen_log)
        self.at_end = False
        self.violation: str | None = None

    @classmethod
    def pair(cls, first: Schema | None = None, second: Schema | None = None) -> tuple[Channel, Channel]:
        """Return both ends of a new connection.

        :param first: the messages that the first end accepts.
        :param second: the messages that the second end accepts.
        """
        one, other = socket.socketpair()
        return cls(one, accepts=first), cls(other, accepts=second)

    def fileno(self) -> int:
        """Return the descriptor of the socket; -1 when it is closed."""
        return self._sock.fileno()

    @property
    def is_open(self) -> bool:
        """Whether more messages may arrive: the peer has not closed its end, nor sent an invalid message."""
        return not self.at_end and self.violation is None

    @property
    def unread(self) -> bytes:
        """The input that does not form a complete message yet."""
        return bytes(self._input)

    @property
    def has_output(self) -> bool:
        """Whether output waits until the socket is writable."""
        return bool(self._output)

    def send(self, kind: str, *, droppable: bool = False, **values: Any) -> bool:
        """Send a message without waiting.

        :param kind: its type.
        :param droppable: do not send it if previous output waits.
        :param values: its other values.
        :returns: False if it was dropped: the peer has ended, or does not read, or the values are nested
            too deeply or too large.
        """
        try:
            text = json.dumps({"type": kind, **values}, separators=(",", ":"), default=str)
        except RecursionError:
            gen_log.error("a message between processes is nested too deeply and is discarded: %s", kind)
            return False
        line = text.encode() + b"\n"
        if len(line) > self.max_sent:
            self._log_too_large(kind, len(line))
            return False
        with self._lock:
            if self._output and (droppable or len(self._output) + len(line) > MAX_KEPT_OUTPUT):
                return False
            self._output += line
            return self._flush()

    def _log_too_large(self, kind: str, size: int) -> None:
        text = "a message between processes has %d bytes, more than %d, and is discarded: %s"
        self._log.log("too large", logging.ERROR, text, size, self.max_sent, kind)

    def flush(self) -> bool:
        """Send output that waits. Return False if the peer has ended."""
        with self._lock:
            return self._flush()

    def finish(self, timeout: float) -> bool:
        """Wait until all output has been sent, before the process ends. Return False if that is impossible.

        :param timeout: the maximum time to wait, in seconds.
        """
        deadline = time.monotonic() + timeout
        poll = select.poll()
        poll.register(self._sock.fileno(), select.POLLOUT)
        while (sent := self.flush()) and self._output:
            left = deadline - time.monotonic()
            if left <= 0 or not poll.poll(left * 1000):
                return False
        return sent

    def _flush(self) -> bool:
        try:
            while self._output:
                del self._output[: self._sock.send(self._output[:_CHUNK])]
        except BlockingIOError:
            return True
        except OSError:
            self._output.clear()
            return False
        return True

    def receive(self) -> list[Message]:
        """Return the messages that have arrived, without waiting.

        At the end of the input, set `at_end`. Set `violation` at the first invalid message, and discard it
        and all that follow.
        """
        while self.is_open:
            try:
                data = self._sock.recv(_CHUNK)
            except BlockingIOError:
                break
            except OSError:
                data = b""
            self.at_end = not data
            self._input += data
            if len(self._input) > MAX_MESSAGE_SIZE:
                break
        return self._take_messages()

    def _take_messages(self) -> list[Message]:
        complete, newline, self._input = self._input.rpartition(b"\n")
        lines = complete.split(b"\n") if newline else []
        messages = [message for line in lines if (message := self._parse(line)) is not None]
        if len(self._input) > MAX_MESSAGE_SIZE:
            self.violation = f"it exceeds {MAX_MESSAGE_SIZE} bytes"
        if self.violation is not None:
            self._input.clear()
        return messages

    def _parse(self, line: bytearray) -> Message | None:
        """Return the message of a line; None if it is invalid, which sets `violation`, or follows one."""
        if self.violation is not None:
            return None
        try:
            message: Message = json.loads(line)
        except (ValueError, RecursionError):
            shown = escape_controls(line[:100].decode(errors="replace"))
            self.violation = f"expected JSON, got {shown}"
            return None
        self.violation = find_error(message, self._accepts)
        return message if self.violation is None else None

    def close(self) -> None:
        """Close the socket."""
        self._sock.close()

    def detach(self) -> int:
        """Return the descriptor without closing it. The object must not be used afterwards."""
        return self._sock.detach()


__all__ = [
    "BEAT_INTERVAL",
    "MAX_KEPT_OUTPUT",
    "MAX_MESSAGE_SIZE",
    "MAX_WORKER_MESSAGE_SIZE",
    "Channel",
    "Message",
]
