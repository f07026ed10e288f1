"""The buffer for request bodies."""

from __future__ import annotations

import pytest

from tests.support.web import body_buffer
from tornado.web._input._body_accumulator import RESERVE_AFTER, BodyAccumulator

PIECE = bytes(range(256)) * 256


def filled(length: int | None, size: int) -> BodyAccumulator:
    buffer = BodyAccumulator(length)
    for at in range(0, size, len(PIECE)):
        buffer.write(PIECE[: size - at])
    return buffer


@pytest.mark.parametrize("length", [None, 3, RESERVE_AFTER, 3 * RESERVE_AFTER, 3 * RESERVE_AFTER + 7])
@pytest.mark.parametrize(
    "size",
    [0, 1, RESERVE_AFTER - 1, RESERVE_AFTER, RESERVE_AFTER + 1, 3 * RESERVE_AFTER, 3 * RESERVE_AFTER + 7],
)
def test_result_is_the_received_data(length, size):
    expected = (PIECE * (size // len(PIECE) + 1))[:size]
    assert filled(length, size).getvalue() == expected


def test_space_is_reserved_once_and_result_is_not_copied():
    size = 3 * RESERVE_AFTER
    buffer = filled(size, size)
    reserved = body_buffer(buffer)
    assert len(reserved.getbuffer()) == size
    assert buffer.getvalue() is reserved.getvalue()


def test_no_space_is_reserved_before_data_has_arrived():
    buffer = filled(2**60, RESERVE_AFTER - 1)
    assert len(body_buffer(buffer).getbuffer()) == RESERVE_AFTER - 1


def test_memory_error_while_reserving_space_is_ignored():
    assert filled(2**60, 2 * RESERVE_AFTER).getvalue()[-1] == 255
