"""The options of message compression, and Tornado's classes for compressing messages.

`policy_of` converts the dictionary that `get_compression_options` returns into the immutable value that the
protocol uses for the negotiation. The two classes are for programs that compress frames themselves;
connections do not use them.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping
from typing import Any

from tornado._log_rate_limit import de_dupe_gen_log
from tornado._wire.ws_deflate import TAIL, DeflatePolicy, Inflater, _compressor, compress_once

#: The keys of the dictionary and the fields of `DeflatePolicy` that they set.
_FIELDS = {
    "compression_level": "level",
    "mem_level": "mem_level",
    "server_max_window_bits": "server_max_window_bits",
    "client_max_window_bits": "client_max_window_bits",
    "server_no_context_takeover": "server_no_context_takeover",
    "client_no_context_takeover": "client_no_context_takeover",
    "threshold": "threshold",
}
_MAX_WINDOW = 15


def policy_of(options: Mapping[str, Any] | None) -> DeflatePolicy | None:
    """Convert a dictionary of compression options; None, for no compression, stays None.

    :param options: ``compression_level`` (-1 to 9) and ``mem_level`` (1 to 9), which are passed to zlib.
        Additions of Waterspout are ``server_max_window_bits``, ``client_max_window_bits`` (8 to 15; smaller
        windows save memory), ``server_no_context_takeover``, ``client_no_context_takeover`` (whether each
        message is compressed separately) and ``threshold`` (the minimum size of a message to compress, in
        bytes). A warning is logged once for each unknown key.
    :raises ValueError: if a number is out of range.
    """
    if options is None:
        return None
    fields = []
    for name, value in options.items():
        field = _FIELDS.get(name)
        if field is not None:
            fields.append((field, value))
        else:
            known = ", ".join(sorted(_FIELDS))
            text = "unknown compression option %r: the supported options are %s"
            de_dupe_gen_log(logging.WARNING, text, name, known)
    return _shared_policy(*fields)


@functools.lru_cache(maxsize=64)
def _shared_policy(*fields: tuple[str, Any]) -> DeflatePolicy:
    return DeflatePolicy(**dict(fields))


class _DecompressTooLargeError(Exception):
    """The decompressed size of a message exceeds its limit."""


class _PerMessageDeflateCompressor:
    """A compressor of messages (RFC 7692 section 7.2.1).

    :param persistent: whether a message may refer to earlier ones.
    :param max_wbits: the base-2 logarithm of the window size in bytes, 8 to 15; None for 15. zlib cannot
        compress with 8, so 9 is used instead.
    :param compression_options: a dictionary as in `policy_of`, which provides the levels.
    :raises ValueError: if `max_wbits` is out of range.
    """

    def __init__(
        self,
        persistent: bool,
        max_wbits: int | None,
        compression_options: dict[str, Any] | None = None,
    ) -> None:
        self._window_bits = _checked_window(max_wbits)
        self._policy = policy_of(compression_options or {}) or DeflatePolicy()
        self._stream = _compressor(self._window_bits, self._policy) if persistent else None

    def compress(self, data: bytes) -> bytes:
        """Compress a message and return the payload of its frame."""
        stream = self._stream
        if stream is None:
            return compress_once(data, self._window_bits, self._policy)
        return (stream.compress(data) + stream.flush(2))[: -len(TAIL)]


class _PerMessageDeflateDecompressor:
    """A decompressor of messages (RFC 7692 section 7.2.2).

    The arguments are those of `_PerMessageDeflateCompressor`, except:

    :param max_message_size: the maximum size of a message after decompression, in bytes.
    """

    def __init__(
        self,
        persistent: bool,
        max_wbits: int | None,
        max_message_size: int,
        compression_options: dict[str, Any] | None = None,
    ) -> None:
        self._window_bits = _checked_window(max_wbits)
        self._limit = max_message_size
        self._inflater = Inflater(self._window_bits) if persistent else None

    def decompress(self, data: bytes) -> bytes:
        """Decompress the payload of a frame and return the message.

        :raises _DecompressTooLargeError: if the message exceeds the limit. At most one byte more than the
            limit is decompressed.
        """
        inflater = self._inflater or Inflater(self._window_bits)
        output, rest = inflater.step(data + TAIL, self._limit + 1)
        if len(output) > self._limit or rest:
            raise _DecompressTooLargeError
        inflater.end_message()
        return output


def _checked_window(max_wbits: int | None) -> int:
    bits = _MAX_WINDOW if max_wbits is None else max_wbits
    if not 8 <= bits <= _MAX_WINDOW:
        raise ValueError(f"max_wbits must be between 8 and {_MAX_WINDOW}, got {max_wbits!r}")
    return max(bits, 9)


__all__ = [
    "_DecompressTooLargeError",
    "_PerMessageDeflateCompressor",
    "_PerMessageDeflateDecompressor",
    "policy_of",
]
