"""Target: multipart bodies. The first line of the input contains the boundary."""

from tornado._wire.errors import HTTPInputError
from tornado._wire.multipart import END_OF_PART, MultipartParser, Part, parse_multipart

Found = list[tuple[Part, bytes]]


def in_pieces(boundary: bytes, data: bytes, size: int) -> tuple[Found, bool]:
    """Return the parts of a body that arrives in pieces of `size` bytes, and whether it is complete."""
    parts: Found = []
    try:
        parser = MultipartParser(boundary)
        for start in range(0, len(data), size):
            parser.receive_data(data[start : start + size])
            take(parser, parts)
        parser.receive_eof()
        take(parser, parts)
    except HTTPInputError:
        return parts, False
    return parts, True


def take(parser: MultipartParser, parts: Found) -> None:
    """Append the parser's events to `parts`. The last part may be incomplete."""
    while (event := parser.next_event()) is not None:
        if isinstance(event, Part):
            parts.append((event, b""))
        elif event is not END_OF_PART:
            assert isinstance(event, bytes)
            part, content = parts[-1]
            parts[-1] = part, content + event


def told(part: Part) -> tuple[object, ...]:
    """Return the attributes of a part, for comparison."""
    return part.name, part.filename, part.content_type, list(part.headers.get_all())


def TestOneInput(data: bytes) -> None:
    """Check that parts are not larger than the body and do not depend on how the input is split."""
    boundary = data.partition(b"\r\n")[0][2:]
    whole: Found = []
    complete = True
    try:
        whole.extend(parse_multipart(boundary, data))
    except HTTPInputError:
        complete = False
    assert sum(len(content) for _, content in whole) <= len(data)
    for size in (1, 5):
        parts, read = in_pieces(boundary, data, size)
        assert read == complete
        if complete:
            assert [(told(p), c) for p, c in parts] == [(told(p), c) for p, c in whole]
