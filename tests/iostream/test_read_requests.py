from __future__ import annotations

import asyncio
import re

import pytest

from tornado.iostream import UnsatisfiableReadError, _read_requests
from tornado.iostream._read_requests import (
    NOT_YET,
    ReadCount,
    ReadInto,
    ReadLargeCount,
    ReadRequest,
    ReadState,
    ReadUntilClose,
    ReadUntilDelimiter,
    ReadUntilRegex,
)


def feed(request: ReadRequest, data: bytes) -> tuple[object, bytes]:
    """Feed the bytes one by one until the request is satisfied; return its result and the remaining bytes."""
    buffer = bytearray()
    for at, byte in enumerate(data, 1):
        buffer.append(byte)
        size = request.find(buffer, True)
        if size != NOT_YET:
            return request.take(buffer, size), bytes(buffer) + data[at:]
    raise AssertionError("never satisfied")


@pytest.mark.parametrize(
    ("request_", "data", "result", "rest"),
    [
        (ReadUntilDelimiter(b"\r\n", None), b"a\rb\n\r\r\nc", b"a\rb\n\r\r\n", b"c"),
        (ReadUntilDelimiter(b"aab", 6), b"aaaaabaab", b"aaaaab", b"aab"),
        (ReadUntilRegex(re.compile(b"\r?\n\r?\n"), None), b"head\r\n\nbody", b"head\r\n\n", b"body"),
        (ReadCount(3, False), b"abcd", b"abc", b"d"),
        (ReadCount(3, True), b"abcd", b"a", b"bcd"),
    ],
)
def test_each_request_is_satisfied_byte_by_byte(
    request_: ReadRequest, data: bytes, result: bytes, rest: bytes
) -> None:
    assert feed(request_, data) == (result, rest)


def test_read_into_moves_buffered_bytes() -> None:
    target, buffer = bytearray(5), bytearray(b"ab")
    request = ReadInto(target, False)
    assert request.find(buffer, True) == NOT_YET
    assert not buffer
    buffer += b"cdefg"
    assert request.find(buffer, True) == 0
    assert request.take(buffer, 0) == 5
    assert (target, buffer) == (b"abcde", b"fg")
    target.clear()  # the view has been released


def test_dropped_read_into_returns_its_bytes() -> None:
    target, buffer = bytearray(5), bytearray(b"ab")
    request = ReadInto(target, False)
    request.find(buffer, True)
    buffer += b"c"
    request.return_to(buffer)
    assert buffer == b"abc"


@pytest.mark.parametrize("request_", [ReadUntilDelimiter(b"\n", 4), ReadUntilRegex(re.compile(b"\n"), 4)])
def test_max_bytes_rejects_longer_results(request_: ReadRequest) -> None:
    assert request_.find(bytearray(b"abcd"), True) == NOT_YET
    with pytest.raises(UnsatisfiableReadError, match="within 4 bytes"):
        request_.find(bytearray(b"abcd\n"), True)


class CountingPattern:
    """A pattern that counts the bytes that it searches."""

    pattern = b"needle"

    def __init__(self) -> None:
        self.searched_bytes = 0

    def search(self, buffer: bytearray) -> None:
        self.searched_bytes += len(buffer)


def test_regex_is_not_searched_for_every_chunk() -> None:
    pattern = CountingPattern()
    request = ReadUntilRegex(pattern, None)  # type: ignore[arg-type]
    buffer = bytearray()
    for _ in range(1000):
        buffer += b"x" * 100
        assert request.find(buffer, False) == NOT_YET
    request.find(buffer, True)
    assert pattern.searched_bytes <= 3 * len(buffer)


@pytest.mark.parametrize(
    ("request_", "data", "whole"),
    [
        (ReadUntilDelimiter(b"\r\n", None), b"a line\r\n", True),
        (ReadUntilDelimiter(b"\r\n", None), b"a line\r\nanother\r\n", False),
        (ReadUntilDelimiter(b"\r\n", None), b"a line\r", False),
        (ReadUntilDelimiter(b"\r\n", 8), b"a line\r\n", True),
        (ReadUntilDelimiter(b"\r\n", 7), b"a line\r\n", False),
        (ReadUntilDelimiter(b"", None), b"a line", False),
        (ReadCount(3, False), b"abc", True),
        (ReadCount(3, False), b"ab", False),
        (ReadCount(3, False), b"abcd", False),
        (ReadCount(3, True), b"ab", True),
        (ReadCount(3, True), b"abcd", False),
        (ReadUntilRegex(re.compile(b"b"), None), b"ab", False),
        (ReadUntilClose(), b"ab", False),
    ],
)
async def test_exact_result_is_not_copied(request_: ReadRequest, data: bytes, whole: bool) -> None:
    pull = ReadState()
    pull.request, pull.future = request_, asyncio.Future()
    future = pull.future
    pull.add(data)
    assert future.done() == whole == (pull.request is None)
    if whole:
        assert future.result() is data
    else:
        assert pull.size() == len(data)
        pull.drop()
        assert pull.buffer == data


async def test_cancelled_read_does_not_take_data() -> None:
    pull = ReadState()
    pull.request, pull.future = ReadCount(3, True), asyncio.Future()
    pull.future.cancel()
    pull.add(b"abc")
    assert not pull.is_reading()
    assert pull.buffer == b"abc"


@pytest.mark.parametrize("request_", [ReadCount(12, False), ReadUntilClose()])
def test_accumulating_read_joins_buffered_and_received_bytes(request_: ReadCount | ReadUntilClose) -> None:
    """Bytes from the buffer and received bytes form the result; excess bytes stay in the buffer."""
    pull = ReadState()
    pull.add(b"abc")
    pull.request = request_
    pull.future = object()  # type: ignore[assignment]
    assert request_.find(pull.buffer, True) == NOT_YET
    pull.add(b"defg")
    assert (bytes(pull.buffer), request_.taken_size, pull.size()) == (b"", 7, 7)
    assert request_.find(pull.buffer, True) == NOT_YET
    if isinstance(request_, ReadCount):
        pull.add(b"hijklmn")
        size = request_.find(pull.buffer, True)
        assert request_.take(pull.buffer, size) == b"abcdefghijkl"
        assert pull.buffer == b"mn"
    else:
        assert request_.take(pull.buffer, 0) == b"abcdefg"


def receive(request: ReadRequest, data: bytes) -> bool:
    """Copy the bytes into the memory that the request provides."""
    receive_buffer = request.receive_buffer()
    assert receive_buffer is not None
    with receive_buffer:
        receive_buffer[: len(data)] = data
    return request.add_received(len(data))


def test_large_read_is_received_into_its_result() -> None:
    request, buffer = ReadLargeCount(10), bytearray(b"abc")
    assert request.find(buffer, True) == NOT_YET
    assert not receive(request, b"defg")
    buffer += b"h"  # the data is received into the buffer instead
    assert request.find(buffer, True) == NOT_YET
    assert receive(request, b"ij")
    assert request.result_buffer is not None
    whole = request.result_buffer.getvalue()
    assert request.take(buffer, 0) == b"abcdefghij"
    assert request.take(buffer, 0) is whole  # not a copy


def test_dropped_large_read_returns_its_bytes() -> None:
    pull = ReadState()
    pull.request = request = ReadLargeCount(10)
    assert not receive(request, b"abc")
    assert pull.size() == 3
    pull.drop()
    assert pull.buffer == b"abc"


def test_large_result_is_allocated_after_a_part_has_arrived(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_read_requests, "_MAX_PREALLOCATED", 99)
    request, buffer = ReadLargeCount(100), bytearray(24)
    assert request.find(buffer, True) == NOT_YET
    assert request.receive_buffer() is None
    request.accept(b"x")
    receive_buffer = request.receive_buffer()
    assert receive_buffer is not None
    assert len(receive_buffer) == 75


@pytest.mark.parametrize("size", [10, 5000, 10_000])
def test_take_removes_from_the_front(size: int) -> None:
    data = bytes(range(250)) * 40
    buffer = bytearray(data)
    assert ReadCount(size, False).take(buffer, size) == data[:size]
    assert buffer == data[size:]


def test_state_without_a_read() -> None:
    pull = ReadState()
    assert not pull.is_reading()
    assert pull.drop() is None


def test_large_buffer_is_not_searched_for_every_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(_read_requests.time, "monotonic", lambda: now)

    class SlowPattern(CountingPattern):
        def search(self, buffer: bytearray) -> None:
            nonlocal now
            super().search(buffer)
            now += 0.001

    pattern = SlowPattern()
    request = ReadUntilRegex(pattern, None)  # type: ignore[arg-type]
    buffer = bytearray(_read_requests.EAGER_SIZE)
    for _ in range(1000):
        buffer.append(0)
        request.find(buffer, True)
    assert pattern.searched_bytes == _read_requests.EAGER_SIZE + 1
    assert request.retry == pytest.approx(0.001 * _read_requests.SEARCH_PAUSE_FACTOR)
    now += request.retry
    request.find(buffer, True)
    assert request.retry is None
    assert pattern.searched_bytes == 2 * _read_requests.EAGER_SIZE + 1001


def test_read_into_needs_a_writable_buffer() -> None:
    with pytest.raises(TypeError, match="writable"):
        ReadInto(b"constant", False)  # type: ignore[arg-type]
