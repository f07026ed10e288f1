"""Multipart bodies, with the boundary that the first line names."""

from tornado._wire.errors import HTTPInputError
from tornado._wire.multipart import END_OF_PART, MultipartParser, Part, parse_multipart

Found = list[tuple[Part, bytes]]


def in_pieces(boundary: bytes, data: bytes, size: int) -> tuple[Found, bool]:
    """The parts of a body that comes in pieces, and whether it was read to its end."""
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
    """Append what the parser has, the part that has not ended last."""
    while (event := parser.next_event()) is not None:
        if isinstance(event, Part):
            parts.append((event, b""))
        elif event is not END_OF_PART:
            assert isinstance(event, bytes)
            part, content = parts[-1]
            parts[-1] = part, content + event


def told(part: Part) -> tuple[object, ...]:
    """What a part's header says."""
    return part.name, part.filename, part.content_type, list(part.headers.get_all())


def TestOneInput(data: bytes) -> None:
    """Take all parts; together they are never larger than the body, and the pieces do not matter."""
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
