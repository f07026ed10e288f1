"""Percent-decoding gives the same result as ``urllib.parse.unquote_to_bytes``, for few and many escapes."""

from __future__ import annotations

import urllib.parse
from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.work import assert_linear
from tornado import _percent_decoding as percent
from tornado._percent_decoding import unquote, unquote_bytes

escapes = st.sampled_from(
    ["%", "%4", "%41", "%C3%A9", "%%", "%3d", "%25", "=", "==", "\n", "\r\n", "a", "é", "+"]
)


@pytest.mark.parametrize("tail", ["", "%", "%4", "%41", "=", "\n", "a"])
@pytest.mark.parametrize("piece", [16, 32 * 1024])
@given(st.lists(escapes, max_size=60).map("".join))
@example("%41" * 40)
@example("=%41" * 20)
@example("%=41" * 20)
@example("%\n41" * 20)
@example("%%41" * 20)
def test_escapes_are_decoded_as_by_the_standard_library(tail: str, piece: int, text: str) -> None:
    text += tail
    data = text.encode("latin-1")
    expected = urllib.parse.unquote_to_bytes(data)
    with mock.patch.object(percent, "_PIECE_SIZE", piece):
        assert unquote_bytes(data) == expected
        with mock.patch.object(percent, "_BYTES_PER_SPARSE_ESCAPE", 1):
            assert unquote_bytes(data) == expected
        for few in (0, 10_000):
            with mock.patch.object(percent, "_FEW_ESCAPES", few):
                assert unquote(text) == expected


@given(st.binary(), st.binary(max_size=3))
def test_arbitrary_bytes_are_decoded_as_by_the_standard_library(data: bytes, unit: bytes) -> None:
    data += unit * 20
    assert unquote_bytes(data) == urllib.parse.unquote_to_bytes(data)


@pytest.mark.parametrize("unit", [b"%41", b"%", b"%z", b"%4", b"=%", b"=%41", b"\n%41", b"%%41"])
def test_cost_is_linear(unit: bytes) -> None:
    assert_linear(unquote_bytes, lambda size: unit * (size // len(unit)), 50_000)


def test_equals_signs_are_not_doubled_for_few_escapes() -> None:
    """Doubling the equals signs took half of the decoding time of a 9 MB form that consists of "=%"."""
    for data, expected in (
        (b"=%" * 10_000, b"=%" * 10_000),
        (b"=%" * 10_000 + b"%41", b"=%" * 10_000 + b"A"),
    ):
        with mock.patch.object(percent, "a2b_qp") as decoder:
            assert unquote_bytes(data) == expected
        decoder.assert_not_called()
