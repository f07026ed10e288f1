"""Masking keys for the frames of clients (RFC 6455 section 5.3): four unpredictable bytes each.

Many keys are made from one call of `os.urandom`. A call for each frame would be six times as slow.
"""

from __future__ import annotations

import os
from struct import iter_unpack

#: The number of keys made from one call of `os.urandom`.
_KEYS_PER_CALL = 256
_keys: list[bytes] = []


def next_masking_key() -> bytes:
    """Return a masking key that has not been used before. This function is thread-safe."""
    try:
        return _keys.pop()
    except IndexError:
        fresh = [mask for (mask,) in iter_unpack("4s", os.urandom(4 * _KEYS_PER_CALL))]
        mask: bytes = fresh.pop()
        _keys.extend(fresh)
        return mask


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_keys.clear)  # the parent process uses these keys

__all__ = ["next_masking_key"]
