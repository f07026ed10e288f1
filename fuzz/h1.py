"""The HTTP/1 reader: whatever arrives, in whatever pieces, is read the same way or refused."""

from tornado._wire.errors import HTTPInputError
from tornado._wire.h1 import Event, Reader, Role, State


def read(data: bytes, size: int) -> list[Event]:
    """What a server's reader makes of `data`, fed in pieces of `size` bytes; body bytes are left out."""
    reader = Reader(Role.SERVER)
    events: list[Event] = []
    for start in range(0, len(data), size):
        reader.receive_data(data[start : start + size])
        while True:
            event = reader.next_event()
            if event is not None:
                if not isinstance(event, bytes):
                    events.append(event)
            elif reader.state is State.DONE:
                reader.start_next()
            else:
                break
    return events


def outcome(data: bytes, size: int) -> tuple[object, ...]:
    """The messages' heads, or that they are refused."""
    try:
        return tuple(repr(event) for event in read(data, size))
    except HTTPInputError as error:
        return ("refused", error.status_code)


def TestOneInput(data: bytes) -> None:
    """Read `data` whole, and byte by byte."""
    whole = outcome(data, len(data) or 1)
    assert outcome(data, 1) == whole
