"""Decoders of content codings: gzip, deflate, br and zstd (RFC 9110 section 8.4.1).

Theory of operation
-------------------
`ContentDecoder.receive_data` takes input, and `ContentDecoder.next_chunk` decodes one step: a few thousand to
some hundred thousand bytes. Input is decoded only when output is requested, so the caller can stop, pause or
return to the event loop at any point. Several codings form a chain, in which each stage takes the output of
the previous stage, one step at a time. `ContentDecoder.receive_eof` detects a body that ends early.

=======  ==========================  ======================================================================
coding   decoder                     maximum output of a step
=======  ==========================  ======================================================================
gzip     `zlib`                      `STEP` bytes
deflate  `zlib`                      `STEP` bytes
br       package brotli, 1.2         `STEP` bytes and the decoder's buffer of 32 KiB
zstd     `compression.zstd`          `STEP` bytes
         (Python 3.14)
zstd     package zstandard           16 MiB: the package has no limit on output, so `ZSTD_INPUT` bytes are
                                     decoded at a time, and a block of 4 bytes expands to at most 128 KiB
                                     (RFC 8878 section 3.1.1.2.3)
=======  ==========================  ======================================================================

The following input is rejected with `HTTPInputError`: corrupt data; data after the end of the coding (but
gzip members and zstd frames may follow each other, RFC 1952 section 2.2 and RFC 8878 section 3.1); a body
that ends early; more codings than `MAX_CODINGS`; more output than the caller allows. An empty body is
accepted with any coding, because servers declare codings on responses without content.

``deflate`` is the zlib format (RFC 1950). Some servers send the raw format (RFC 1951) instead, because older
versions of one browser expected it. The raw format is recognized because its first two bytes are not a zlib
header.

Limits
------
The output of every stage is compared with ``max_size``. Otherwise the first stage could decode an unlimited
amount of data from which the second stage produces no output. The window of zstd is limited to 8 MiB (RFC
9659 section 3).
"""

from __future__ import annotations

import functools
import zlib
from collections.abc import Callable
from typing import Any, Final, Protocol

from tornado._wire.errors import HTTPInputError
from tornado.util import GzipDecompressor

__all__ = ["MAX_CODINGS", "ContentDecoder", "accept_encoding", "parse_codings"]

#: The maximum number of codings of one message.
MAX_CODINGS: Final = 3
#: The maximum output of a step in bytes, for decoders that have such a limit.
STEP: Final = 64 * 1024
#: The number of input bytes to pass to zstandard at a time.
ZSTD_INPUT: Final = 512
#: The number of steps without output after which control returns to the caller.
_IDLE_STEPS: Final = 16
_ZSTD_WINDOW: Final = 8 * 1024 * 1024

# RFC 9110 section 8.4.1: a recipient considers these equivalent.
_SYNONYMS = {"x-gzip": "gzip"}


class _Decoder(Protocol):
    """A decoder of one coding."""

    @property
    def needs_input(self) -> bool:
        """Whether all input has been consumed."""
        ...

    def decode(self, data: bytes) -> bytes:
        """Take input, which is empty unless `needs_input`, and return the next output, possibly empty."""
        ...

    def finish(self) -> None:
        """Raise an error if the encoded data is incomplete."""
        ...


class _Gzip:
    """A decoder of gzip members (RFC 1952), one after the other."""

    errors: tuple[type[Exception], ...] = (zlib.error, ValueError)

    def __init__(self) -> None:
        self._gzip = GzipDecompressor()

    @property
    def needs_input(self) -> bool:
        return not self._gzip.unconsumed_tail

    def decode(self, data: bytes) -> bytes:
        return self._gzip.decompress(self._gzip.unconsumed_tail or data, STEP)

    def finish(self) -> None:
        self._gzip.flush()


class _Deflate:
    """A decoder of one deflate stream (RFC 1950 or RFC 1951)."""

    errors: tuple[type[Exception], ...] = (zlib.error,)

    def __init__(self) -> None:
        self._zlib: Any = None
        self._head = b""
        self._full = False

    @property
    def needs_input(self) -> bool:
        return not self._full

    def decode(self, data: bytes) -> bytes:
        if self._zlib is None:
            self._head += data
            if len(self._head) < 2:
                return b""
            data, self._head = self._head, b""
            self._zlib = zlib.decompressobj(zlib.MAX_WBITS if _is_zlib(data) else -zlib.MAX_WBITS)
        stream = self._zlib
        if stream.eof and data:
            raise zlib.error("data follows the end of the stream")
        output: bytes = stream.decompress(stream.unconsumed_tail or data, STEP)
        if stream.unused_data:
            raise zlib.error("data follows the end of the stream")
        # zlib may have more output than the limit allowed, even if it has consumed all input.
        self._full = not stream.eof and len(output) == STEP
        return output

    def finish(self) -> None:
        if self._head or (self._zlib is not None and not self._zlib.eof):
            raise zlib.error("the stream ends early")


def _is_zlib(data: bytes) -> bool:
    """Whether ``data`` begins with a zlib header (RFC 1950 section 2.2)."""
    return data[0] & 0x0F == 8 and int.from_bytes(data[:2], "big") % 31 == 0


# -- br (RFC 7932), by the package brotli --


@functools.cache
def _find_br() -> Callable[[], _Decoder] | None:
    try:
        import brotli
    except ImportError:
        return None
    if not hasattr(brotli.Decompressor, "can_accept_more_data"):
        return None  # before version 1.2, the output of a step cannot be limited
    failure: type[Exception] = brotli.error

    class Brotli:
        errors: tuple[type[Exception], ...] = (failure,)

        def __init__(self) -> None:
            self._brotli = brotli.Decompressor()
            self._full = False

        @property
        def needs_input(self) -> bool:
            return not self._full

        def decode(self, data: bytes) -> bytes:
            if self._brotli.is_finished():
                raise failure("data follows the end of the stream")
            stream = self._brotli
            output: bytes = stream.process(data, output_buffer_limit=STEP)
            # can_accept_more_data() is not sufficient: it may be true while there is more output.
            self._full = not stream.is_finished() and (
                len(output) >= STEP or not stream.can_accept_more_data()
            )
            return output

        def finish(self) -> None:
            if not self._brotli.is_finished():
                raise failure("the stream ends early")

    return Brotli


# -- zstd (RFC 8878), by the standard library if it has the module, else by the package zstandard --


@functools.cache
def _find_zstd() -> Callable[[], _Decoder] | None:
    try:
        from compression import zstd  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        return _zstd_by_package()
    return _zstd_by_library(zstd)


def _zstd_by_library(zstd: Any) -> Callable[[], _Decoder]:
    """Return a decoder class based on `compression.zstd` of Python 3.14 or a package with that interface."""
    failure: type[Exception] = zstd.ZstdError
    options = {zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW.bit_length() - 1}

    class Zstd:
        errors: tuple[type[Exception], ...] = (failure, EOFError)

        def __init__(self) -> None:
            self._frame: Any = None
            self._rest = b""

        @property
        def needs_input(self) -> bool:
            return not self._rest and (self._frame is None or self._frame.needs_input)

        def decode(self, data: bytes) -> bytes:
            if self._frame is None:
                self._frame = zstd.ZstdDecompressor(options=options)
                data, self._rest = self._rest or data, b""
            output: bytes = self._frame.decompress(data, STEP)
            if self._frame.eof:
                self._rest = self._frame.unused_data
                self._frame = None
            return output

        def finish(self) -> None:
            if self._frame is not None:
                raise failure("the frame ends early")

    return Zstd


def _zstd_by_package() -> Callable[[], _Decoder] | None:
    try:
        import zstandard
    except ImportError:
        return None
    failure: type[Exception] = zstandard.ZstdError

    class Zstd:
        errors: tuple[type[Exception], ...] = (failure,)

        def __init__(self) -> None:
            self._zstd = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
            self._frame: Any = None
            self._input = b""
            self._position = 0

        @property
        def needs_input(self) -> bool:
            return self._position >= len(self._input)

        def decode(self, data: bytes) -> bytes:
            if data:
                self._input, self._position = data, 0
            piece = self._input[self._position : self._position + ZSTD_INPUT]
            if self._frame is None:
                self._frame = self._zstd.decompressobj()
            output: bytes = self._frame.decompress(piece)
            self._position += len(piece)
            if self._frame.eof:
                self._position -= len(self._frame.unused_data)
                self._frame = None
            return output

        def finish(self) -> None:
            if self._frame is not None:
                raise failure("the frame ends early")

    return Zstd


_GZIP: Callable[[], _Decoder] = _Gzip
_DEFLATE: Callable[[], _Decoder] = _Deflate
_FINDERS: dict[str, Callable[[], Callable[[], _Decoder] | None]] = {
    "gzip": lambda: _GZIP,
    "deflate": lambda: _DEFLATE,
    "br": _find_br,
    "zstd": _find_zstd,
}


@functools.cache
def accept_encoding() -> str:
    """Return the Accept-Encoding value for the codings that are supported here.

    ``deflate`` is not included, because servers use that name for two formats, and all of them support gzip.

    >>> accept_encoding().startswith("gzip")
    True
    """
    return ", ".join(name for name, find in _FINDERS.items() if name != "deflate" and find() is not None)


def parse_codings(field: str) -> tuple[str, ...] | None:
    """Return the codings of a Content-Encoding field in the order in which they were applied.

    :returns: the codings, empty if the content is not encoded; or None if one of them is not supported here.
        If it is None, the content must be passed on unchanged, together with the field.
    :raises HTTPInputError: if there are more than `MAX_CODINGS`.

    >>> parse_codings("x-gzip, identity"), parse_codings("aes128gcm")
    (('gzip',), None)
    """
    codings: list[str] = []
    for member in field.split(","):
        name = member.strip(" \t").lower()
        name = _SYNONYMS.get(name, name)
        if not name or name == "identity":
            continue
        if len(codings) == MAX_CODINGS:
            raise HTTPInputError(f"a message has more than {MAX_CODINGS} content codings: {field[:80]!r}")
        codings.append(name)
    for name in codings:
        find = _FINDERS.get(name)
        if find is None or find() is None:
            return None
    return tuple(codings)


class ContentDecoder:
    """A decoder of one body.

    :param codings: the result of `parse_codings`, with at least one coding.
    :param max_size: the maximum output of each stage in bytes; None for no limit.

    >>> decoder = ContentDecoder(("gzip",))
    >>> decoder.receive_data(zlib.compress(b"content", wbits=31))
    >>> decoder.next_chunk(), decoder.next_chunk(), decoder.receive_eof()
    (b'content', None, None)
    """

    __slots__ = ("_begun", "_codings", "_input", "_sizes", "_stages", "max_size")

    def __init__(self, codings: tuple[str, ...], max_size: int | None = None) -> None:
        #: The maximum output of each stage in bytes, or None. It may be changed while the body arrives.
        self.max_size = max_size
        self._codings = codings[::-1]
        self._stages: list[Any] = []
        for name in self._codings:
            decoder = _FINDERS[name]()
            assert decoder is not None  # parse_codings has checked this
            self._stages.append(decoder())
        self._sizes = [0] * len(codings)
        self._input: list[bytes] = []
        self._begun = False

    def receive_data(self, data: bytes) -> None:
        """Buffer the next bytes of the encoded body for `next_chunk`."""
        if data:
            self._begun = True
            self._input.append(data)

    def next_chunk(self) -> bytes | None:
        """Decode one step.

        :returns: decoded bytes, which are empty if this step had no output but the next may have; None if
            more input is needed.
        :raises HTTPInputError: if the data is corrupt or the output exceeds ``max_size``.
        """
        for _ in range(_IDLE_STEPS):
            chunk = self._step(len(self._stages) - 1)
            if chunk is None or chunk:
                return chunk
        return b""

    def receive_eof(self) -> None:
        """Check that the body is complete, after `next_chunk` has returned None.

        :raises HTTPInputError: if the body ends early.
        """
        if self._begun:
            for name, stage in zip(self._codings, self._stages, strict=True):
                try:
                    stage.finish()
                except stage.errors as error:
                    raise HTTPInputError(f"invalid {name} data in the body: {error}") from error

    def _step(self, index: int) -> bytes | None:
        """Run one stage once. If it needs input, first run the previous stages."""
        stage = self._stages[index]
        data: bytes | None = b""
        if stage.needs_input:
            if index:
                data = self._step(index - 1)
                if not data:
                    return data
            elif self._input:
                data = self._input[0] if len(self._input) == 1 else b"".join(self._input)
                self._input.clear()
            else:
                return None
        try:
            output: bytes = stage.decode(data)
        except stage.errors as error:
            raise HTTPInputError(f"invalid {self._codings[index]} data in the body: {error}") from error
        self._sizes[index] += len(output)
        if self.max_size is not None and self._sizes[index] > self.max_size:
            raise HTTPInputError(
                f"decompressed body too large: over the limit of {self.max_size} bytes (max_body_size)"
            )
        return output
