"""Feed a reader of `tornado._wire.h1` in pieces of any size, and collect its events for comparison."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

from tornado._wire.errors import HTTPInputError
from tornado._wire.h1 import TRANSITIONS, EndOfMessage, Reader, ReaderState, RequestHead, ResponseHead, Role
from tornado._wire.limits import DEFAULT, Limits


def attributes(head: RequestHead | ResponseHead) -> dict[str, Any]:
    """Return the public attributes of a head."""
    return {name: getattr(head, name) for name in head.__slots__ if not name.startswith("_")}


@dataclasses.dataclass
class Message:
    """A message as it was read."""

    head: dict[str, Any]
    body: bytes = b""
    trailers: str | None = None
    complete: bool = False


@dataclasses.dataclass
class Outcome:
    """The result of reading an input."""

    messages: list[Message]
    error: type[HTTPInputError] | None
    text: str
    state: ReaderState
    rest: bytes

    @property
    def only(self) -> Message:
        """The message, if exactly one was read without an error."""
        assert self.error is None, self.text
        (message,) = self.messages
        return message


def pieces(data: bytes, size: int | None) -> Iterator[bytes]:
    """Split ``data`` into pieces of ``size`` bytes; None does not split it."""
    step = size or max(len(data), 1)
    for start in range(0, len(data), step):
        yield data[start : start + step]


class Feeder:
    """A reader and its messages so far. Each change of state is checked against the transition table."""

    def __init__(self, role: Role, limits: Limits = DEFAULT, methods: Iterable[str] = ()) -> None:
        self.reader = Reader(role, limits)
        self.messages: list[Message] = []
        self.pauses = 0
        self._methods = iter(methods)
        self._expect()

    def _expect(self) -> None:
        method = next(self._methods, None)
        if method is not None:
            self.reader.expect_response_to(method)

    def drain(self, next_message: bool = True) -> None:
        """Process all events.

        :param next_message: whether to start the next message after the end of one.
        """
        while True:
            before = self.reader.state
            event = self.reader.next_event()
            assert self.reader.state is before or self.reader.state in TRANSITIONS[before]
            if event is None:
                if self.reader.state is not ReaderState.DONE or not next_message:
                    return
                self._finish()
            elif isinstance(event, EndOfMessage):
                self.messages[-1].trailers = event.trailers_block
            elif isinstance(event, bytes):
                assert event, "the reader returned empty body data"
                self.messages[-1].body += event
            else:
                self.messages.append(Message(attributes(event)))

    def _finish(self) -> None:
        self.messages[-1].complete = True
        self.reader.start_next()
        self._expect()

    def outcome(self, error: HTTPInputError | None = None) -> Outcome:
        """Return the result so far.

        :param error: the error that ended the input, if any.
        """
        state = self.reader.state
        return Outcome(
            self.messages, type(error) if error else None, str(error), state, self.reader.take_buffer()
        )


def read(
    data: bytes,
    size: int | None = None,
    *,
    role: Role = Role.SERVER,
    limits: Limits = DEFAULT,
    methods: Iterable[str] = (),
    eof: bool = False,
) -> Outcome:
    """Read all messages in ``data``, fed in pieces of ``size`` bytes, by default in one piece.

    :param methods: the methods of the requests to which the messages are responses.
    :param eof: whether the input ends after ``data``.
    """
    return read_pieces(pieces(data, size), role=role, limits=limits, methods=methods, eof=eof)


def read_pieces(
    parts: Iterable[bytes],
    *,
    role: Role = Role.SERVER,
    limits: Limits = DEFAULT,
    methods: Iterable[str] = (),
    eof: bool = False,
) -> Outcome:
    """Read all messages in the given pieces; see `read`."""
    feeder = Feeder(role, limits, methods)
    try:
        for part in parts:
            feeder.reader.receive_data(part)
            feeder.drain()
        if eof:
            feeder.reader.receive_eof()
            feeder.drain()
    except HTTPInputError as error:
        assert feeder.reader.state is ReaderState.ERROR
        return feeder.outcome(error)
    return feeder.outcome()


def read_all_ways(data: bytes, **options: Any) -> Outcome:
    """Read ``data`` in one piece, byte by byte and in pieces of three; check that the results agree."""
    whole = read(data, **options)
    for size in (1, 3):
        split = read(data, size, **options)
        assert split.error == whole.error, (size, split.text, whole.text)
        if whole.error is None:
            assert split == whole
        else:
            # Events before the error may already have been returned.
            heads = [message.head for message in split.messages]
            assert heads[: len(whole.messages)] == [message.head for message in whole.messages]
    return whole
