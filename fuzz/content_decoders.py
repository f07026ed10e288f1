"""Target: compressed bodies. The input is a Content-Encoding field, a line break and the body."""

from tornado._wire.content_decoders import ContentDecoder, parse_codings
from tornado._wire.errors import HTTPInputError

LIMIT = 1 << 20


def decode(codings: tuple[str, ...], body: bytes, size: int) -> bytes | None:
    """Return the content of a body that arrives in pieces of `size` bytes, or None if it is rejected."""
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
    """Check that the output is bounded and does not depend on how the input is split."""
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
