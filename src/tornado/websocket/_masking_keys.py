"""Masks for a client's frames (RFC 6455 section 5.3): four bytes each that nobody can foresee.

The system is asked for many at once: a call for each frame costs six times as much as its mask is worth.
"""

from __future__ import annotations

import os
from struct import iter_unpack

#: Masks that one call to the system gives.
_AT_ONCE = 256
_masks: list[bytes] = []


def next_mask() -> bytes:
    """A mask that was never used before; from any thread."""
    try:
        return _masks.pop()
    except IndexError:
        fresh = [mask for (mask,) in iter_unpack("4s", os.urandom(4 * _AT_ONCE))]
        mask: bytes = fresh.pop()
        _masks.extend(fresh)
        return mask


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_masks.clear)  # the parent will use those

__all__ = ["next_mask"]
