"""That objects are freed as soon as nobody uses them, and not with the next collection."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def no_collection() -> Iterator[None]:
    """In this block nothing frees a cycle of references."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def found_by_collection() -> list[Any]:
    """What the collector would free now: cycles of references, and what hangs on them."""
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        gc.collect()
        return gc.garbage[:]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
