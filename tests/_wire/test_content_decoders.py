"""Content decoders with complete, truncated, corrupt and oversized bodies."""

from __future__ import annotations

import builtins
import gzip
import random
import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import brotli
import pytest
import zstandard

from tornado._wire import content_decoders
from tornado._wire.content_decoders import MAX_CODINGS, STEP, ContentDecoder, accept_encoding, parse_codings
from tornado._wire.errors import HTTPInputError

TEXT = b"the quick brown fox " * 40
# Random data cannot be compressed, so inputs are as long as outputs.
NOISE = random.Random(5).randbytes(3 * STEP + 17)
SKIPPABLE = b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd"


def gz(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


def raw_deflate(content: bytes) -> bytes:
    return zlib.compress(content, wbits=-15)


def zst(content: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(content)


ENCODERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gz),
    "deflate": ("deflate", zlib.compress),
    "raw deflate": ("deflate", raw_deflate),
    "br": ("br", brotli.compress),
    "zstd": ("zstd", zst),
    "several members": ("gzip", lambda content: gz(content[:7]) + gz(b"") + gz(content[7:])),
    "several frames": ("zstd", lambda content: zst(content[:7]) + SKIPPABLE + zst(b"") + zst(content[7:])),
    "gzip in br": ("gzip, br", lambda content: brotli.compress(gz(content))),
    "three": ("zstd,deflate , x-gzip", lambda content: gz(zlib.compress(zst(content)))),
}
each_encoder = pytest.mark.parametrize(("field", "encode"), ENCODERS.values(), ids=ENCODERS)


def steps(decoder: ContentDecoder) -> Iterator[bytes]:
    while (chunk := decoder.next_chunk()) is not None:
        yield chunk


def decode(field: str, pieces: list[bytes], max_size: int | None = None) -> bytes:
    codings = parse_codings(field)
    assert codings
    decoder = ContentDecoder(codings, max_size)
    content = b""
    for piece in pieces:
        decoder.receive_data(piece)
        content += b"".join(steps(decoder))
    decoder.receive_eof()
    return content


def whole_and_byte_by_byte(body: bytes) -> list[list[bytes]]:
    return [[body], [bytes([byte]) for byte in body], [body[:1], b"", body[1:]]]


@each_encoder
@pytest.mark.parametrize("content", [b"", b"a", TEXT], ids=len)
def test_content_does_not_depend_on_how_the_input_is_split(
    field: str, encode: Callable[[bytes], bytes], content: bytes
) -> None:
    for pieces in whole_and_byte_by_byte(encode(content)):
        assert decode(field, pieces) == content


@each_encoder
def test_large_bodies_are_decoded_in_one_or_two_pieces(field: str, encode: Callable[[bytes], bytes]) -> None:
    for content in (NOISE, bytes(1_000_000)):
        body = encode(content)
        assert decode(field, [body]) == content
        assert decode(field, [body[:5000], body[5000:]]) == content


@each_encoder
def test_truncated_bodies_are_rejected(field: str, encode: Callable[[bytes], bytes]) -> None:
    body = encode(TEXT)
    complete = {0, len(body)}
    if field in ("gzip", "zstd"):  # a sequence may end after each member
        complete |= {size for size in range(len(body)) if _ends(field, body[:size])}
    for size in range(len(body)):
        if size not in complete:
            with pytest.raises(HTTPInputError, match="invalid .* data in the body"):
                decode(field, [body[:size]])


def _ends(field: str, body: bytes) -> bool:
    """Whether a body consists of complete members, according to the standard library."""
    try:
        if field == "gzip":
            gzip.decompress(body)
            return True
        while body:
            frame = zstandard.ZstdDecompressor().decompressobj()
            frame.decompress(body)
            if not frame.eof:
                return False
            body = frame.unused_data
    except (EOFError, OSError, zlib.error, zstandard.ZstdError):
        return False
    return True


@each_encoder
@pytest.mark.parametrize("garbage", [b"\x00", b"x" * 100])
def test_data_after_the_end_is_rejected(field: str, encode: Callable[[bytes], bytes], garbage: bytes) -> None:
    body = encode(TEXT)
    for pieces in ([body + garbage], [body, garbage], [*whole_and_byte_by_byte(body)[1], garbage]):
        with pytest.raises(HTTPInputError, match="invalid .* data in the body"):
            decode(field, pieces)


@each_encoder
def test_corrupt_data_is_rejected(field: str, encode: Callable[[bytes], bytes]) -> None:
    with pytest.raises(HTTPInputError, match="invalid .* data in the body"):
        decode(field, [b"\xff\xfe\xfd<html>"])


@each_encoder
def test_empty_bodies_are_accepted(field: str, encode: Callable[[bytes], bytes]) -> None:
    assert decode(field, []) == b""
    assert decode(field, [b""]) == b""


@each_encoder
def test_decompression_bombs_are_stopped_in_small_steps(field: str, encode: Callable[[bytes], bytes]) -> None:
    codings = parse_codings(field)
    assert codings
    decoder = ContentDecoder(codings, 3_000_000)
    decoder.receive_data(encode(bytes(30_000_000)))
    largest = produced = 0
    with pytest.raises(HTTPInputError, match="over the limit of 3000000 bytes"):
        for chunk in steps(decoder):
            largest, produced = max(largest, len(chunk)), produced + len(chunk)
    assert produced <= 3_000_000
    if "zstd" not in field:
        assert largest <= STEP + 32 * 1024


def test_zstd_steps_are_bounded_by_their_input() -> None:
    parameters = zstandard.ZstdCompressionParameters.from_level(3, window_log=20)
    body = zstandard.ZstdCompressor(compression_params=parameters).compress(bytes(200_000_000))
    decoder = ContentDecoder(("zstd",))
    decoder.receive_data(body)
    assert max(map(len, steps(decoder))) <= 16 * 1024 * 1024


def test_limit_may_be_reached_but_not_exceeded() -> None:
    assert decode("gzip", [gz(bytes(1000))], 1000) == bytes(1000)
    with pytest.raises(HTTPInputError, match="over the limit of 999 bytes"):
        decode("gzip", [gz(bytes(1000))], 999)


def test_a_stage_without_output_at_the_end_is_limited_too() -> None:
    # Many empty members: the outer stage produces megabytes, the inner stage nothing.
    body = gz(gz(b"") * 200_000)
    with pytest.raises(HTTPInputError, match="over the limit of 1000000 bytes"):
        decode("gzip, gzip", [body], 1_000_000)


def test_caller_regains_control_while_there_is_no_output() -> None:
    decoder = ContentDecoder(("gzip", "gzip"))
    decoder.receive_data(gz(gz(b"") * 200_000))
    assert decoder.next_chunk() == b""
    assert b"".join(steps(decoder)) == b""
    decoder.receive_eof()


def test_limit_can_be_changed_while_decoding() -> None:
    decoder = ContentDecoder(("gzip",), 10)
    decoder.max_size = 2000
    decoder.receive_data(gz(bytes(1000)))
    assert b"".join(steps(decoder)) == bytes(1000)


def test_raw_deflate_that_ends_at_a_full_step() -> None:
    for size in (STEP - 1, STEP, STEP + 1, 2 * STEP):
        for encode in (raw_deflate, zlib.compress):
            for pieces in whole_and_byte_by_byte(encode(bytes(size))):
                assert decode("deflate", pieces) == bytes(size)


def test_zstd_windows_over_8_mib_are_rejected() -> None:
    parameters = zstandard.ZstdCompressionParameters.from_level(3, window_log=24)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    body = compressor.compress(NOISE) + compressor.flush()
    with pytest.raises(HTTPInputError, match="invalid zstd data in the body"):
        decode("zstd", [body])


@pytest.mark.parametrize(
    ("field", "codings"),
    [
        ("gzip", ("gzip",)),
        (" X-GZIP ", ("gzip",)),
        ("deflate,gzip", ("deflate", "gzip")),
        ("identity", ()),
        ("", ()),
        (" , identity,", ()),
        ("identity, br", ("br",)),
        ("gzip, aes128gcm", None),
        ("compress", None),
        ("gz ip", None),
    ],
)
def test_content_encoding_is_parsed(field: str, codings: tuple[str, ...] | None) -> None:
    assert parse_codings(field) == codings


def test_too_many_codings_are_rejected() -> None:
    assert parse_codings(",".join(["gzip"] * MAX_CODINGS)) == ("gzip",) * MAX_CODINGS
    with pytest.raises(HTTPInputError, match="more than 3 content codings"):
        parse_codings(",".join(["gzip"] * (MAX_CODINGS + 1)))


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Hide installed packages from the decoders."""

    def clear() -> None:
        for cached in (content_decoders._find_br, content_decoders._find_zstd, accept_encoding):
            cached.cache_clear()

    def hide(*names: str) -> None:
        real = builtins.__import__

        def fake(name: str, *args: Any, **kwargs: Any) -> Any:
            if name in names:
                raise ImportError(name)
            return real(name, *args, **kwargs)

        monkeypatch.setattr(builtins, "__import__", fake)
        clear()

    clear()
    yield hide
    monkeypatch.undo()
    clear()


def test_accept_encoding_contains_installed_decoders(without: Callable[..., None]) -> None:
    assert accept_encoding() == "gzip, br, zstd"
    without("brotli")
    assert accept_encoding() == "gzip, zstd"
    assert parse_codings("br") is None
    without("brotli", "zstandard", "compression")
    assert accept_encoding() == "gzip"
    assert parse_codings("zstd") is None


def test_brotli_without_an_output_limit_is_not_used(
    without: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Old:
        Decompressor = object

    monkeypatch.setitem(sys.modules, "brotli", Old)  # type: ignore[arg-type]
    assert parse_codings("br") is None


class Library:
    """The interface of `compression.zstd`, implemented with zlib."""

    class ZstdError(Exception):
        pass

    class DecompressionParameter:
        window_log_max = 100

    class ZstdDecompressor:
        def __init__(self, options: dict[int, int]) -> None:
            assert options == {100: 23}
            self._zlib = zlib.decompressobj()
            self.needs_input = True
            self.eof = False
            self.unused_data = b""

        def decompress(self, data: bytes, max_length: int) -> bytes:
            assert not self.eof
            assert self.needs_input or not data
            try:
                output = self._zlib.decompress(self._zlib.unconsumed_tail or data, max_length)
            except zlib.error as error:
                raise Library.ZstdError(error) from error
            self.eof, self.unused_data = self._zlib.eof, self._zlib.unused_data
            self.needs_input = not self.eof and len(output) < max_length
            return output


def test_zstd_of_the_standard_library(without: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "compression", type("compression", (), {"zstd": Library}))  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "compression.zstd", Library)  # type: ignore[arg-type]
    body = zlib.compress(bytes(200_000)) + zlib.compress(b"b")
    for pieces in ([body], [body[:1], body[1:]], whole_and_byte_by_byte(body)[1]):
        assert decode("zstd", pieces) == bytes(200_000) + b"b"
    for broken in (body[:-1], body + b"x"):
        with pytest.raises(HTTPInputError, match="invalid zstd data"):
            decode("zstd", [broken])
