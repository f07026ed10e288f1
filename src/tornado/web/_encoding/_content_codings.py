"""Content codings of responses, and `ContentCodings`, the setting that selects them.

Each coding has two interfaces. `Coding.whole` compresses a complete body in one call. A body in parts is
compressed by a `Compressor`, whose ``flush`` emits all data so far in a form that the client can decode. A
compressor lives as long as the response, so its memory matters: about 90 KiB for gzip, 130 KiB for br and
230 KiB for zstd. For this reason zstd uses smaller tables than its levels define: the standard tables take
800 KiB, and make the output only 5 % smaller.

The maximum level of each coding is the highest at which compressing `MAX_AT_ONCE` bytes blocks the event loop
for at most 20 ms on a current machine. For higher compression, compress the content once and store it.
"""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol

#: The maximum number of bytes that are compressed in one call in the event loop thread.
MAX_AT_ONCE = 256 * 1024

#: RFC 9659 section 3 permits a zstd window of 8 MiB; a smaller window needs less memory on both sides.
_ZSTD_STREAM = {"window_log": 18, "hash_log": 15, "chain_log": 14}
#: The base 2 logarithm of br's window: 512 KiB, twice as fast as 4 MiB with outputs of the same size.
_BR_WINDOW = 19

#: The media types compressed by default, in addition to ``text/*``. They include the media
#: types of `.GZipContentEncoding`.
_TYPES = frozenset(
    """
    application/javascript application/json application/manifest+json application/wasm
    application/x-javascript application/x-ndjson application/xml font/otf font/ttf image/bmp
    """.split()
)


class Compressor(Protocol):
    """An incremental compressor for the body of one response."""

    def compress(self, data: Any, /) -> bytes:
        """Add input, and return the output that is available."""
        ...

    def flush(self) -> bytes:
        """Return the remaining output, so that the client can decode all input so far."""
        ...

    def finish(self) -> bytes:
        """End the compressed data and return the remaining output; no method may be called afterwards."""
        ...


@dataclass(frozen=True, slots=True)
class Coding:
    """A content coding and its implementation.

    :param name: the name used in Content-Encoding.
    :param levels: the accepted compression levels, from fastest to smallest output.
    :param level: the default level.
    :param whole: a function that compresses a complete body at a level.
    :param begin: a function that returns a new `Compressor` for a level.
    """

    name: str
    levels: range
    level: int
    whole: Callable[[bytes, int], bytes]
    begin: Callable[[int], Compressor]


# -- gzip (RFC 1952), without file name and time in the header, so that equal bodies give equal bytes --


class _Gzip:
    __slots__ = ("_zlib", "compress")

    def __init__(self, level: int) -> None:
        self._zlib = zlib.compressobj(level, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
        self.compress = self._zlib.compress

    def flush(self) -> bytes:
        return self._zlib.flush(zlib.Z_SYNC_FLUSH)

    def finish(self) -> bytes:
        return self._zlib.flush(zlib.Z_FINISH)


def _gzip_whole(data: bytes, level: int) -> bytes:
    return zlib.compress(data, level, 16 + zlib.MAX_WBITS)


GZIP = Coding("gzip", range(1, 10), 6, _gzip_whole, _Gzip)


def _gzip() -> Coding:
    return GZIP


# -- br (RFC 7932), with the package brotli --


def _br() -> Coding | None:
    try:
        import brotli
    except ImportError:
        return None

    class Brotli:
        __slots__ = ("compress", "finish", "flush")

        def __init__(self, level: int) -> None:
            compressor = brotli.Compressor(quality=level, lgwin=_BR_WINDOW)
            self.compress = compressor.process
            self.flush = compressor.flush
            self.finish = compressor.finish

    def whole(data: bytes, level: int) -> bytes:
        compressed: bytes = brotli.compress(data, quality=level, lgwin=_BR_WINDOW)
        return compressed

    return Coding("br", range(10), 4, whole, Brotli)


# -- zstd (RFC 8878), with the standard library (Python 3.14) or else the package zstandard --


def _zstd() -> Coding | None:
    try:
        from compression import zstd  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        return _zstd_by_package()
    return _zstd_by_library(zstd)


def _zstd_by_library(zstd: Any) -> Coding:
    """Return the coding implemented with `compression.zstd` of Python 3.14, or a backport of it."""
    names = zstd.CompressionParameter
    small = {getattr(names, name): value for name, value in _ZSTD_STREAM.items()}

    class Zstd:
        __slots__ = ("_zstd", "compress")

        def __init__(self, level: int) -> None:
            self._zstd = zstd.ZstdCompressor(options={names.compression_level: level, **small})
            self.compress = self._zstd.compress

        def flush(self) -> bytes:
            block: bytes = self._zstd.flush(zstd.ZstdCompressor.FLUSH_BLOCK)
            return block

        def finish(self) -> bytes:
            frame: bytes = self._zstd.flush(zstd.ZstdCompressor.FLUSH_FRAME)
            return frame

    def whole(data: bytes, level: int) -> bytes:
        compressed: bytes = zstd.compress(data, level)
        return compressed

    return Coding("zstd", range(1, 13), 3, whole, Zstd)


def _zstd_by_package() -> Coding | None:
    try:
        import zstandard
    except ImportError:
        return None

    class Contexts(threading.local):
        """A cache of compressors by level. Creating one costs half as much as compressing a small body."""

        def __init__(self) -> None:
            self.by_level: dict[int, zstandard.ZstdCompressor] = {}

    contexts = Contexts()

    class Zstd:
        __slots__ = ("_zstd", "compress", "finish")

        def __init__(self, level: int) -> None:
            parameters = zstandard.ZstdCompressionParameters.from_level(level, **_ZSTD_STREAM)
            self._zstd = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
            self.compress = self._zstd.compress
            self.finish = self._zstd.flush

        def flush(self) -> bytes:
            return self._zstd.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)

    def whole(data: bytes, level: int) -> bytes:
        context = contexts.by_level.get(level)
        if context is None:
            context = contexts.by_level[level] = zstandard.ZstdCompressor(level=level)
        return context.compress(data)

    return Coding("zstd", range(1, 13), 3, whole, Zstd)


#: Functions that return the codings, by name, in order of preference. zstd achieves the same size as br in a
#: third of the time.
_CODINGS: dict[str, Callable[[], Coding | None]] = {"zstd": _zstd, "br": _br, "gzip": _gzip}
_PACKAGES = {"zstd": "zstandard", "br": "brotli"}


@cache
def find(name: str) -> Coding | None:
    """Return the coding with the given name, or None if its package is not installed."""
    return _CODINGS[name]()


@dataclass(frozen=True)
class ContentCodings:
    """The configuration of response compression: a value of the application's setting ``compress_response``.

    ::

        Application(routes, compress_response=ContentCodings())
        Application(routes, compress_response=ContentCodings({"br": 5, "gzip": 6}, min_length=500))
        Application(routes, compress_response={"codings": ["zstd", "gzip"], "min_length": 500})
        Application(routes, compress_response=["zstd", "gzip"])
        Application(routes, compress_response="zstd")

    The last three forms are convenient for settings read from a file: a dictionary of the arguments, a list
    of codings, or the name of one. An empty value, including an empty dictionary, disables compression. With
    ``compress_response=True`` only gzip is used, by `GZipContentEncoding`, so that installing a package does
    not change the responses of an existing program.

    :param codings: the names in order of preference (``zstd``, ``br``, ``gzip``), or a dictionary from name
        to level. The default is all available codings. The weights sent by the client take precedence over
        this order (RFC 9110 section 12.5.3). ``br`` requires the package brotli, ``zstd`` Python 3.14 or the
        package zstandard; the extra ``compress`` installs both.
    :param min_length: the minimum size of a body in bytes. A smaller body is not compressed, unless it is
        sent in parts.
    :param content_types: the media types to compress. The default is ``text/*``, all types ending in
        ``+json`` or ``+xml``, and others that compress well. A list replaces all of these types; it may
        contain ranges such as ``text/*``.
    :raises ValueError: if a coding is unknown or not available, a level is out of range (``zstd`` 1 to 12,
        ``br`` 0 to 9, ``gzip`` 1 to 9), `min_length` is negative, or a str is passed instead of a list.

    If a page contains both a secret and text chosen by an attacker, the attacker can determine the secret
    from the compressed length, even over TLS (BREACH). XSRF tokens are not affected, because they are masked
    differently in each response. For pages with other secrets, call ``self.set_header("Cache-Control",
    "no-transform")``, which disables compression for the response.
    """

    codings: Mapping[str, int] | Sequence[str] | None = None
    min_length: int = 1024
    content_types: Iterable[str] | None = None
    _chosen: dict[str, tuple[Coding, int]] = field(init=False, repr=False, compare=False)
    _names: tuple[str, ...] = field(init=False, repr=False, compare=False)
    _types: frozenset[str] | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.min_length < 0:
            raise ValueError(f"compress_response: min_length must be at least 0, got {self.min_length}")
        chosen = _check_codings(self.codings)
        types = self.content_types
        if isinstance(types, str):
            raise ValueError(
                f"compress_response: content_types must be a list of types such as [{types!r}], got a str"
            )
        object.__setattr__(self, "_chosen", chosen)
        object.__setattr__(self, "_names", tuple(chosen))
        object.__setattr__(
            self, "_types", None if types is None else frozenset(each.strip().lower() for each in types)
        )

    @classmethod
    def _of(cls, setting: Any) -> ContentCodings:
        """Convert the value of the setting: an instance, a dictionary of arguments, or names of codings.

        :raises ValueError: if an argument or a coding is unknown.
        """
        if isinstance(setting, ContentCodings):
            return setting
        if isinstance(setting, str):
            return cls([setting])
        if not isinstance(setting, dict):
            return cls(setting)
        unknown = sorted(set(setting) - {"codings", "min_length", "content_types"})
        if unknown:
            raise ValueError(
                f"compress_response: unknown key {unknown[0]!r}; "
                "accepted are codings, min_length, content_types"
            )
        return cls(**setting)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the codings, in order of preference."""
        return self._names

    def coding(self, name: str) -> tuple[Coding, int]:
        """Return the coding with the given name, and its level."""
        return self._chosen[name]

    def compresses(self, content_type: str) -> bool:
        """Whether bodies of a media type, given in lower case and without parameters, are compressed."""
        return self._compressible(content_type)

    def _compressible(self, content_type: str) -> bool:
        """Whether to compress bodies of a media type, given in lower case and without parameters."""
        types = self._types
        if types is None:
            return (
                content_type.startswith("text/")
                or content_type.endswith(("+json", "+xml"))
                or content_type in _TYPES
            )
        return content_type in types or content_type.partition("/")[0] + "/*" in types


def _check_codings(codings: Mapping[str, int] | Sequence[str] | None) -> dict[str, tuple[Coding, int]]:
    if codings is None:
        found = [find(name) for name in _CODINGS]
        return {coding.name: (coding, coding.level) for coding in found if coding is not None}
    if isinstance(codings, str):
        raise ValueError(f"compress_response: codings must be a list such as [{codings!r}], got a str")
    levels = codings if isinstance(codings, Mapping) else dict.fromkeys(codings)
    chosen: dict[str, tuple[Coding, int]] = {}
    for name, level in levels.items():
        if name not in _CODINGS:
            raise ValueError(
                f"compress_response: unknown coding {name!r}; accepted are {', '.join(_CODINGS)}"
            )
        coding = find(name)
        if coding is None:
            raise ValueError(
                f"compress_response: the coding {name!r} needs the package {_PACKAGES[name]} (the extra "
                "'compress')"
            )
        if level is None:
            level = coding.level
        if level not in coding.levels:
            lowest, highest = coding.levels[0], coding.levels[-1]
            raise ValueError(
                f"compress_response: the level of {name} must be {lowest} to {highest}, got {level}"
            )
        chosen[name] = (coding, level)
    if not chosen:
        raise ValueError("compress_response: codings is empty; to disable compression, use False")
    return chosen
