"""Serializing and parsing ``text/event-stream``."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tornado._wire.sse import Event, EventTooLarge, Parser, check_id, serialize_comment, serialize_event

SIZES = [None, 1, 2, 3, 7]


def read(data: bytes, size: int | None = None, parser: Parser | None = None) -> list[Event]:
    """Return all events of a stream that is received in pieces of `size` bytes."""
    parser = parser or Parser()
    step = size or max(len(data), 1)
    for start in range(0, len(data), step):
        parser.receive_data(data[start : start + step])
        parser.receive_data(b"")
    return drain(parser)


def drain(parser: Parser) -> list[Event]:
    events = []
    while (event := parser.next_event()) is not None:
        events.append(event)
    return events


# -- serialization --


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"data": "x"}, b"data: x\n\n"),
        ({"data": b"x"}, b"data: x\n\n"),
        ({"data": ""}, b"data: \n\n"),
        ({"data": " x"}, b"data:  x\n\n"),
        ({"data": "é世"}, b"data: \xc3\xa9\xe4\xb8\x96\n\n"),
        ({"data": "a\nb\rc\r\nd"}, b"data: a\ndata: b\ndata: c\ndata: d\n\n"),
        ({"data": "a\n"}, b"data: a\ndata: \n\n"),
        ({"data": "a\u2028b\x0bc\x85"}, "data: a\u2028b\x0bc\x85\n\n".encode()),
        (
            {"data": "x", "event": "add", "id": "7", "retry": 100},
            b"event: add\nid: 7\nretry: 100\ndata: x\n\n",
        ),
        ({"data": "x", "id": ""}, b"id: \ndata: x\n\n"),
        ({"data": "x", "retry": 0}, b"retry: 0\ndata: x\n\n"),
    ],
)
def test_events_are_serialized(arguments, expected):
    assert serialize_event(**arguments) == expected


@pytest.mark.parametrize(
    "arguments",
    [
        {"event": "a\nb"},
        {"event": "a\rdata: forged"},
        {"id": "a\nb"},
        {"id": "a\rb"},
        {"id": "a\0b"},
        {"retry": -1},
        {"retry": 1.5},
        {"retry": True},
        {"retry": "1"},
    ],
)
def test_values_with_line_ends_are_rejected(arguments):
    with pytest.raises(ValueError, match="must not contain|milliseconds"):
        serialize_event("x", **arguments)


def test_ids_with_nul_are_rejected():
    assert check_id("a b") == "a b"
    with pytest.raises(ValueError, match="NUL"):
        check_id("\0")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", b":\n\n"), ("x", b": x\n\n"), ("a\nb\r\n\rc", b": a\n: b\n:\n: c\n\n")],
)
def test_comments_are_serialized_and_ignored(text, expected):
    assert serialize_comment(text) == expected
    assert read(expected) == []


# -- parsing --

STREAMS: list[tuple[bytes, list[Event]]] = [
    (b"", []),
    (b"data: x\n\n", [Event("x")]),
    (b"data: x\r\n\r\n", [Event("x")]),
    (b"data: x\r\r", [Event("x")]),
    (b"data: a\r\n\rdata: b\n\r\n", [Event("a"), Event("b")]),
    (b"data: x\n", []),
    (b"data: x", []),
    (b"\xef\xbb\xbfdata: x\n\n", [Event("x")]),
    (b"\xef\xbb\xbf\xef\xbb\xbfdata: x\n\n", []),
    (b"\n\xef\xbb\xbfdata: x\n\n", []),
    (b"data\n\n", [Event("")]),
    (b"data:\n\n", [Event("")]),
    (b"data\ndata\n\n", [Event("\n")]),
    (b"data:x\n\n", [Event("x")]),
    (b"data:  x\n\n", [Event(" x")]),
    (b"data : x\n\n", []),
    (b" data: x\n\n", []),
    (b"DATA: x\n\n", []),
    (b"data: a: b\n\n", [Event("a: b")]),
    (b": comment\ndata: x\n:\n\n", [Event("x")]),
    (b"event: add\ndata: x\n\ndata: y\n\n", [Event("x", "add"), Event("y")]),
    (b"event: add\n\ndata: y\n\n", [Event("y")]),
    (b"event:\ndata: y\n\n", [Event("y")]),
    (b"id: 1\ndata: x\n\ndata: y\n\n", [Event("x", id="1"), Event("y", id="1")]),
    (b"id: 1\n\ndata: y\n\nid\ndata: z\n\n", [Event("y", id="1"), Event("z")]),
    (b"id: 1\ndata: x\n\nid: 2\0\ndata: y\n\n", [Event("x", id="1"), Event("y", id="1")]),
    (b"data: \xff\xc3\n\n", [Event("\ufffd\ufffd")]),
    (b"unknown: x\ndata: y\n\n", [Event("y")]),
]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("data", "expected"), STREAMS)
def test_streams_are_parsed(data, expected, size):
    assert read(data, size) == expected


@pytest.mark.parametrize("size", SIZES)
def test_last_event_id_is_set_at_the_end_of_its_event(size):
    parser = Parser()
    read(b"id: 1\n\nid: 2\n", size, parser)
    assert parser.last_event_id == "1"
    read(b"\n", size, parser)
    assert parser.last_event_id == "2"


@pytest.mark.parametrize(
    ("value", "expected"),
    [("100", 100), ("0", 0), ("-1", None), ("1.5", None), ("", None), ("1e3", None), ("9" * 400, None)],
)
def test_reconnection_time_is_parsed(value, expected):
    parser = Parser()
    assert read(f"retry: {value}\n".encode(), None, parser) == []
    assert parser.retry == expected


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"data: " + b"x" * 95, "max_line"),
        (b":" * 101 + b"\n", "max_line"),
        (b"data: xxx\n" * 10, "max_event"),
    ],
)
def test_lines_and_events_over_the_limits_are_rejected(data, name, size):
    with pytest.raises(EventTooLarge, match=rf"limit of \d+ bytes \({name}\)"):
        read(data, size, Parser(max_line=100, max_event=39))


def test_lines_and_events_at_the_limits_are_accepted():
    assert read(b"data:" + b"x" * 38 + b"\n\n", None, Parser(max_line=43, max_event=39)) == [Event("x" * 38)]


def test_the_cost_of_a_long_line_in_small_pieces_is_linear():
    """For this input, a parser with quadratic cost would copy half a terabyte."""
    parser = Parser()
    for _ in range(1_000_000):
        parser.receive_data(b"x")
    parser.receive_data(b"\n")


text = st.text(st.characters(exclude_categories=["Cs"]))
line = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"))


@given(text, line.filter(bool), line, st.integers(1, 5))
def test_serialized_events_are_parsed(data, event, name, size):
    stream = serialize_event(data, event, name)
    expected = Event(data.replace("\r\n", "\n").replace("\r", "\n"), event, name)
    assert read(stream, size) == [expected]


@given(st.lists(st.sampled_from([b"data", b":", b" ", b"\n", b"\r", b"id", b"x", b"\xef\xbb\xbf", b"\0"])))
def test_result_does_not_depend_on_the_split(parts):
    stream = b"".join(parts)
    chance = random.Random(len(stream))
    parser = Parser()
    rest = stream
    while rest:
        count = chance.randint(1, 4)
        parser.receive_data(rest[:count])
        rest = rest[count:]
    assert drain(parser) == read(stream)


def test_number_is_rejected_as_an_id():
    assert serialize_event("x", id=5) == serialize_event("x", id="5")
    assert check_id(5) == "5"


@pytest.mark.parametrize("arguments", [{"id": True}, {"id": b"5"}, {"id": 1.5}, {"event": 5}])
def test_type_error_names_the_argument(arguments):
    (name,) = arguments
    with pytest.raises(TypeError, match=rf"^{name} must be .*not "):
        serialize_event("x", **arguments)
