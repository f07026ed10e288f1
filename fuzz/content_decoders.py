"""Compressed bodies: a Content-Encoding field up to the first line break, then the body."""

from tornado._wire.content_decoders import ContentDecoder, parse_codings
from tornado._wire.errors import HTTPInputError

LIMIT = 1 << 20


def decode(codings: tuple[str, ...], body: bytes, size: int) -> bytes | None:
    """The content of a body that comes in pieces of a size; None for one that is refused."""
    decoder = ContentDecoder(codings, LIMIT)
    content = []
    try:
        for start in range(0, len(body), size):
            decoder.receive_data(body[start : start + size])
            while (chunk := decoder.next_chunk()) is not None:
                content.append(chunk)
        decoder.receive_eof()
    except HTTPInputError:
        return None
    return b"".join(content)


def TestOneInput(data: bytes) -> None:
    """Output is bounded, and the pieces do not matter."""
    field, _, body = data.partition(b"\n")
    try:
        codings = parse_codings(field.decode("latin-1"))
    except HTTPInputError:
        return
    if not codings:
        return
    whole = decode(codings, body, len(body) or 1)
    assert whole is None or len(whole) <= LIMIT
    for size in (1, 7):
        assert decode(codings, body, size) == whole
