"""The channel between the supervisor and a worker."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tornado._serve import worker_protocol
from tornado._serve.worker_protocol import (
    MAX_MESSAGE_SIZE,
    MAX_WORKER_MESSAGE_SIZE,
    Channel,
    Message,
)


@pytest.fixture
def pair() -> Iterator[tuple[Channel, Channel]]:
    first, second = Channel.pair()
    with contextlib.closing(first), contextlib.closing(second):
        yield first, second


def test_messages_arrive_in_order(pair):
    first, second = pair
    assert first.send("ready")
    assert first.send("beat", loop=1, age=0.5)
    assert second.receive() == [{"type": "ready"}, {"type": "beat", "loop": 1, "age": 0.5}]
    assert second.receive() == []
    assert not second.at_end


def test_last_message_that_exceeds_the_buffer_is_sent(pair):
    first, second = pair
    received = []

    def read():
        while not received:
            select.select([second], [], [])
            received.extend(second.receive())

    first.send("drained", snapshot="x" * 3_000_000)
    assert first.has_output
    assert not first.finish(0.0)
    reader = threading.Thread(target=read)
    reader.start()
    assert first.finish(60.0)
    reader.join()
    assert not first.has_output
    assert len(received[0]["snapshot"]) == 3_000_000


def test_last_message_to_a_peer_that_has_ended_is_dropped(pair):
    first, second = pair
    first.send("drained", snapshot="x" * 3_000_000)
    second.close()
    assert not first.finish(60.0)


def test_message_in_single_bytes():
    ours, theirs = socket.socketpair()
    with ours, contextlib.closing(Channel(theirs)) as channel:
        line = b'{"type":"ready"}\n'
        received = []
        for number in range(len(line)):
            ours.sendall(line[number : number + 1])
            received += channel.receive()
            assert channel.unread == (b"" if received else line[: number + 1])
        assert received == [{"type": "ready"}]


def test_unread_input_of_the_previous_owner_comes_first():
    ours, theirs = socket.socketpair()
    with ours, contextlib.closing(Channel(theirs, b'{"type":"re')) as channel:
        ours.sendall(b'ady"}\n')
        assert channel.receive() == [{"type": "ready"}]


def test_end_of_the_peer_is_noticed_after_its_last_message(pair):
    first, second = pair
    first.send("drained", clean=True)
    first.close()
    assert second.receive() == [{"type": "drained", "clean": True}]
    assert second.at_end
    assert not second.send("drain")


@pytest.mark.parametrize("line", [b"x", b"[]", b"{}", b'{"type":1}', b"\xff", b"[" * 100_000, b"1" * 5000])
def test_nothing_is_read_after_an_invalid_message(line):
    ours, theirs = socket.socketpair()
    ours.setblocking(True)
    with ours, contextlib.closing(Channel(theirs)) as channel:
        received: list[Message] = []

        def read() -> None:
            while channel.is_open:
                select.select([channel], [], [])
                received.extend(channel.receive())

        reader = threading.Thread(target=read)
        reader.start()
        ours.sendall(b'{"type":"ready"}\n' + line + b'\n{"type":"leaving"}\n')
        reader.join()
        assert received == [{"type": "ready"}]
        assert channel.violation is not None
        assert channel.violation.isprintable()
        ours.sendall(b'{"type":"leaving"}\n')
        assert channel.receive() == []
        assert channel.unread == b""


def test_message_is_checked_against_the_schema():
    first, second = Channel.pair({}, {"beat": {"age": lambda value: value == 1}})
    with contextlib.closing(first), contextlib.closing(second):
        first.send("beat", age=1)
        first.send("beat", age=2)
        assert second.receive() == [{"type": "beat", "age": 1}]
        assert second.violation == "'beat' has an invalid 'age': 2"
        assert not second.is_open


def test_message_over_the_limit_is_invalid(monkeypatch):
    monkeypatch.setattr(worker_protocol, "MAX_MESSAGE_SIZE", 100)
    ours, theirs = socket.socketpair()
    with ours, contextlib.closing(Channel(theirs)) as channel:
        ours.sendall(b"x" * 101)
        assert channel.receive() == []
        assert channel.violation == "it exceeds 100 bytes"
        assert channel.unread == b""


def test_values_that_are_nested_too_deeply_are_not_sent(pair, expect_log):
    """A worker's reply of a depth that could just be read must not end the supervisor that forwards it."""
    first, second = pair
    data: list[Any] = []
    for _ in range(200_000):
        data = [data]
    with expect_log("tornado.general", "nested too deeply and is discarded: reply"):
        assert not first.send("reply", data=data)
    assert second.receive() == []


def test_peer_that_does_not_read_blocks_nothing(pair):
    first, second = pair
    text = "x" * 50_000
    while not first.has_output:
        assert first.send("reply", data=text)
    assert not first.send("beat", droppable=True)
    first.send("drain", grace=1.0)
    kinds = []
    while "drain" not in kinds:
        kinds += [message["type"] for message in second.receive()]
        first.flush()
    assert set(kinds) == {"reply", "drain"}
    assert not first.has_output


def test_output_for_a_peer_that_does_not_read_is_limited(pair, monkeypatch):
    monkeypatch.setattr(worker_protocol, "MAX_KEPT_OUTPUT", 1000)
    first, _ = pair
    while first.send("reply", data="x" * 900):
        pass
    assert first.has_output


@pytest.mark.parametrize("is_droppable", [False, True])
def test_message_that_the_peer_would_refuse_is_not_sent(pair, expect_log, is_droppable):
    first, second = pair
    first.max_sent = 100
    text = "a message between processes has 152 bytes, more than 100, and is discarded: reply"
    with expect_log("tornado.general", text):
        assert not first.send("reply", droppable=is_droppable, data="x" * 125)
    assert not first.has_output
    assert first.send("reply", data="x" * 73)  # 100 bytes with the end of the line
    assert second.receive() == [{"type": "reply", "data": "x" * 73}]


def test_largest_message_of_a_worker_can_be_passed_on():
    """The supervisor adds the process ID."""
    data = "é" * ((MAX_WORKER_MESSAGE_SIZE - 100) // 6)
    first, second = Channel.pair()
    with contextlib.closing(first), contextlib.closing(second):
        first.max_sent = MAX_WORKER_MESSAGE_SIZE
        for values in ({}, {"pid": 2**31}):
            assert first.send("reply", id="9" * 30, data=data, **values)
            found: list[Message] = []
            while not found:
                found = second.receive()
                first.flush()
            assert second.violation is None
            assert found[0]["data"] == data
            first.max_sent = MAX_MESSAGE_SIZE
