"""Target: the chunked coding. The result must not depend on how the input is split."""

from tornado._wire.chunked import LAST_CHUNK, ChunkedDecoder, ChunkPhase, serialize_chunk
from tornado._wire.errors import HTTPInputError
from tornado._wire.limits import Limits

LIMITS = Limits(max_chunk_line=80, max_chunk_extensions=100, max_trailer_size=120, max_trailer_count=4)
MAX_SIZE = 5000


def outcome(data: bytes, size: int) -> tuple[object, ...]:
    """Return the content, the trailers and the number of remaining bytes, or the type of the error."""
    decoder = ChunkedDecoder(LIMITS)
    content, buffer, position = b"", bytearray(), 0
    try:
        for start in range(0, len(data), size):
            buffer += data[start : start + size]
            piece, position = decoder.decode(buffer, position, MAX_SIZE)
            content += piece
    except HTTPInputError as error:
        return ("refused", type(error).__name__)
    return decoder.phase, content, decoder.trailers_block, len(buffer) - position


def TestOneInput(data: bytes) -> None:
    """Decode `data`, and `data` serialized as one chunk."""
    whole = outcome(data, len(data) or 1)
    for size in (1, 7):
        assert outcome(data, size) == whole, (size, whole, outcome(data, size))
    assert outcome(serialize_chunk(data[:MAX_SIZE]) + LAST_CHUNK, 3) == (
        ChunkPhase.FINISHED,
        data[:MAX_SIZE],
        "",
        0,
    )
