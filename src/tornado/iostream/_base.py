"""`BaseIOStream`: reading on request, over any descriptor.

A read is tried from the buffer first, then from the descriptor, in the call itself; only what neither gives
waits for the loop. A peer that sends faster than it is read costs the loop no more than a fair share at a
time.
"""

from __future__ import annotations

import asyncio
import operator
import re
from collections.abc import Callable
from typing import Any

from tornado import ioloop
from tornado._tornado4.deprecation import ignored_loop
from tornado._tornado4.legacy_arguments import OptionOrder, documented_as, options_by_place
from tornado.iostream._core import LARGE_SHARE, fail
from tornado.iostream._errors import (
    StreamBufferFullError,
    UnsatisfiableReadError,
    is_connection_reset,
    without_frames,
)
from tornado.iostream._push_mode import PushMode
from tornado.iostream._read_requests import (
    NOT_YET,
    ReadCount,
    ReadInto,
    ReadIntoFuture,
    ReadLargeCount,
    ReadRequest,
    ReadState,
    ReadUntilClose,
    ReadUntilDelimiter,
    ReadUntilRegex,
)
from tornado.log import gen_log
from tornado.netutil._error_context import placed
from tornado.util import import_object

#: A receive counts for its bytes in a reader's share (docs/design/0004), and for so many besides.
_CALL = 16 * 1024

_ReadCallback = Callable[[bytes], object]


# The documented signatures of the methods whose second argument was a callback in Tornado 4. A program may
# pass that callback by position together with the present second argument by name, as in
# ``read_until(b"\n", callback, max_bytes=10)``. Python rejects such a call of a function that has the
# documented signature. A wrapper that sorts the arguments cost each read 2,000 instructions of 14,700.

_UNTIL = OptionOrder(("max_bytes", "callback"), ("callback", "max_bytes"))
_BYTES = OptionOrder(
    ("partial", "callback", "streaming_callback"), ("callback", "streaming_callback", "partial")
)


def _read_until_regex(
    self: BaseIOStream, regex: bytes, max_bytes: int | None = None, callback: _ReadCallback | None = None
) -> asyncio.Future[bytes]:
    raise NotImplementedError


def _read_until(
    self: BaseIOStream, delimiter: bytes, max_bytes: int | None = None, callback: _ReadCallback | None = None
) -> asyncio.Future[bytes]:
    raise NotImplementedError


def _read_bytes(
    self: BaseIOStream,
    num_bytes: int,
    partial: bool = False,
    callback: _ReadCallback | None = None,
    streaming_callback: _ReadCallback | None = None,
) -> asyncio.Future[bytes]:
    raise NotImplementedError


class BaseIOStream(PushMode):
    """Reading from and writing to a non-blocking descriptor.

    At most one read at a time; writes queue up. A subclass for another kind of descriptor defines `fileno`,
    `close_fd`, `read_from_fd`, `write_to_fd` and, where it can, `get_fd_error`.

    :param max_buffer_size: most bytes to hold that nobody has consumed yet; 100 MB if not given.
    :param read_chunk_size: bytes to ask of the descriptor at a time; 64 KiB if not given.
    :param max_write_buffer_size: most bytes that may wait to be sent; no limit if not given.

    Each method that gives a Future takes a ``callback`` instead, and reads a ``streaming_callback``, as in
    Tornado 4; both are deprecated, as is the argument ``io_loop``, which is ignored.
    """

    __slots__ = ("_pull",)

    def __init__(
        self,
        max_buffer_size: int | None = None,
        read_chunk_size: int | None = None,
        max_write_buffer_size: int | None = None,
        io_loop: ioloop.IOLoop | None = None,
    ) -> None:
        if io_loop is not None:
            ignored_loop(type(self).__name__)
        super().__init__(max_buffer_size, read_chunk_size, max_write_buffer_size)
        self._pull: ReadState | None = None

    @property
    def _read_buffer(self) -> bytearray:
        """What was received and not yet asked for."""
        return self._pull_state().buffer

    @property
    def _read_buffer_size(self) -> int:
        return self._pull.size() if self._pull is not None else 0

    def _pull_state(self) -> ReadState:
        pull = self._pull
        if pull is None:
            pull = self._pull = ReadState()
        return pull

    # -- the public face --

    def reading(self) -> bool:
        """Whether a read is outstanding."""
        return self._pull is not None and self._pull.busy()

    @documented_as(_read_until_regex)
    def read_until_regex(
        self,
        regex: bytes,
        *place: Any,
        max_bytes: int | None = None,
        callback: _ReadCallback | None = None,
    ) -> asyncio.Future[bytes]:
        """Read until a regular expression matches; the Future gives everything up to the end of the match.

        :param regex: the pattern, as bytes. It is searched for anew as input arrives, so give a `max_bytes`
            where a peer's input may go on without a match.
        :param max_bytes: the stream is closed if no match ends within so many bytes.
        :raises StreamClosedError: if the stream is closed and its buffer holds no match.
        :raises TypeError: for a pattern of another type, a str for one.
        """
        if place and len(place) == 1 and max_bytes is None and callback is None and not callable(place[0]):
            max_bytes = place[0]
        elif place or callback is not None:
            max_bytes, callback = options_by_place("read_until_regex", place, _UNTIL, (max_bytes, callback))
            if callback is not None:
                return _for_callback("read", self, self.read_until_regex, regex, max_bytes, callback)
        try:
            pattern = re.compile(regex)
            wrong = isinstance(pattern.pattern, str)
        except TypeError:
            wrong = True
        if wrong:
            raise TypeError(f"read_until_regex: regex takes a pattern of bytes, not {regex!r}")
        return self._start_read(ReadUntilRegex(pattern, max_bytes))

    @documented_as(_read_until)
    def read_until(
        self,
        delimiter: bytes,
        *place: Any,
        max_bytes: int | None = None,
        callback: _ReadCallback | None = None,
    ) -> asyncio.Future[bytes]:
        """Read until a delimiter is found; the Future gives everything up to its end.

        :param max_bytes: the stream is closed if the delimiter does not end within so many bytes.
        :raises StreamClosedError: if the stream is closed and its buffer lacks the delimiter.
        :raises TypeError: for a delimiter that is no bytes, a str for one.
        """
        if place and len(place) == 1 and max_bytes is None and callback is None and not callable(place[0]):
            max_bytes = place[0]
        elif place or callback is not None:
            max_bytes, callback = options_by_place("read_until", place, _UNTIL, (max_bytes, callback))
            if callback is not None:
                return _for_callback("read", self, self.read_until, delimiter, max_bytes, callback)
        if type(delimiter) is not bytes:
            try:
                delimiter = bytes(memoryview(delimiter))
            except TypeError:
                raise TypeError(f"read_until: delimiter takes bytes, not {delimiter!r}") from None
        return self._start_read(ReadUntilDelimiter(delimiter, max_bytes))

    @documented_as(_read_bytes)
    def read_bytes(
        self,
        num_bytes: int,
        *place: Any,
        partial: bool | None = None,
        callback: _ReadCallback | None = None,
        streaming_callback: _ReadCallback | None = None,
    ) -> asyncio.Future[bytes]:
        """Read `num_bytes` bytes; with `partial`, up to that many as soon as there are any.

        :raises ValueError: for a negative number.
        :raises StreamClosedError: if the stream is closed and its buffer does not hold enough.
        """
        if (
            place
            and len(place) == 1
            and partial is None
            and callback is None
            and streaming_callback is None
            and not callable(place[0])
        ):
            partial = place[0]
        elif place or callback is not None or streaming_callback is not None:
            partial, callback, streaming_callback = options_by_place(
                "read_bytes", place, _BYTES, (partial, callback, streaming_callback)
            )
            if callback is not None or streaming_callback is not None:
                return _for_callback("read_bytes", self, num_bytes, partial, callback, streaming_callback)
        size = operator.index(num_bytes)
        if size < 0:
            raise ValueError(f"read_bytes() needs a number of bytes that is not negative: {size}")
        if partial or not self.read_chunk_size < size <= self.max_buffer_size:
            return self._start_read(ReadCount(size, bool(partial)))
        return self._start_read(ReadLargeCount(size))

    def read_into(
        self,
        buf: bytearray | memoryview,
        partial: bool = False,
        callback: Callable[[int], object] | None = None,
    ) -> asyncio.Future[int]:
        """Read into a writable buffer until it is full; with `partial`, until it has something.

        The Future gives the number of bytes read. The buffer is not to be used until the Future is done or
        cancelled. Large reads go into it without a copy.

        :raises StreamClosedError: if the stream is closed and its buffer does not hold enough.
        """
        if callback is not None or (partial and callable(partial)):
            return _for_callback("read", self, self.read_into, buf, partial, callback)
        return self._start_read(ReadInto(buf, partial))

    def read_until_close(
        self,
        callback: Callable[[bytes], object] | None = None,
        streaming_callback: Callable[[bytes], object] | None = None,
    ) -> asyncio.Future[bytes]:
        """Read everything until the stream is closed, up to ``max_buffer_size`` bytes."""
        if callback is not None or streaming_callback is not None:
            return _for_callback("read_until_close", self, callback, streaming_callback)
        return self._start_read(ReadUntilClose())

    def set_nodelay(self, value: bool) -> None:
        """Ask for small writes to be sent at once (True), where the descriptor has such a setting."""

    # -- a read --

    def _start_read(self, request: ReadRequest) -> asyncio.Future[Any]:
        pull = self._pull or self._pull_state()
        if pull.future is not None and pull.busy():
            raise AssertionError(
                "Already reading: wait for the outstanding read first. gen.with_timeout leaves a read "
                "running when the time is up: cancel its Future to take it back"
            )
        if self._consumer is not None:
            self._consumer.input_wanted()
        if self._consumer is not None:
            raise AssertionError("The stream's input is consumed by a protocol: detach() it before reading")
        future: asyncio.Future[Any]
        if type(request) is ReadInto:
            future = ReadIntoFuture(loop=self._loop)
            future.pull = pull
        else:
            future = self._loop.create_future()
        try:
            size = request.find(pull.buffer, self._closed) if pull.buffer else NOT_YET
        except UnsatisfiableReadError:
            size = NOT_YET  # `_satisfy` meets it again, and closes the stream
        if size != NOT_YET:
            future.set_result(request.take(pull.buffer, size))
        else:
            pull.request, pull.future = request, future
            try:
                self._try_inline_read()
            except BaseException:
                pull.drop()
                if future.done() and not future.cancelled():
                    future.exception()
                raise
        if not self._closed:
            if not future.done():
                if not self._suspended:
                    self._wait_for_input()
            elif self._close_callback is not None:
                self._watch_for_close()
        return future

    def _try_inline_read(self) -> None:
        """Resolve the outstanding read from the buffer or the descriptor, if what they have suffices."""
        pull = self._pull_state()
        if self._satisfy(pull, self._closed):
            return
        if self._closed:
            if not isinstance(pull.request, ReadUntilClose):
                raise self._closed_error("reading from")
            pull.finish(len(pull.buffer))
        elif not self._suspended and pull.spent < LARGE_SHARE:
            self._read_on(pull)

    def _satisfy(self, pull: ReadState, last: bool) -> bool:
        """Resolve the outstanding read if possible; True as well where there is none (any more)."""
        request = pull.request
        if request is None:
            return True
        try:
            size = request.find(pull.buffer, last)
        except UnsatisfiableReadError as error:
            gen_log.info(
                "Unsatisfiable read, closing connection: %s (reading from %s)", error, self._peer_name()
            )
            self.close(without_frames(error))
            return True
        if size != NOT_YET:
            pull.finish(size)
            return True
        if pull.size() > self.max_buffer_size:
            full = StreamBufferFullError(
                f"Reached maximum read buffer size of {self.max_buffer_size} bytes, "
                f"reading from {self._peer_name()}"
            )
            gen_log.error("%s", full)
            self.close(full)
            raise full
        return False

    def _read_on(self, pull: ReadState) -> None:
        """Receive until the read is satisfied, the descriptor is empty or the share is used up."""
        request = pull.request
        while pull.spent < LARGE_SHARE:
            room = request.room() if request is not None and not pull.buffer else None
            if room is None:
                asked, count = self.read_chunk_size, self._read_once(pull)
            else:
                asked, count = len(room), self._receive_into(room)
            if not count:
                self._nothing_more(pull, ended=count == 0)
                return
            pull.spent += count + _CALL
            if room is None:
                if self._satisfy(pull, False):
                    return
            elif request is not None and request.received(count):
                pull.finish(0)
                return
            # Of a peer that sends much, more has come meanwhile.
            if count < min(asked, self.read_chunk_size) and self._gives_all():
                self._nothing_more(pull, ended=False)
                return
        self._satisfy(pull, True)

    def _gives_all(self) -> bool:
        """Whether a receive gives all there is: to ask again after a smaller one would be a call in vain."""
        return False

    def _nothing_more(self, pull: ReadState, ended: bool) -> None:
        """The descriptor is empty at present, or has come to its end."""
        request = pull.request
        if ended and request is not None:
            request.hurry()
        if self._satisfy(pull, True):
            return
        if ended:
            self.close()
        elif request is not None and request.retry is not None and not pull.retrying:
            pull.retrying = True
            self._loop.call_later(request.retry, self._try_again, pull)

    def _try_again(self, pull: ReadState) -> None:
        """A search that was put off is due."""
        pull.retrying = False
        if pull is self._pull and pull.busy():
            self._pull_readable()

    def _read_once(self, pull: ReadState) -> int | None:
        """Receive once: as `read_from_fd` says, how much."""
        try:
            data = self._receive(self.read_chunk_size)
        except Exception as error:
            self._receive_failed(error)
            return None
        if data is None:
            return None
        if data:
            pull.add(data)
        return len(data)

    def _receive_into(self, view: memoryview) -> int | None:
        try:
            with view:
                return self.read_from_fd(view)
        except Exception as error:
            self._receive_failed(error)
            return None

    def _receive_failed(self, error: Exception) -> None:
        """Close. What is not simply the connection's end is raised again."""
        self.close(placed(error, f"reading from {self._peer_name()}"))
        if not is_connection_reset(error):
            raise error
        without_frames(error)

    # -- events --

    def _on_readable(self) -> None:
        if self._consumer is not None:
            self._push_readable()
        elif not self._closed:
            self._pull_readable()

    def _pull_readable(self) -> None:
        pull = self._pull_state()
        pull.spent = 0
        try:
            if pull.busy():
                self._read_on(pull)
                pull.spent = 0  # whoever waited goes on in the loop's next turn
            elif self._watches_for_close():
                if self._read_once(pull) == 0:
                    self.close()
            else:  # nobody wants it now; the next read listens again
                self._drop_reader()
                if self._close_callback is not None or self._lender is not None:
                    self._watch_unread()
                return
        except Exception as error:
            gen_log.warning("error on read: %s", error)
            self.close(error)
            without_frames(error)
        if not self._closed:
            if pull.busy():
                self._wait_for_input()
            elif self._close_callback is not None:
                self._watch_for_close()

    def _hung_up(self, broken: bool) -> None:
        if self._consumer is not None:
            super()._hung_up(broken)
        elif broken and not self._closed:
            error = self._broken_error()
            pull = self._pull_state()
            try:
                # What has arrived can be read after the end. It is no more than the kernel's buffer holds.
                while pull.size() < self.max_buffer_size and self._read_once(pull):
                    pass
            except Exception as fault:
                gen_log.warning("error on read: %s", fault)
                without_frames(fault)
            self.close(error)

    def _watches_for_close(self) -> bool:
        """Whether to receive what nobody has asked for, as the end may come behind it: a chunk, no more."""
        return self._close_callback is not None and self._read_buffer_size < self.read_chunk_size

    def _watch_for_close(self) -> None:
        if self._consumer is None and not self._suspended and self._watches_for_close():
            self._wait_for_input()

    def _ready(self) -> None:
        """Connected, and the handshake is over: do what was put off until then."""
        self._suspended = False
        if self._output:
            self._flush()
        if self._closed:
            return
        if self._consumer is not None:
            if not self._paused:
                self._wait_for_input()
        elif self.reading():
            self._wait_for_input()
        elif self._close_callback is not None:
            self._watch_for_close()

    # -- between the modes, and the end --

    def _take_read_buffer(self) -> bytes:
        pull = self._pull
        if pull is None:
            return b""
        if pull.busy():
            raise AssertionError("Already reading: a protocol cannot take over")
        self._pull = None
        return bytes(pull.buffer)

    def _unread(self, data: bytes) -> None:
        """Put bytes back to the front of the read buffer, to be read again."""
        if data:
            self._pull_state().buffer[:0] = data

    def _before_close(self) -> None:
        super()._before_close()
        pull = self._pull
        if pull is None or not pull.busy() or not isinstance(pull.request, ReadUntilClose):
            return
        # A reset is an end like any other: some systems report the peer's orderly close so. Any other error
        # means that what was read is not the whole.
        if self.error is None or is_connection_reset(self.error):
            pull.finish(len(pull.buffer))

    def _after_close(self) -> None:
        pull = self._pull
        if pull is not None and pull.future is not None:
            fail(pull.drop(), self._closed_error("reading from"))
        super()._after_close()


def _for_callback(how: str, *args: Any) -> asyncio.Future[Any]:
    """Call a function of `_tornado4.stream_callbacks`, which is imported when it is used."""
    started: asyncio.Future[Any] = getattr(import_object("tornado._tornado4.stream_callbacks"), how)(*args)
    return started
