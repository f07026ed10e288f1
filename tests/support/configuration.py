"""The configuration of classes that programs can replace, restored after a test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tornado.util import Configurable


@contextmanager
def restored_configuration(base: type[Configurable]) -> Iterator[None]:
    """Restore the configuration of ``base`` after the block."""
    saved = base._save_configuration()
    try:
        yield
    finally:
        base._restore_configuration(saved)
