"""Feeds a reader of `tornado._wire.h1` in pieces of any size; what comes out is easy to compare."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

from tornado._wire.errors import HTTPInputError
from tornado._wire.h1 import TRANSITIONS, EndOfMessage, Reader, RequestHead, ResponseHead, Role, State
from tornado._wire.limits import DEFAULT, Limits


def attributes(head: RequestHead | ResponseHead) -> dict[str, Any]:
    """What a head says, by the names of its public attributes."""
    return {name: getattr(head, name) for name in head.__slots__ if not name.startswith("_")}


@dataclasses.dataclass
class Message:
    """One message as it was read."""

    head: dict[str, Any]
    body: bytes = b""
    trailers: str | None = None
    complete: bool = False


@dataclasses.dataclass
class Outcome:
    """What a reader made of its input."""

    messages: list[Message]
    error: type[HTTPInputError] | None
    text: str
    state: State
    rest: bytes

    @property
    def only(self) -> Message:
        """The one message that was read."""
        assert self.error is None, self.text
        (message,) = self.messages
        return message


def pieces(data: bytes, size: int | None) -> Iterator[bytes]:
    """``data`` whole, or in pieces of ``size`` bytes."""
    step = size or max(len(data), 1)
    for start in range(0, len(data), step):
        yield data[start : start + step]


class Feeder:
    """A reader and the messages it has given so far; each change of state is held against the table."""

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
        """Take all events; after a message go on with the next one, unless told not to."""
        while True:
            before = self.reader.state
            event = self.reader.next_event()
            assert self.reader.state in TRANSITIONS[before]
            if event is None:
                if self.reader.state is not State.DONE or not next_message:
                    return
                self._finish()
            elif isinstance(event, EndOfMessage):
                self.messages[-1].trailers = event.trailers_block
            elif isinstance(event, bytes):
                assert event, "an empty piece of body was given out"
                self.messages[-1].body += event
            else:
                self.messages.append(Message(attributes(event)))

    def _finish(self) -> None:
        self.messages[-1].complete = True
        self.reader.start_next()
        self._expect()

    def outcome(self, error: HTTPInputError | None = None) -> Outcome:
        """What has come out, ``error`` being what ended it."""
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
    """Read ``data`` given in pieces of ``size`` bytes (all at once by default), message after message.

    :param methods: of the requests that the responses answer.
    :param eof: the input ends after ``data``.
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
    """The same for given pieces."""
    feeder = Feeder(role, limits, methods)
    try:
        for part in parts:
            feeder.reader.receive_data(part)
            feeder.drain()
        if eof:
            feeder.reader.receive_eof()
            feeder.drain()
    except HTTPInputError as error:
        assert feeder.reader.state is State.ERROR
        return feeder.outcome(error)
    return feeder.outcome()


def read_all_ways(data: bytes, **options: Any) -> Outcome:
    """Read ``data`` whole, byte by byte and in pieces of three; the outcome has to be the same."""
    whole = read(data, **options)
    for size in (1, 3):
        split = read(data, size, **options)
        assert split.error == whole.error, (size, split.text, whole.text)
        if whole.error is None:
            assert split == whole
        else:
            # What was read before the fault may have been given out already.
            heads = [message.head for message in split.messages]
            assert heads[: len(whole.messages)] == [message.head for message in whole.messages]
    return whole
