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
    """Skip the test if a requirement is missing, or fail it if ``CI`` is set."""
    if not present:
        if os.environ.get("CI"):
            pytest.fail(f"{what} is not installed, and tests must not be skipped in CI", pytrace=False)
        pytest.skip(f"{what} is not installed")


def require_coding(name: str) -> None:
    """Skip the test if the package for a content coding is not installed."""
    package = _PACKAGES.get(name)
    if package is not None:
        require(f"the package {package}", importlib.util.find_spec(package) is not None)


def require_program(name: str) -> str:
    """Return the path of a program; skip the test if it is not installed."""
    path = shutil.which(name)
    require(f"the program {name}", path is not None)
    return path or ""


class Decoder:
    """A streaming decoder of a content coding."""

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
        """Decode the next piece of data."""
        decoder = self._decoder
        decoded: bytes = decoder.process(data) if self._name == "br" else decoder.decompress(data)
        return decoded

    @property
    def ended(self) -> bool:
        """Whether the end of the compressed stream has been reached."""
        return bool(self._decoder.is_finished() if self._name == "br" else self._decoder.eof)


def decode(name: str | None, data: bytes) -> bytes:
    """Decode complete content; with the coding None, return it unchanged."""
    if name is None:
        return data
    decoder = Decoder(name)
    content = decoder.decode(data)
    assert decoder.ended
    return content
