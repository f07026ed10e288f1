"""Compression of messages: what programs say about it, and the two classes that Tornado has for it.

`get_compression_options` returns a dictionary; `policy_of` makes of it the immutable value that the protocol
negotiates with. The two classes are for programs that compress frames themselves; connections do not use
them.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping
from typing import Any

from tornado._wire.ws_deflate import TAIL, DeflatePolicy, Inflater, _compressor, compress_once
from tornado.websocket._log_once import de_dupe_gen_log

#: The dictionary's keys, and the fields of `DeflatePolicy` that they set.
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
    """What a dictionary of compression options means; None, for no compression, stays None.

    :param options: ``compression_level`` (-1 to 9) and ``mem_level`` (1 to 9) are zlib's; Waterspout's own
        are ``server_max_window_bits``, ``client_max_window_bits`` (8 to 15: less memory),
        ``server_no_context_takeover``, ``client_no_context_takeover`` (nothing is kept between messages) and
        ``threshold`` (bytes below which a message is sent as it is). Unknown ones are logged, once each.
    :raises ValueError: for a number out of its range.
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
            de_dupe_gen_log(logging.WARNING, "unknown compression option %r; there are %s", name, known)
    return _shared_policy(*fields)


@functools.lru_cache(maxsize=64)
def _shared_policy(*fields: tuple[str, Any]) -> DeflatePolicy:
    return DeflatePolicy(**dict(fields))


class _DecompressTooLargeError(Exception):
    """A message is over its limit once it is decompressed."""


class _PerMessageDeflateCompressor:
    """Compresses messages as RFC 7692 section 7.2.1 says.

    :param persistent: a message may refer to earlier ones.
    :param max_wbits: the binary logarithm of the window, 9 to 15 (8 is not zlib's to write); None for 15.
    :param compression_options: as in `policy_of`; levels are taken from it.
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
        """The payload of the frame for a message."""
        stream = self._stream
        if stream is None:
            return compress_once(data, self._window_bits, self._policy)
        return (stream.compress(data) + stream.flush(2))[: -len(TAIL)]


class _PerMessageDeflateDecompressor:
    """The counterpart (RFC 7692 section 7.2.2).

    :param max_message_size: bytes that a message may have when it is decompressed.
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
        """The message of a frame's payload.

        :raises _DecompressTooLargeError: if it is over the limit; no more than that is held in memory.
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
        raise ValueError(f"max_wbits is 8 to {_MAX_WINDOW}, not {max_wbits!r}")
    return max(bits, 9)


__all__ = [
    "_DecompressTooLargeError",
    "_PerMessageDeflateCompressor",
    "_PerMessageDeflateDecompressor",
    "policy_of",
]
