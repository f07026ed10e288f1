"""The decoder and the serializer of the chunked transfer coding."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.states import check_transitions
from tornado._wire.chunked import LAST_CHUNK, TRANSITIONS, ChunkedDecoder, ChunkPhase, serialize_chunk
from tornado._wire.errors import BodyTooLarge, HeadTooLarge, HTTPInputError
from tornado._wire.limits import DEFAULT, Limits

PLENTY = 1 << 40


def decode(data, size=None, limits=DEFAULT, max_size=PLENTY, buffer=bytes):
    """Decode ``data`` in pieces of ``size`` bytes; return the content, the decoder and the rest."""
    decoder = ChunkedDecoder(limits)
    content, rest = b"", b""
    for start in range(0, len(data), size or max(len(data), 1)):
        rest += data[start : start + (size or len(data))]
        before = decoder.phase
        piece, position = decoder.decode(buffer(rest), 0, max_size)
        assert type(piece) is bytes
        assert size != 1 or decoder.phase in TRANSITIONS[before] | {before}
        content += piece
        rest = rest[position:]
    return content, decoder, rest


def test_only_transitions_in_the_table_are_allowed():
    check_transitions(TRANSITIONS, ChunkPhase)


def decode_in_all_splits(data, **options):
    """Decode in one piece, byte by byte and in pieces of three, from bytes and from a bytearray."""
    whole = decode(data, **options)
    for size in (None, 1, 3):
        for buffer in (bytes, bytearray):
            content, decoder, rest = decode(data, size, buffer=buffer, **options)
            assert (content, rest) == (whole[0], whole[2])
            assert (decoder.phase, decoder.trailers_block) == (whole[1].phase, whole[1].trailers_block)
            assert decoder.received == whole[1].received
    return whole


def assert_rejected_in_all_splits(data, error, fault, **options):
    for size in (None, 1, 3):
        with pytest.raises(HTTPInputError, match=fault) as caught:
            decode(data, size, **options)
        assert type(caught.value) is error


@pytest.mark.parametrize(
    ("data", "content"),
    [
        (b"0\r\n\r\n", b""),
        (b"000\r\n\r\n", b""),
        (b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b"05\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b"1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n", b"abc"),
        (b"a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", b"01234567890123456789"),
        (b"1F\r\n" + b"x" * 31 + b"\r\n1f\r\n" + b"y" * 31 + b"\r\n0\r\n\r\n", b"x" * 31 + b"y" * 31),
        (b"2\r\n\r\n\r\n2\r\n\r\n\r\n0\r\n\r\n", b"\r\n\r\n"),
        (b"5\r\n1\r\na\r\r\n1\r\nb\r\n0\r\n\r\n", b"1\r\na\rb"),
        (b"5;a=b\r\nhello\r\n0;last\r\n\r\n", b"hello"),
        (b'5 \t; a="b;\xe9\t"\r\nhello\r\n0\r\n\r\n', b"hello"),
        (b"5;\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b"0000000000000005\r\nhello\r\n0\r\n\r\n", b"hello"),
    ],
)
def test_chunked_bodies_are_decoded(data, content):
    for rest in (b"", b"GET / HTTP/1.1\r\n"):
        decoded, decoder, left = decode(data + rest)
        assert (decoded, decoder.phase, decoder.trailers_block, left) == (
            content,
            ChunkPhase.FINISHED,
            "",
            rest,
        )
    decoded, decoder, left = decode_in_all_splits(data)
    assert (decoded, decoder.phase, left) == (content, ChunkPhase.FINISHED, b"")
    assert decoder.received == len(content)


@pytest.mark.parametrize(
    ("data", "trailers"),
    [
        (b"0\r\nA: b\r\n\r\n", "A: b\r\n"),
        (b"0\r\nA: b\r\nC:d\r\n\r\n", "A: b\r\nC:d\r\n"),
        (b"1\r\nx\r\n0;ext\r\nContent-Length: 5\r\n\r\n", "Content-Length: 5\r\n"),
    ],
)
def test_trailers_are_returned(data, trailers):
    _, decoder, left = decode_in_all_splits(data)
    assert (decoder.phase, decoder.trailers_block, left) == (ChunkPhase.FINISHED, trailers, b"")
    assert decode(data + b"rest")[2] == b"rest"


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"x",
        b"g",
        b"-1",
        b"+5",
        b"0x5",
        b"1_0",
        b" 5",
        b"5 ",
        b"5 a",
        b"5\ta",
        b"5,5",
        b"5\x00",
        b"5;a\x00b",
        b"5;a\rb",
        b"5;a\x7f",
        b"5\r",
        b";a",
        b"\xb2",
        b"0" * 17,
        b"1" + b"0" * 16,
        b"1" * 33,
        b"1" * 17 + b";a",
    ],
)
def test_invalid_chunk_sizes_are_rejected(line):
    assert_rejected_in_all_splits(line + b"\r\nhello\r\n0\r\n\r\n", HTTPInputError, "invalid chunk size")


@pytest.mark.parametrize("data", [b"5\nhello\r\n0\r\n\r\n", b"5;a\nhello\r\n0\r\n\r\n", b"0\n\r\n"])
def test_a_bare_lf_does_not_end_a_size_line(data):
    assert_rejected_in_all_splits(data, HTTPInputError, "invalid chunk size")


@pytest.mark.parametrize(
    "data", [b"3\r\nfooXX0\r\n\r\n", b"3\r\nfoo\n0\r\n\r\n", b"3\r\nfoo\rX", b"3\r\nfoobar\r\n"]
)
def test_data_without_crlf_at_its_end_is_rejected(data):
    assert_rejected_in_all_splits(data, HTTPInputError, "improperly terminated chunk: expected CRLF, got ")


@pytest.mark.parametrize("rest", [b"\n", b"A: b\n", b"A: b\r\n\n", b"A: b\r\nC: d\n"])
def test_bare_lf_in_trailers_is_rejected_immediately(rest):
    for cut in range(len(rest)):
        decoder = ChunkedDecoder()
        with pytest.raises(HTTPInputError, match="bare LF in the trailer section"):
            for end in (3 + cut, 3 + len(rest)):
                decoder.decode((b"0\r\n" + rest)[:end], 0 if decoder.phase is ChunkPhase.SIZE else 3, 10)


@pytest.mark.parametrize(
    ("trailers", "fault"),
    [
        (b"A\r\n", "no colon"),
        (b"A : b\r\n", "Invalid header name"),
        (b"A: b\r\n c\r\n", "folding"),
        (b"A: \x00\r\n", "Invalid header value"),
        (b"A: b\nC: d\r\n", "bare LF in the trailer section"),
        (b"A: b\r\n\n", "bare LF in the trailer section"),
        (b"\nA: b\r\n", "bare LF"),
    ],
)
def test_invalid_trailers_are_rejected(trailers, fault):
    assert_rejected_in_all_splits(b"0\r\n" + trailers + b"\r\n", HTTPInputError, fault)


# Limits


def test_content_size_is_limited():
    for data in (b"5\r\nhello\r\n", b"1\r\nx\r\n" * 5, b"14\r\n" + b"x" * 20 + b"\r\n"):
        size = len(decode(data)[0])
        assert decode(data + LAST_CHUNK, max_size=size)[1].phase is ChunkPhase.FINISHED
        assert_rejected_in_all_splits(
            data, BodyTooLarge, f"chunked body too large: .* {size - 1} bytes", max_size=size - 1
        )


def test_too_large_chunk_is_rejected_at_its_size_line():
    assert_rejected_in_all_splits(
        b"ffffffffffffffff\r\n", BodyTooLarge, "chunked body too large", max_size=10
    )


def test_size_line_length_is_limited():
    limits = Limits(max_chunk_line=20)
    fits = b"1;" + b"a" * 16 + b"\r\n"
    assert len(fits) == 20
    decode_in_all_splits(fits + b"x\r\n", limits=limits)
    assert_rejected_in_all_splits(
        b"1;" + b"a" * 17 + b"\r\nx\r\n", HTTPInputError, "line longer than 20 bytes", limits=limits
    )
    assert_rejected_in_all_splits(
        b"1;" + b"a" * 30, HTTPInputError, "line longer than 20 bytes", limits=limits
    )


def test_digits_of_a_chunk_size_are_limited():
    limits = Limits(max_chunk_size_digits=2)
    decode_in_all_splits(b"05\r\nhello\r\n", limits=limits)
    assert_rejected_in_all_splits(
        b"005\r\nhello\r\n", HTTPInputError, "invalid chunk size of 3 digits", limits=limits
    )


def test_allowed_extensions_grow_with_the_content():
    limits = Limits(max_chunk_extensions=10)
    # Ten bytes are always permitted, and one more for each sixteen bytes of content.
    decode_in_all_splits(b"1;abcdefghi\r\nx\r\n", limits=limits)
    assert_rejected_in_all_splits(
        b"1;abcdefghij\r\nx\r\n", HTTPInputError, "chunk extensions exceed", limits=limits
    )
    first = b"10;abcdefghi\r\n" + b"x" * 16 + b"\r\n"
    decode_in_all_splits(first + b"1;\r\ny\r\n", limits=limits)
    assert_rejected_in_all_splits(
        first + b"1;a\r\ny\r\n", HTTPInputError, "chunk extensions exceed", limits=limits
    )
    generous = b"640;" + b"e" * 99 + b"\r\n" + b"x" * 1600 + b"\r\n"
    assert_rejected_in_all_splits(generous, HTTPInputError, "chunk extensions exceed", limits=limits)
    decode_in_all_splits(b"640\r\n" + b"x" * 1600 + b"\r\n" + generous * 3, limits=limits)


def test_trailer_section_is_limited():
    limits = Limits(max_trailer_size=20)
    fits = b"A: " + b"b" * 13 + b"\r\n\r\n"
    assert len(fits) == 20
    decode_in_all_splits(b"0\r\n" + fits, limits=limits)
    assert_rejected_in_all_splits(
        b"0\r\nb" + fits, HeadTooLarge, "trailer section longer than 20 bytes", limits=limits
    )
    assert_rejected_in_all_splits(
        b"0\r\n" + b"A" * 30, HeadTooLarge, "trailer section longer than 20 bytes", limits=limits
    )
    limits = Limits(max_trailer_count=2)
    decode_in_all_splits(b"0\r\n" + b"A:\r\n" * 2 + b"\r\n", limits=limits)
    assert_rejected_in_all_splits(
        b"0\r\n" + b"A:\r\n" * 3 + b"\r\n", HeadTooLarge, "3 trailer fields", limits=limits
    )


# Cost


def test_small_chunks_are_joined():
    data = (
        b"1\r\nx\r\n" * 5000
        + b"7\r\n1234567\r\n" * 300
        + b"20\r\n"
        + b"y" * 32
        + b"\r\n"
        + b"2\r\nzz\r\n" * 3
    )
    decoder = ChunkedDecoder()
    content, position = decoder.decode(data, 0, PLENTY)
    assert content == b"x" * 5000 + b"1234567" * 300 + b"y" * 32 + b"zz" * 3
    assert position == len(data)


def test_large_chunk_is_decoded_in_one_piece():
    data = b"100000\r\n" + b"x" * 0x100000
    content, position = ChunkedDecoder().decode(data, 0, PLENTY)
    assert (len(content), position) == (0x100000, len(data))


def test_decoding_starts_at_the_given_position():
    decoder = ChunkedDecoder()
    assert decoder.decode(b"head5\r\nhe", 4, PLENTY) == (b"he", 9)
    assert decoder.decode(b"llo\r\n", 0, PLENTY) == (b"llo", 5)
    assert decoder.decode(b"", 0, PLENTY) == (b"", 0)


@pytest.mark.parametrize("line", [b"5;x\r\n", b"\r\n"])
def test_search_for_next_size_line_starts_at_its_beginning(line):
    decoder = ChunkedDecoder()
    buffer = b"0000001\r"
    assert decoder.decode(buffer, 0, PLENTY) == (b"", 0)
    buffer += b"\na\r\n" + line
    if line[0] == ord("5"):
        assert decoder.decode(buffer, 0, PLENTY) == (b"a", len(buffer))
    else:
        with pytest.raises(HTTPInputError, match="invalid chunk size line"):
            decoder.decode(buffer, 0, PLENTY)


def test_data_after_the_end_is_not_consumed():
    decoder = ChunkedDecoder()
    assert decoder.decode(b"0\r\n\r\n5\r\n", 0, PLENTY) == (b"", 5)
    assert decoder.decode(b"5\r\n", 0, PLENTY) == (b"", 0)


def test_chunks_are_serialized():
    assert serialize_chunk(b"hello") == b"5\r\nhello\r\n"
    assert serialize_chunk(b"x" * 300) == b"12c\r\n" + b"x" * 300 + b"\r\n"
    assert serialize_chunk(b"") == b""
    assert LAST_CHUNK == b"0\r\n\r\n"


@given(st.lists(st.binary(min_size=1, max_size=40)), st.integers(1, 10))
def test_serialized_chunks_are_decoded(chunks, size):
    data = b"".join(map(serialize_chunk, chunks)) + LAST_CHUNK
    for step in (None, size):
        content, decoder, rest = decode(data, step)
        assert (content, decoder.phase, rest) == (b"".join(chunks), ChunkPhase.FINISHED, b"")


@given(st.lists(st.sampled_from([b"0", b"1", b"5", b"a", b"\r\n", b"\n", b"\r", b";", b"x", b": ", b"\x00"])))
def test_result_does_not_depend_on_how_the_input_is_split(parts):
    data = b"".join(parts)
    outcomes = []
    for size in (None, 1, 2):
        try:
            content, decoder, rest = decode(data, size)
            outcomes.append((content, rest, decoder.phase, decoder.trailers_block))
        except HTTPInputError as error:
            outcomes.append(type(error))
    assert outcomes[0] == outcomes[1] == outcomes[2]
