"""That objects are freed as soon as nobody uses them, and not with the next collection."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def no_collection() -> Iterator[None]:
    """In this block nothing frees a cycle of references."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
