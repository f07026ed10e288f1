"""Check that objects are freed when the last reference is dropped, without the garbage collector."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def gc_disabled() -> Iterator[None]:
    """Disable the garbage collector in the block."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def find_garbage() -> list[Any]:
    """Return the objects that the collector finds: reference cycles, and objects that only these need."""
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        gc.collect()
        return gc.garbage[:]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
