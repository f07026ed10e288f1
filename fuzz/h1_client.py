"""Target: the HTTP/1 reader of a client. The result must not depend on how the input is split.

The first byte selects the method of the requests, and whether the connection ends after the input.
"""

from tornado._wire.errors import HTTPInputError
from tornado._wire.h1 import EndOfMessage, Reader, ReaderState, ResponseHead, Role
from tornado._wire.limits import Limits

LIMITS = Limits(max_head_size=600, max_trailer_size=100, max_chunk_line=60, max_body_size=500)
METHODS = ("GET", "HEAD", "CONNECT", "POST")


def outcome(data: bytes, size: int, method: str, ends: bool) -> tuple[object, ...]:
    """Return the responses in `data`, in pieces of `size` bytes, or the type of the error."""
    reader = Reader(Role.CLIENT, LIMITS)
    reader.expect_response_to(method)
    found: list[object] = []
    body = bytearray()
    parts: list[bytes | None] = [data[start : start + size] for start in range(0, len(data), size)]
    try:
        for part in [*parts, None] if ends else parts:
            if part is None:
                reader.receive_eof()
            else:
                reader.receive_data(part)
            while True:
                event = reader.next_event()
                if isinstance(event, bytes):
                    body += event
                elif isinstance(event, ResponseHead):
                    found.append((event.code, event.reason, event.headers_block))
                elif isinstance(event, EndOfMessage):
                    found.append((bytes(body), event.trailers_block))
                    body.clear()
                elif reader.state is ReaderState.DONE:
                    reader.start_next()
                    reader.expect_response_to(method)
                else:
                    break
    except HTTPInputError as error:
        return ("refused", type(error).__name__)
    return (*found, reader.state, bytes(body), reader.take_buffer())


def TestOneInput(data: bytes) -> None:
    """Read all but the first byte in one piece and byte by byte."""
    how = data[0] if data else 0
    data = data[1:]
    method, ends = METHODS[how & 3], how & 4 != 0
    whole = outcome(data, len(data) or 1, method, ends)
    assert outcome(data, 1, method, ends) == whole, (whole, outcome(data, 1, method, ends))
