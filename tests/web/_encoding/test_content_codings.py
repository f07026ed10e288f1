"""The content codings, and the setting that selects them."""

from __future__ import annotations

import builtins
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.codings import Decoder, decode, require_coding
from tornado import web
from tornado.web import ContentCodings
from tornado.web._encoding import _content_codings

NAMES = ["gzip", "br", "zstd"]
TEXT = b"The quick brown fox jumps over the lazy dog. " * 400


@pytest.fixture(params=NAMES)
def coding(request: pytest.FixtureRequest) -> _content_codings.Coding:
    """Run the test with each coding."""
    require_coding(request.param)
    found = _content_codings.find(request.param)
    assert found is not None
    return found


def test_whole_body_is_compressed_at_each_level(coding: Any) -> None:
    for level in coding.levels:
        compressed = coding.whole(TEXT, level)
        assert decode(coding.name, compressed) == TEXT
        assert len(compressed) < len(TEXT) / 20
        assert coding.whole(TEXT, level) == compressed
    assert decode(coding.name, coding.whole(b"", coding.level)) == b""


def test_flushed_parts_can_be_decoded(coding: Any) -> None:
    for level in coding.levels:
        compressor, decoder = coding.begin(level), Decoder(coding.name)
        for part in (b"one", b"", TEXT, b"three"):
            compressed = compressor.compress(part) + compressor.flush()
            assert decoder.decode(compressed) == part
        assert not decoder.ended
        rest = compressor.compress(b"end") + compressor.finish()
        assert decoder.decode(rest) == b"end"
        assert decoder.ended


@given(st.lists(st.tuples(st.binary(max_size=300), st.booleans()), max_size=8), st.sampled_from(NAMES))
def test_round_trip_byte_by_byte(parts: Any, name: str) -> None:
    require_coding(name)
    coding = _content_codings.find(name)
    assert coding is not None
    compressor, decoder = coding.begin(coding.level), Decoder(name)
    given_so_far = read_so_far = b""
    for part, flush in parts:
        given_so_far += part
        compressed = compressor.compress(memoryview(part)) + (compressor.flush() if flush else b"")
        read_so_far += b"".join(decoder.decode(compressed[i : i + 1]) for i in range(len(compressed)))
        assert given_so_far.startswith(read_so_far)
        assert not flush or read_so_far == given_so_far
    compressed = compressor.finish()
    read_so_far += b"".join(decoder.decode(compressed[i : i + 1]) for i in range(len(compressed)))
    assert read_so_far == given_so_far
    assert decoder.ended


def test_gzip_header_has_no_time_and_file_name() -> None:
    for compressed in (_content_codings.GZIP.whole(TEXT, 6), _content_codings.GZIP.begin(6).finish()):
        assert compressed[:8] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00" or not compressed[:8].strip(b"\x00")


def test_zstd_window_is_accepted_by_browsers() -> None:
    """RFC 9659 limits the window to 8 MiB; each compression level must comply."""
    require_coding("zstd")
    import zstandard

    coding = _content_codings.find("zstd")
    assert coding is not None
    large = TEXT * 20
    for level in coding.levels:
        compressor = coding.begin(level)
        for frame in (coding.whole(large, level), compressor.compress(large) + compressor.finish()):
            assert zstandard.get_frame_parameters(frame).window_size <= 8 * 1024 * 1024


# -- without packages --


@pytest.fixture
def without_packages(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make the imports of brotli, zstandard and ``compression.zstd`` fail."""
    real = builtins.__import__

    def importing(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.partition(".")[0] in ("brotli", "zstandard", "compression"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    _content_codings.find.cache_clear()
    monkeypatch.setattr(builtins, "__import__", importing)
    yield
    _content_codings.find.cache_clear()


@pytest.mark.usefixtures("without_packages")
def test_only_gzip_without_packages() -> None:
    assert ContentCodings().names == ("gzip",)
    for name in ("br", "zstd"):
        with pytest.raises(ValueError, match=rf"{name}.* needs the package \w+ \(the extra .compress.\)"):
            ContentCodings([name])


class Library:
    """A substitute for `compression.zstd`, implemented with the package zstandard."""

    class CompressionParameter:
        compression_level, window_log, hash_log, chain_log = "level", "window_log", "hash_log", "chain_log"

    class ZstdCompressor:
        FLUSH_BLOCK, FLUSH_FRAME = "block", "frame"

        def __init__(self, options: dict[str, int]) -> None:
            import zstandard

            parameters = zstandard.ZstdCompressionParameters.from_level(options.pop("level"), **options)
            self._object = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
            self.compress = self._object.compress

        def flush(self, mode: str) -> bytes:
            import zstandard

            if mode == "frame":
                return self._object.flush()
            return self._object.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)

    @staticmethod
    def compress(data: bytes, level: int) -> bytes:
        import zstandard

        return zstandard.compress(data, level)


def test_zstd_with_the_standard_library() -> None:
    require_coding("zstd")
    coding = _content_codings._zstd_by_library(Library)
    assert decode("zstd", coding.whole(TEXT, 3)) == TEXT
    compressor, decoder = coding.begin(3), Decoder("zstd")
    assert decoder.decode(compressor.compress(TEXT) + compressor.flush()) == TEXT
    decoder.decode(compressor.finish())
    assert decoder.ended


# -- the setting --


def levels(codings: ContentCodings) -> dict[str, int]:
    """Return the levels of the codings by name, in order of preference."""
    return {name: codings.coding(name)[1] for name in codings.names}


def test_all_codings_by_default() -> None:
    for name in NAMES:
        require_coding(name)
    codings = ContentCodings()
    assert codings.names == ("zstd", "br", "gzip")
    assert levels(codings) == {"zstd": 3, "br": 4, "gzip": 6}


def test_order_and_levels_are_configurable() -> None:
    require_coding("br")
    assert ContentCodings(["gzip", "br"]).names == ("gzip", "br")
    codings = ContentCodings({"br": 9, "gzip": 1})
    assert list(levels(codings).items()) == [("br", 9), ("gzip", 1)]
    assert codings == ContentCodings({"br": 9, "gzip": 1}) != ContentCodings()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"codings": ["deflate"]}, "unknown coding 'deflate'; accepted are zstd, br, gzip"),
        ({"codings": "gzip"}, r"codings must be a list such as \['gzip'\], got a str"),
        ({"codings": []}, "codings is empty; to disable compression, use False"),
        ({"codings": {}}, "codings is empty; to disable compression, use False"),
        ({"codings": {"gzip": 10}}, "the level of gzip must be 1 to 9, got 10"),
        ({"codings": {"gzip": 0}}, "must be 1 to 9"),
        ({"codings": {"gzip": "6"}}, "must be 1 to 9"),
        ({"min_length": -1}, "min_length must be at least 0, got -1"),
        ({"content_types": "text/html"}, r"must be a list of types such as \['text/html'\], got a str"),
        (["gzip", "snappy"], "unknown coding 'snappy'"),
        ("yes", "unknown coding 'yes'; accepted are zstd, br, gzip"),
        ({"level": 3}, "unknown key 'level'; accepted are codings, min_length, content_types"),
    ],
)
def test_invalid_settings_raise(arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"compress_response: .*{message}"):
        web.Application(compress_response=arguments)


@pytest.mark.parametrize(("name", "level"), [("br", 10), ("zstd", 13), ("zstd", 0)])
def test_levels_out_of_range(name: str, level: int) -> None:
    require_coding(name)
    with pytest.raises(ValueError, match=f"the level of {name} must be"):
        ContentCodings({name: level})


def test_only_compressible_types_are_accepted() -> None:
    codings = ContentCodings()
    for good in (
        "text/html",
        "text/event-stream",
        "application/json",
        "application/ld+json",
        "image/svg+xml",
    ):
        assert codings.compresses(good)
    for bad in ("", "image/png", "application/octet-stream", "video/mp4", "application/gzip"):
        assert not codings.compresses(bad)
    own = ContentCodings(content_types=["Image/X-Raw", "model/*"])
    assert own.compresses("image/x-raw")
    assert own.compresses("model/obj")
    assert not own.compresses("text/html")
    assert not ContentCodings(content_types=[]).compresses("text/html")


def test_transforms_for_values_of_the_setting() -> None:
    def transforms(**settings: Any) -> Any:
        return web.Application(**settings).transforms

    assert transforms() == []
    nothings: list[Any] = [False, None, 0, "", [], (), {}]
    for nothing in nothings:  # as in Tornado, any false value disables compression
        assert transforms(compress_response=nothing) == []
    for plain in (True, 1):
        assert transforms(compress_response=plain) == transforms(gzip=plain) == [web.GZipContentEncoding]
    assert transforms(gzip="yes") == [web.GZipContentEncoding]
    codings = ContentCodings(["gzip"])
    for value in (codings, {"codings": ["gzip"]}, ["gzip"], ("gzip",), "gzip"):
        (made,) = transforms(compress_response=value)
        assert issubclass(made, web.ContentEncoding)
        assert levels(codings) == levels(made.CODINGS)
