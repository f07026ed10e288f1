"""Content codings of responses: what is known of each, and `ContentCodings`, the setting that chooses.

Each coding has two ways. A whole body goes through `Coding.whole` in one call. A body in parts goes through a
`Compressor` of its own, whose ``flush`` ends what was put in so far at a point up to which a client can
decode; such a compressor lives as long as the response, so its memory counts: some 90 KiB for gzip, 130 KiB
for br and 230 KiB for zstd, whose tables are made smaller than the level's own for that reason (the level's
own take 800 KiB and save 5 % of the output).

Levels end where a body of `MAX_AT_ONCE` bytes would stall the event loop for more than 20 ms on a machine of
today. What is to be compressed harder than that is compressed once and kept, not with each response.
"""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol

#: Bytes that are compressed in one call on the event loop's thread.
MAX_AT_ONCE = 256 * 1024

#: RFC 9659 section 3 allows zstd's window 8 MiB; this costs less memory on both sides.
_ZSTD_STREAM = {"window_log": 18, "hash_log": 15, "chain_log": 14}
#: Base 2 logarithm of br's window: 512 KiB, twice as fast as 4 MiB with outputs of the same size.
_BR_WINDOW = 19

#: Types that are worth compressing besides ``text/*``; those of `.GZipContentEncoding` are part of it.
_TYPES = frozenset(
    """
    application/javascript application/json application/manifest+json application/wasm
    application/x-javascript application/x-ndjson application/xml font/otf font/ttf image/bmp
    """.split()
)


class Compressor(Protocol):
    """One response's body on its way through a coding."""

    def compress(self, data: Any, /) -> bytes:
        """Take bytes in, and return what is ready."""
        ...

    def flush(self) -> bytes:
        """The rest of what was taken in, ended so that a client can decode all of it."""
        ...

    def finish(self) -> bytes:
        """The rest, and the end of the coding; nothing may be called afterwards."""
        ...


@dataclass(frozen=True, slots=True)
class Coding:
    """A content coding and how to do it.

    :param name: as in Content-Encoding.
    :param levels: the ones that may be set, from quick to thorough.
    :param level: the one for who names none.
    :param whole: bytes and level to compressed bytes.
    :param begin: level to a new `Compressor`.
    """

    name: str
    levels: range
    level: int
    whole: Callable[[bytes, int], bytes]
    begin: Callable[[int], Compressor]


# -- gzip (RFC 1952): no name and no time of a file in the head, so that equal bodies give equal bytes --


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


# -- br (RFC 7932), by the package brotli --


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


# -- zstd (RFC 8878), by the standard library where it has it, else by the package zstandard --


def _zstd() -> Coding | None:
    try:
        from compression import zstd  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        return _zstd_by_package()
    return _zstd_by_library(zstd)


def _zstd_by_library(zstd: Any) -> Coding:
    """`zstd` is `compression.zstd` of Python 3.14, or the package of that interface."""
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
        """By level: to make one costs half as much as to compress a small body."""

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


#: By name, the favourite first: zstd makes the sizes of br in a third of the time.
_CODINGS: dict[str, Callable[[], Coding | None]] = {"zstd": _zstd, "br": _br, "gzip": _gzip}


@cache
def find(name: str) -> Coding | None:
    """The coding of that name, if it can be done here."""
    return _CODINGS[name]()


@dataclass(frozen=True)
class ContentCodings:
    """How to compress responses: the value of the application's setting ``compress_response``.

    ::

        Application(routes, compress_response=ContentCodings())
        Application(routes, compress_response=ContentCodings({"br": 5, "gzip": 6}, min_length=500))
        Application(routes, compress_response={"codings": ["zstd", "gzip"], "min_length": 500})
        Application(routes, compress_response=["zstd", "gzip"])
        Application(routes, compress_response="zstd")

    The other forms suit settings that are read from a file: a dictionary of the arguments, a list of codings,
    or the name of one. What is empty turns compression off, as ever, and so does an empty dictionary;
    ``compress_response=True`` means gzip alone, by `GZipContentEncoding`, as ever: installing a package must
    not change what an existing program sends.

    :param codings: names in order of preference (``zstd``, ``br``, ``gzip``), or a dictionary of name to
        level. By default each that can be done here. The client's weights go before this order (RFC 9110
        section 12.5.3). ``br`` needs the package brotli, ``zstd`` Python 3.14 or the package zstandard: ``pip
        install 'tornado[compress]'`` installs both.
    :param min_length: bytes below which a body that is whole is sent as it is.
    :param content_types: types to compress. By default ``text/*``, those that end in ``+json`` or ``+xml``,
        and some more that compress well; a list takes the place of all these, and may hold ``text/*`` and the
        like.
    :raises ValueError: for an unknown coding, one that cannot be done here, a level out of its range
        (``zstd`` 1 to 12, ``br`` 0 to 9, ``gzip`` 1 to 9), a negative `min_length`, or a text where a list
        is due.

    A page that holds a secret next to what somebody else can have it repeat, over TLS too, lets him guess the
    secret by the compressed length (BREACH). XSRF tokens are masked anew for each response and so are safe;
    for pages with other secrets do ``self.set_header("Cache-Control", "no-transform")``, which turns
    compression off for that response.
    """

    codings: Mapping[str, int] | Sequence[str] | None = None
    min_length: int = 1024
    content_types: Iterable[str] | None = None
    _chosen: dict[str, tuple[Coding, int]] = field(init=False, repr=False, compare=False)
    _names: tuple[str, ...] = field(init=False, repr=False, compare=False)
    _types: frozenset[str] | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.min_length < 0:
            raise ValueError(f"compress_response: min_length is negative: {self.min_length}")
        chosen = _checked(self.codings)
        types = self.content_types
        if isinstance(types, str):
            raise ValueError(
                f"compress_response: content_types is one string, not a list of types: [{types!r}]"
            )
        object.__setattr__(self, "_chosen", chosen)
        object.__setattr__(self, "_names", tuple(chosen))
        object.__setattr__(
            self, "_types", None if types is None else frozenset(each.strip().lower() for each in types)
        )

    @classmethod
    def _of(cls, setting: Any) -> ContentCodings:
        """The value of a setting that is one, a dictionary of the arguments for one, or names of codings.

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
                f"compress_response: {unknown[0]!r} is none of codings, min_length and content_types"
            )
        return cls(**setting)

    def _compressible(self, content_type: str) -> bool:
        """Whether bodies of that type, in lower case and without parameters, are to be compressed."""
        types = self._types
        if types is None:
            return (
                content_type.startswith("text/")
                or content_type.endswith(("+json", "+xml"))
                or content_type in _TYPES
            )
        return content_type in types or content_type.partition("/")[0] + "/*" in types


def _checked(codings: Mapping[str, int] | Sequence[str] | None) -> dict[str, tuple[Coding, int]]:
    if codings is None:
        found = [find(name) for name in _CODINGS]
        return {coding.name: (coding, coding.level) for coding in found if coding is not None}
    if isinstance(codings, str):
        raise ValueError(f"compress_response: codings is one string, not a list of names: [{codings!r}]")
    levels = codings if isinstance(codings, Mapping) else dict.fromkeys(codings)
    chosen: dict[str, tuple[Coding, int]] = {}
    for name, level in levels.items():
        if name not in _CODINGS:
            raise ValueError(f"compress_response: {name!r} is none of the codings {', '.join(_CODINGS)}")
        coding = find(name)
        if coding is None:
            raise ValueError(
                f"compress_response: the coding {name!r} needs a package: pip install 'tornado[compress]'"
            )
        if level is None:
            level = coding.level
        if level not in coding.levels:
            lowest, highest = coding.levels[0], coding.levels[-1]
            raise ValueError(
                f"compress_response: {name} has levels {lowest} to {highest} for responses, not {level}"
            )
        chosen[name] = (coding, level)
    if not chosen:
        raise ValueError("compress_response: codings is empty; compress_response=False turns compression off")
    return chosen
