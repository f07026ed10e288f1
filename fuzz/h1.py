"""Target: the HTTP/1 reader of a server. The result must not depend on how the input is split."""

from tornado._wire.errors import HTTPInputError
from tornado._wire.h1 import Event, Reader, ReaderState, Role


def read(data: bytes, size: int) -> list[Event]:
    """Return the events for `data`, in pieces of `size` bytes, without body data."""
    reader = Reader(Role.SERVER)
    events: list[Event] = []
    for start in range(0, len(data), size):
        reader.receive_data(data[start : start + size])
        while True:
            event = reader.next_event()
            if event is not None:
                if not isinstance(event, bytes):
                    events.append(event)
            elif reader.state is ReaderState.DONE:
                reader.start_next()
            else:
                break
    return events


def outcome(data: bytes, size: int) -> tuple[object, ...]:
    """Return the heads of the messages, or the status code of the error."""
    try:
        return tuple(repr(event) for event in read(data, size))
    except HTTPInputError as error:
        return ("refused", error.status_code)


def TestOneInput(data: bytes) -> None:
    """Read `data` in one piece and byte by byte."""
    whole = outcome(data, len(data) or 1)
    assert outcome(data, 1) == whole
