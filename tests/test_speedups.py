"""``tornado.speedups``, which has the name of upstream's compiled module."""

from __future__ import annotations

import os

import pytest

from tornado.speedups import websocket_mask


@pytest.mark.parametrize("size", [0, 1, 3, 4, 5, 383, 384, 100_003])
def test_data_is_masked_and_unmasked(size: int) -> None:
    data, mask = os.urandom(size), b"\x01\x80\x00\xff"
    masked = websocket_mask(mask, data)
    assert masked == bytes(byte ^ mask[place % 4] for place, byte in enumerate(data))
    assert websocket_mask(mask, masked) == data


@pytest.mark.parametrize("mask", [b"", b"abc", b"abcde"])
def test_key_of_wrong_length_is_rejected(mask: bytes) -> None:
    with pytest.raises(ValueError, match=f"must be 4 bytes, got {len(mask)}"):
        websocket_mask(mask, b"data")


@pytest.mark.parametrize(
    ("mask", "data"), [("abcd", b"data"), (b"abcd", "data"), (b"abcd", bytearray(b"data"))]
)
def test_wrong_types_are_rejected(mask: object, data: object) -> None:
    with pytest.raises(TypeError, match="must be bytes, got"):
        websocket_mask(mask, data)  # type: ignore[arg-type]
