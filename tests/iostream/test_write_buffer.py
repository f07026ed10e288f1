from __future__ import annotations

import random

import pytest

from tests.support.streams import pieces
from tornado.iostream import _StreamBuffer


def test_small_pieces_are_joined_and_large_ones_are_not() -> None:
    buffer = _StreamBuffer()
    for _ in range(100):
        buffer.append(b"abc")
    assert len(buffer) == 300
    assert pieces(buffer) == 1
    large = b"x" * 5000
    buffer.append(large)
    buffer.append(b"end")
    assert pieces(buffer) == 3
    buffer.advance(300)
    front = buffer.peek(10_000)
    assert front.obj is large
    assert len(front) == 5000


def test_empty_buffer_rejects_advance_and_peek() -> None:
    buffer = _StreamBuffer()
    buffer.append(b"")
    assert not buffer
    assert bytes(buffer.peek(10)) == b""
    with pytest.raises(ValueError, match="advance"):
        buffer.advance(1)
    with pytest.raises(ValueError, match="peek"):
        buffer.peek(0)


def test_append_while_a_view_is_not_released() -> None:
    buffer = _StreamBuffer()
    buffer.append(b"abc")
    view = buffer.peek(10)
    buffer.append(b"def")
    assert bytes(view) == b"abc"
    view.release()
    buffer.advance(4)
    assert bytes(buffer.peek(10)) == b"ef"


def test_size_of_views_with_wider_items_is_in_bytes() -> None:
    buffer = _StreamBuffer()
    buffer.append(memoryview(b"12345678").cast("I"))
    assert len(buffer) == 8
    assert bytes(buffer.peek(100)) == b"12345678"


def test_random_operations_agree_with_a_model() -> None:
    source = random.Random(7)
    buffer, model = _StreamBuffer(), b""
    for _ in range(3000):
        if source.random() < 0.5:
            piece = source.randbytes(source.choice((0, 1, 10, 2047, 2048, 2049, 9000)))
            buffer.append(source.choice((bytes, bytearray, memoryview))(piece))
            model += piece
        elif model:
            size = source.randint(1, min(len(model), 20_000))
            with buffer.peek(size) as view:
                assert 0 < len(view) <= size
                assert bytes(view) == model[: len(view)]
            buffer.advance(size)
            model = model[size:]
        assert len(buffer) == len(model)
