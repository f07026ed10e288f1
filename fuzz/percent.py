"""Target: percent-encoded bytes. The result must equal the result of the standard library."""

from unittest import mock
from urllib.parse import unquote_to_bytes

from tornado import _percent_decoding as percent


def TestOneInput(data: bytes) -> None:
    """Decode `data` and ten copies of `data`, with the default and with a small piece size."""
    for text in (data, data * 10):
        expected = unquote_to_bytes(text)
        assert percent.unquote_bytes(text) == expected
        assert percent.unquote(text.decode("latin-1")) == expected
        with mock.patch.object(percent, "_PIECE_SIZE", 16), mock.patch.object(percent, "_FEW_ESCAPES", 0):
            assert percent.unquote_bytes(text) == expected
