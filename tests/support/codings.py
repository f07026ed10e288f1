"""Decoders for the content codings of responses."""

from __future__ import annotations

import importlib.util
import os
import shutil
import zlib
from typing import Any

import pytest

_PACKAGES = {"br": "brotli", "zstd": "zstandard"}


def require(what: str, present: bool) -> None:
    """Skip the test where `what` is absent; where ``CI`` is set, fail it."""
    if not present:
        if os.environ.get("CI"):
            pytest.fail(f"{what} is absent, and this test may not be skipped here", pytrace=False)
        pytest.skip(f"{what} is absent")


def require_coding(name: str) -> None:
    """Skip the test where the package for a coding is absent."""
    package = _PACKAGES.get(name)
    if package is not None:
        require(f"the package {package}", importlib.util.find_spec(package) is not None)


def require_program(name: str) -> str:
    """The path of a program; without it the test is skipped."""
    path = shutil.which(name)
    require(f"the program {name}", path is not None)
    return path or ""


class Decoder:
    """Undoes a coding piece by piece."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._decoder: Any
        if name == "gzip":
            self._decoder = zlib.decompressobj(16 + zlib.MAX_WBITS)
        elif name == "br":
            import brotli

            self._decoder = brotli.Decompressor()
        else:
            import zstandard

            self._decoder = zstandard.ZstdDecompressor().decompressobj()

    def decode(self, data: bytes) -> bytes:
        """What `data` adds to the content."""
        decoder = self._decoder
        decoded: bytes = decoder.process(data) if self._name == "br" else decoder.decompress(data)
        return decoded

    @property
    def ended(self) -> bool:
        """Whether the coding's own end has been seen."""
        return bool(self._decoder.is_finished() if self._name == "br" else self._decoder.eof)


def decode(name: str | None, data: bytes) -> bytes:
    """The whole content, which must be complete; None is no coding."""
    if name is None:
        return data
    decoder = Decoder(name)
    content = decoder.decode(data)
    assert decoder.ended
    return content
