"""The reader of HTTP/1 messages: the result does not depend on how the input is split; no data is read after
an error.
"""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.feeder import Feeder, Message, pieces, read, read_all_ways, read_pieces
from tests.support.states import check_transitions
from tests.support.wire import count_searches
from tornado._wire import h1, heads
from tornado._wire.errors import (
    BodyTooLarge,
    HeadTooLarge,
    HTTPInputError,
    IncompleteMessage,
    RequestTargetTooLong,
    TooManyInterimResponses,
    VersionNotSupported,
)
from tornado._wire.h1 import EndOfMessage, Reader, ReaderState, RequestHead, Role
from tornado._wire.limits import Limits
from tornado._wire.state_machine import InvalidTransition, Transitions

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNKED_BODY = b"5\r\nhello\r\n1\r\n \r\n1\r\nw\r\n4;x=y\r\norld\r\n0\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture(autouse=True)
def _empty_caches():
    heads.forget()


def summary(outcome):
    return [(m.head["method"], m.head["target"], m.body, m.trailers, m.complete) for m in outcome.messages]


# Requests

REQUESTS = {
    "without a body": (GET, ("GET", "/", b"", None, True)),
    "without fields": (b"GET / HTTP/1.0\r\n\r\n", ("GET", "/", b"", None, True)),
    "with a length": (POST, ("POST", "/p", b"hello", "", True)),
    "with length 0": (POST[:-5].replace(b"5", b"0"), ("POST", "/p", b"", None, True)),
    "chunked": (CHUNKED + CHUNKED_BODY + b"\r\n", ("POST", "/c", b"hello world", "", True)),
    "with trailers": (
        CHUNKED + CHUNKED_BODY + b"A: b\r\n\r\n",
        ("POST", "/c", b"hello world", "A: b\r\n", True),
    ),
    "chunked and empty": (CHUNKED + b"0\r\n\r\n", ("POST", "/c", b"", "", True)),
    "ended by LF": (b"GET / HTTP/1.1\nHost: a\n\n", ("GET", "/", b"", None, True)),
    "ended by both": (b"GET / HTTP/1.1\r\nHost: a\n\r\n", ("GET", "/", b"", None, True)),
    "ended by both, otherwise": (b"GET / HTTP/1.1\nHost: a\r\n\n", ("GET", "/", b"", None, True)),
    "after empty lines": (b"\r\n\n\r\n" + GET, ("GET", "/", b"", None, True)),
    "with a query": (b"GET /?a=b HTTP/1.1\r\nHost: a\r\n\r\n", ("GET", "/?a=b", b"", None, True)),
    "absolute": (b"GET http://b/c HTTP/1.1\r\nHost: a\r\n\r\n", ("GET", "/c", b"", None, True)),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_valid_requests_are_read(name):
    data, expected = REQUESTS[name]
    for _ in range(2):  # the second iteration uses filled caches
        for rest in (b"", b"G", b"GET / HTTP/1.1\r\nHos"):
            outcome = read_all_ways(data + rest)
            assert outcome.error is None, outcome.text
            assert (summary(outcome), outcome.state, outcome.rest) == ([expected], ReaderState.HEAD, rest)


@pytest.mark.parametrize("first", REQUESTS)
def test_pipelined_requests_are_read_in_order(first):
    for second in REQUESTS:
        data = REQUESTS[first][0] + REQUESTS[second][0] + GET
        outcome = read_all_ways(data)
        assert outcome.error is None, outcome.text
        expected = [REQUESTS[first][1], REQUESTS[second][1], REQUESTS["without a body"][1]]
        assert (summary(outcome), outcome.rest) == (expected, b"")


def test_many_pipelined_requests():
    outcome = read(GET * 1000 + POST * 1000, 1000)
    assert len(outcome.messages) == 2000
    assert all(message.complete for message in outcome.messages)


FAULTS = {
    b"asdf\r\n\r\n": HTTPInputError,
    b"\rGET / HTTP/1.1\r\n\r\n": HTTPInputError,
    b"GET / HTTP/1.1\r\n\r\n": HTTPInputError,
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n": HTTPInputError,
    b"GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n": HTTPInputError,
    b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n": HTTPInputError,
    b"GET / HTTP/1.1\r\nHost: a\r\nX: y\rz\r\n\r\n": HTTPInputError,
    b"GET / HTTP/2.0\r\nHost: a\r\n\r\n": VersionNotSupported,
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n": VersionNotSupported,
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n": HTTPInputError,
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n": HTTPInputError,
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 6\r\n\r\n": HTTPInputError,
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999\r\n\r\n": BodyTooLarge,
    CHUNKED + b"1_0\r\n": HTTPInputError,
    CHUNKED + b"3\r\nfooXX": HTTPInputError,
    CHUNKED + b"fffffffff\r\n": BodyTooLarge,
    b"\n" * 5 + GET: HTTPInputError,
}


@pytest.mark.parametrize("data", FAULTS)
def test_malformed_requests_are_rejected(data):
    for before in (b"", GET, POST):
        outcome = read_all_ways(before + data + GET)
        assert outcome.error is FAULTS[data]
        assert outcome.state is ReaderState.ERROR


def test_input_after_an_error_is_not_read():
    reader = Reader(Role.SERVER)
    reader.receive_data(b"asdf\r\n\r\n" + GET)
    with pytest.raises(HTTPInputError):
        reader.next_event()
    assert reader.next_event() is None
    rest = reader.buffered
    reader.receive_data(GET)
    assert reader.buffered == rest
    assert (reader.next_event(), reader.state) == (None, ReaderState.ERROR)
    with pytest.raises(RuntimeError, match="requires state DONE, got ERROR"):
        reader.start_next()


# Requests that arrive in one piece


def test_usual_request_is_read_in_one_call():
    reader = Reader(Role.SERVER)
    for _ in range(3):
        head = reader.receive_request(GET)
        assert (head.method, head.host, reader.state, reader.buffered) == ("GET", "a", ReaderState.HEAD, 0)
        assert reader.next_event() is None
    assert reader.receive_request(GET.replace(b"/", b"/new", 1)).target == "/new"


def test_empty_lines_before_usual_requests_are_counted_for_each():
    reader = Reader(Role.SERVER)
    for _ in range(3):
        reader.receive_data(b"\r\n" * Limits().max_leading_lines)
        assert reader.next_event() is None
        assert reader.receive_request(GET).target == "/"


@pytest.mark.parametrize(
    "data", [GET[:-1], GET + GET, GET + b"x", POST, POST[:-5], b"\r\n" + GET, b"asdf\r\n\r\n", b""]
)
def test_input_other_than_one_complete_request_is_only_buffered(data):
    read(GET + POST)
    reader = Reader(Role.SERVER)
    assert reader.receive_request(data) is None
    assert (reader.state, reader.take_buffer()) == (ReaderState.HEAD, data)


def test_usual_request_after_unread_data_is_buffered():
    reader = Reader(Role.SERVER)
    assert reader.receive_request(GET[:3]) is None
    assert reader.receive_request(GET[3:]) is None
    assert reader.next_event().method == "GET"
    assert reader.receive_request(GET) is None  # DONE: nothing is read before start_next
    assert reader.buffered == len(GET)
    reader.start_next()
    assert reader.receive_request(GET) is None
    assert reader.buffered == 2 * len(GET)
    assert reader.next_event().method == "GET"


@pytest.mark.parametrize(
    "limits", [{"max_head_size": len(GET) - 1}, {"max_request_line": 10}, {"max_header_count": 1}]
)
def test_cached_head_does_not_bypass_limits_of_the_fast_path(limits):
    heads.add_fixed_targets(["/"])
    read(GET * 3)
    assert heads.known_head(GET)
    reader = Reader(Role.SERVER, Limits(**limits))
    assert reader.receive_request(GET) is None
    assert reader.buffered == len(GET)


def test_client_rejects_a_request():
    reader = Reader(Role.CLIENT)
    assert reader.receive_request(GET) is None
    with pytest.raises(HTTPInputError):
        reader.next_event()


# One message at a time


def test_next_message_is_read_after_start_next():
    reader = Reader(Role.SERVER)
    reader.receive_data(GET + POST)
    assert reader.next_event().method == "GET"
    assert (reader.state, reader.buffered) == (ReaderState.DONE, len(POST))
    assert reader.next_event() is None
    reader.start_next()
    assert reader.next_event().method == "POST"
    with pytest.raises(RuntimeError, match="BODY_LENGTH"):
        reader.start_next()
    assert reader.next_event() == b"hello"
    end = reader.next_event()
    assert isinstance(end, EndOfMessage)
    assert end.trailers_block == ""
    assert (reader.state, reader.buffered) == (ReaderState.DONE, 0)


def test_data_is_not_copied_if_the_buffer_is_empty():
    reader = Reader(Role.SERVER)
    reader.receive_data(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9000\r\n\r\n")
    reader.next_event()
    data = b"x" * 5000
    reader.receive_data(data)
    assert reader.next_event() is data
    assert reader.next_event() is None


def test_received_data_is_appended_to_unread_data():
    reader = Reader(Role.SERVER)
    data = GET + POST + GET
    for piece in pieces(data, 7):
        reader.receive_data(piece)
    assert reader.buffered == len(data)
    assert reader.next_event().method == "GET"
    reader.start_next()
    reader.receive_data(GET)
    assert reader.buffered == len(POST + GET + GET)
    assert reader.next_event().method == "POST"
    assert reader.next_event() == b"hello"
    assert type(reader.take_buffer()) is bytes


def test_take_buffer_returns_unread_data():
    reader = Reader(Role.SERVER)
    reader.receive_data(GET + b"raw")
    reader.next_event()
    assert reader.take_buffer() == b"raw"
    assert (reader.take_buffer(), reader.buffered) == (b"", 0)
    reader.start_next()
    for piece in pieces(GET[:-1], 5):
        reader.receive_data(piece)
        assert reader.next_event() is None
    assert reader.take_buffer() == GET[:-1]
    reader.receive_data(GET)
    assert reader.next_event().method == "GET"


def test_repr_of_events_shows_their_content():
    reader = Reader(Role.SERVER)
    reader.receive_data(CHUNKED + b"0\r\nA: b\r\nA: c\r\n\r\n")
    assert repr(reader.next_event()) == "<RequestHead POST /c HTTP/1.1>"
    end = reader.next_event()
    assert repr(end) == r"EndOfMessage('A: b\r\nA: c\r\n')"


# The end of the input


@pytest.mark.parametrize("data", [b"", GET, POST, b"\r\n", GET + b"\r\n"])
def test_end_of_input_between_messages_closes(data):
    outcome = read_all_ways(data, eof=True)
    assert (outcome.error, outcome.state) == (None, ReaderState.CLOSED)


@pytest.mark.parametrize("data", [POST, CHUNKED + CHUNKED_BODY + b"\r\n", CHUNKED + b"0\r\nA: b\r\n\r\n"])
def test_end_of_input_inside_a_message_is_an_error(data):
    assert read(data, eof=True).error is None
    for length in range(1, len(data)):
        outcome = read(data[:length], eof=True)
        assert outcome.error is IncompleteMessage, length
        assert "connection closed" in outcome.text


def test_buffered_messages_are_read_before_the_end_is_reported():
    reader = Reader(Role.SERVER)
    reader.receive_data(GET + GET)
    reader.receive_eof()
    for _ in range(2):
        assert reader.next_event().method == "GET"
        reader.start_next()
    assert (reader.next_event(), reader.state) == (None, ReaderState.CLOSED)
    reader.receive_data(GET)
    assert (reader.next_event(), reader.buffered) == (None, 0)


# Limits


def test_request_line_length_is_limited():
    limits = Limits(max_request_line=30)
    fits = b"GET /" + b"a" * 14 + b" HTTP/1.1\r\n"
    assert len(fits) == 30
    assert read_all_ways(fits + b"Host: a\r\n\r\n", limits=limits).error is None
    for end in (b"\r\nHost: a\r\n\r\n", b"\r\n", b"aaaaaaa"):
        outcome = read_all_ways(fits[:-2] + b"a" + end, limits=limits)
        assert outcome.error is RequestTargetTooLong
        assert outcome.text == "request line longer than 30 bytes (max_header_size)"


def test_head_size_is_limited():
    limits = Limits(max_head_size=60)
    line = b"GET / HTTP/1.1\r\nHost: a\r\n"
    fits = line + b"X: " + b"x" * (60 - len(line) - 7) + b"\r\n\r\n"
    assert len(fits) == 60
    assert read_all_ways(fits, limits=limits).only.complete
    for end in (b"x\r\n\r\n", b"xxxxxxx"):
        outcome = read_all_ways(fits[:-4] + end, limits=limits)
        assert outcome.error is HeadTooLarge
        assert outcome.text == "message head longer than 60 bytes (max_header_size)"
    # The limit includes neither a pipelined request nor the empty lines before this request.
    assert len(read_all_ways(b"\r\n" + fits + fits, limits=limits).messages) == 2


def test_request_line_over_head_limit_is_reported_as_too_long_line():
    outcome = read_all_ways(b"GET /" + b"a" * 100, limits=Limits(max_head_size=60))
    assert outcome.error is RequestTargetTooLong


def test_default_limits_permit_large_heads():
    assert read(b"GET /" + b"a" * 60000 + b" HTTP/1.1\r\nHost: a\r\n\r\n").only.complete
    assert read(b"GET /" + b"a" * 66000).error is RequestTargetTooLong
    assert read(GET[:-2] + b"X: " + b"a" * 66000).error is HeadTooLarge
    assert read(GET[:-2] + b"X:\r\n" * 999 + b"\r\n").only.complete
    assert read(GET[:-2] + b"X:\r\n" * 1000 + b"\r\n").error is HeadTooLarge


def test_cached_head_does_not_bypass_stricter_limits():
    read(GET)
    assert read(GET, limits=Limits(max_head_size=len(GET) - 1)).error is HeadTooLarge
    assert read(GET, limits=Limits(max_request_line=10)).error is RequestTargetTooLong


@pytest.mark.parametrize("rest", [b"", b"\n" + b"A: b\r\n" * 20, b"\n" + b"A: b\r\n" * 20 + b"\r\n"])
def test_data_that_cannot_begin_a_request_is_malformed_not_too_long(rest):
    """The first byte is sufficient to reject the data, in whatever pieces the data arrives."""
    outcome = read_all_ways(b"\x16\x03" + b"a" * 100 + rest, limits=Limits(max_head_size=60))
    assert (outcome.error, outcome.text) == (
        HTTPInputError,
        "Malformed HTTP request line: it does not begin with a method",
    )
    assert read(GET, limits=Limits(max_header_count=0)).error is HeadTooLarge


def test_empty_lines_before_each_request_are_limited():
    assert len(read_all_ways((b"\r\n" * 4 + GET) * 3).messages) == 3
    assert len(read_all_ways((b"\n" * 4 + GET) * 3).messages) == 3
    assert read_all_ways(GET + b"\r\n" * 5).text.startswith(
        "Malformed HTTP request line: more than 4 empty lines"
    )


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (POST, "Content-Length too long: 5 bytes; the limit is 4 (max_body_size)"),
        (CHUNKED + b"5\r\nhello\r\n", "chunked body too large: over the limit of 4 bytes (max_body_size)"),
        (CHUNKED + b"1\r\nx\r\n" * 5, "chunked body too large: over the limit of 4 bytes (max_body_size)"),
    ],
)
def test_body_size_is_limited(data, fault):
    outcome = read_all_ways(data, limits=Limits(max_body_size=4))
    assert (outcome.error, outcome.text) == (BodyTooLarge, fault)
    assert read_all_ways(data, limits=Limits(max_body_size=5)).error is None


def test_max_body_size_can_be_changed_while_a_body_is_read():
    for data in (POST, CHUNKED + b"5\r\nhello\r\n0\r\n\r\n"):
        reader = Reader(Role.SERVER)
        reader.receive_data(data)
        reader.next_event()
        reader.max_body_size = 4
        with pytest.raises(BodyTooLarge, match="over the limit of 4 bytes"):
            reader.next_event()
    reader = Reader(Role.SERVER, Limits(max_body_size=4))
    reader.receive_data(CHUNKED + b"5\r\nhello\r\n0\r\n\r\n" + POST)
    reader.next_event()
    reader.max_body_size = 5
    assert reader.next_event() == b"hello"
    reader.next_event()
    reader.start_next()
    assert reader.max_body_size == 4
    with pytest.raises(BodyTooLarge):
        reader.next_event()


# Responses


def response(data, size=None, **options):
    return read(data, size, role=Role.CLIENT, **options)


def test_response_is_read_by_a_client():
    for rest in (b"", b"HTT"):
        outcome = read_all_ways(OK + rest, role=Role.CLIENT)
        (message,) = outcome.messages
        assert (message.head["code"], message.body, message.complete) == (200, b"ok", True)
        assert outcome.rest == rest


def test_request_is_rejected_as_a_response():
    read(GET)
    assert read_all_ways(GET, role=Role.CLIENT).error is HTTPInputError
    assert read_all_ways(b"\r\n" + OK, role=Role.CLIENT).error is HTTPInputError


def test_body_that_ends_with_the_connection():
    data = b"HTTP/1.0 200 OK\r\n\r\nhello\r\n"
    for size in (None, 1, 3):
        outcome = response(data, size, eof=True)
        assert outcome.only == Message(outcome.only.head, b"hello\r\n", "", True)
        assert outcome.state is ReaderState.CLOSED
        unfinished = response(data, size)
        assert (unfinished.only.body, unfinished.state) == (b"hello\r\n", ReaderState.BODY_UNTIL_CLOSE)
    assert response(b"HTTP/1.0 200 OK\r\n\r\n", eof=True).only.complete


def test_size_of_body_that_ends_with_the_connection_is_limited():
    data = b"HTTP/1.0 200 OK\r\n\r\nhello"
    outcome = read_all_ways(data, role=Role.CLIENT, limits=Limits(max_body_size=4))
    assert outcome.error is BodyTooLarge
    assert outcome.text == "Body too long: over the limit of 4 bytes (max_body_size)"
    assert read_all_ways(data, role=Role.CLIENT, limits=Limits(max_body_size=5), eof=True).only.complete


@pytest.mark.parametrize("end", [b"", b"0\r\n"])
def test_truncated_response_is_incomplete(end):
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n" + end
    for data in (OK[:-1], OK[:-2], OK[:20], chunked):
        assert read_all_ways(data, role=Role.CLIENT, eof=True).error is IncompleteMessage


def test_framing_depends_on_the_method_of_the_request():
    bodiless = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
    data = bodiless + OK + bodiless + OK
    outcome = read_all_ways(data, role=Role.CLIENT, methods=["HEAD", "GET", "HEAD", "POST"])
    assert [message.body for message in outcome.messages] == [b"", b"ok", b"", b"ok"]
    # The expected method applies to one response only.
    outcome = read_all_ways(bodiless + OK, role=Role.CLIENT, methods=["HEAD"])
    assert [message.body for message in outcome.messages] == [b"", b"ok"]


def test_data_after_response_to_connect_is_left_to_the_tunnel():
    reader = Reader(Role.CLIENT)
    reader.expect_response_to("CONNECT")
    reader.receive_data(b"HTTP/1.1 200 OK\r\n\r\n\x16\x03")
    assert (reader.next_event().code, reader.state) == (200, ReaderState.DONE)
    assert reader.take_buffer() == b"\x16\x03"


def test_interim_responses_precede_the_final_response():
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n"
    outcome = read_all_ways(interim + OK + interim + OK, role=Role.CLIENT)
    assert [message.head["code"] for message in outcome.messages] == [100, 103, 200] * 2
    assert [message.body for message in outcome.messages] == [b"", b"", b"ok"] * 2
    assert not any(message.head["has_body"] for message in outcome.messages[:2])


def test_expected_method_applies_to_the_final_response():
    outcome = read_all_ways(b"HTTP/1.1 100 A\r\n\r\n" + OK[:-2], role=Role.CLIENT, methods=["HEAD"])
    assert [message.head["code"] for message in outcome.messages] == [100, 200]
    assert outcome.messages[1].complete


def test_interim_responses_are_limited_for_each_response():
    interim = b"HTTP/1.1 100 Continue\r\n\r\n"
    outcome = read_all_ways((interim * 10 + OK) * 2, role=Role.CLIENT)
    assert len(outcome.messages) == 22
    outcome = read_all_ways(OK + interim * 11, role=Role.CLIENT)
    assert outcome.error is TooManyInterimResponses
    assert outcome.text == "Too many 1xx responses: more than 10 (max_1xx)"


def test_switching_protocols_is_final():
    feeder = Feeder(Role.CLIENT)
    feeder.reader.receive_data(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x00")
    feeder.drain(next_message=False)
    assert (feeder.reader.state, feeder.reader.take_buffer()) == (ReaderState.DONE, b"\x81\x00")


def test_response_head_size_is_limited():
    limits = Limits(max_head_size=60)
    outcome = read_all_ways(b"HTTP/1.1 200 " + b"a" * 60, role=Role.CLIENT, limits=limits)
    assert outcome.error is HeadTooLarge
    assert outcome.text == "status line longer than 60 bytes (max_header_size)"
    outcome = read_all_ways(OK[:17] + b"X: " + b"a" * 60, role=Role.CLIENT, limits=limits)
    assert outcome.error is HeadTooLarge
    assert outcome.text == "message head longer than 60 bytes (max_header_size)"


# Cost, measured in memory and searched bytes, not in time


def test_idle_reader_uses_little_memory():
    def make():
        reader = Reader(Role.SERVER)
        reader.receive_data(GET)
        reader.next_event()
        reader.start_next()
        return reader

    make()
    tracemalloc.start()
    readers = [make() for _ in range(100)]
    size = tracemalloc.get_traced_memory()[0] / len(readers)
    tracemalloc.stop()
    assert size < 250


def test_head_that_arrives_byte_by_byte_is_searched_once():
    reader = Reader(Role.SERVER)
    head = b"GET /" + b"a" * 3000 + b" HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 500 + b"\r\n"
    reader.receive_data(head[:1])
    buffer = count_searches(reader)
    for position in range(1, len(head)):
        buffer += head[position : position + 1]
        event = reader.next_event()
    assert event.method == "GET"
    assert buffer.searched < 10 * len(head)


def test_search_for_cr_is_not_repeated_for_requests_that_end_in_lf():
    reader = Reader(Role.SERVER)
    data = b"GET / HTTP/1.0\n\n" * 2000
    reader.receive_data(data)
    buffer = count_searches(reader)
    for _ in range(2000):
        assert reader.next_event().method == "GET"
        reader.start_next()
    assert reader.buffered == 0
    assert buffer.searched < 300 * len(data)


@pytest.mark.parametrize("position", range(2040, 2056))
@pytest.mark.parametrize("end", [b"\r\n\r\n", b"\n\n", b"\n\r\n", b"\r\n\n"])
def test_head_may_end_across_two_search_windows(position, end):
    head = b"GET / HTTP/1.1\r\nHost: a\r\nX: "
    head += b"x" * (position - len(head)) + end
    assert read(head + GET, 5000).messages[0].complete


# Random input


@given(st.lists(st.sampled_from(list(REQUESTS)), max_size=4), st.lists(st.integers(1, 40)), st.booleans())
def test_messages_do_not_depend_on_how_the_input_is_split(names, sizes, eof):
    data = b"".join(REQUESTS[name][0] for name in names)
    parts, start = [], 0
    for size in sizes:
        parts.append(data[start : start + size])
        start += size
    parts.append(data[start:])
    assert read_pieces(parts, eof=eof) == read(data, eof=eof)


FRAGMENTS = [
    *[
        b"GET",
        b" ",
        b"/",
        b"HTTP/1.1",
        b"HTTP/1.0",
        b"\r\n",
        b"\n",
        b"\r",
        b":",
        b"%",
        b"\x00",
        b"\xff",
        b";",
    ],
    *[b"0", b"1", b"a", b"Host: a\r\n", b"Content-Length: 1\r\n", b"Transfer-Encoding: chunked\r\n"],
    *[
        b"Connection: close\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 100 A\r\n\r\n",
    ],
]


@given(st.lists(st.sampled_from(FRAGMENTS) | st.binary(max_size=5)), st.sampled_from(Role), st.booleans())
def test_result_for_arbitrary_bytes_does_not_depend_on_splitting(parts, role, eof):
    read_all_ways(b"".join(parts), role=role, eof=eof)


# States


def test_only_transitions_in_the_table_are_allowed():
    check_transitions(h1.TRANSITIONS, ReaderState)


def test_illegal_transition_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ReaderState.HEAD, "to", Transitions(ReaderState.HEAD, {}))
    reader = Reader(Role.SERVER)
    reader.receive_data(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n")
    with pytest.raises(InvalidTransition, match="HEAD does not permit ReaderState.BODY_LENGTH"):
        reader.next_event()


def test_repr_tells_state_and_buffered_bytes():
    reader = Reader(Role.SERVER)
    reader.receive_data(b"GET /")
    assert repr(reader) == "<Reader server HEAD, 5 bytes buffered>"


# The rest of a body


def body_remaining(head: bytes, *pieces: bytes) -> int:
    """Return the result after the first event of each piece of a body."""
    reader = Reader(Role.SERVER)
    reader.receive_data(b"POST / HTTP/1.1\r\nHost: a\r\n" + head + b"\r\n")
    received = reader.next_event()
    assert isinstance(received, RequestHead)
    for piece in pieces:
        reader.receive_data(piece)
        try:
            reader.next_event()
        except HTTPInputError:
            pass
    return reader.body_remaining(received)


CHUNKED_FIELD = b"Transfer-Encoding: chunked\r\n"


@pytest.mark.parametrize(
    ("head", "pieces", "remaining"),
    [
        (b"", [], 0),
        (b"Content-Length: 5\r\n", [], 5),
        (b"Content-Length: 5\r\n", [b"abc"], 2),
        (CHUNKED_FIELD, [], -1),
        (CHUNKED_FIELD, [b"3\r\nabc\r\n"], -1),
        (CHUNKED_FIELD, [b"3\r\nabc\r\n0\r\n\r\n"], 0),
        (CHUNKED_FIELD, [b"x\r\nabc\r\n0\r\n\r\n"], 0),  # malformed, but it ends like a complete body
        (CHUNKED_FIELD, [b"x\r\nabc"], -1),
    ],
)
def test_body_remaining_returns_the_missing_size(head: bytes, pieces: list[bytes], remaining: int) -> None:
    assert body_remaining(head, *pieces) == remaining


@pytest.mark.parametrize(
    ("data", "ends"), [(b"0\r\n\r\n", True), (b"a\r\n0\r\n\r\n", True), (b"10\r\n\r\n", False), (b"", False)]
)
def test_ends_chunked_body(data: bytes, ends: bool) -> None:
    assert h1.ends_chunked_body(data) is ends
