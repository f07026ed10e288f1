"""Percent-encoded bytes: decoded as the standard library does it, few escapes and many, in any pieces."""

from unittest import mock
from urllib.parse import unquote_to_bytes

from tornado import _percent_encoding as percent


def TestOneInput(data: bytes) -> None:
    """Decode `data`, and `data` several times over, whole and in pieces."""
    for text in (data, data * 10):
        expected = unquote_to_bytes(text)
        assert percent.unquote_bytes(text) == expected
        assert percent.unquote(text.decode("latin-1")) == expected
        with mock.patch.object(percent, "_PIECE", 16), mock.patch.object(percent, "_FEW_ESCAPES", 0):
            assert percent.unquote_bytes(text) == expected
