"""Tests of the WebSocket protocol state (`ws_connection`)."""

import gc
import itertools
import sys
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.wire import (
    codec_of,
    decompressed_size,
    has_compressor,
    has_inflater,
    is_between_frames,
    stores_nothing,
)
from tornado._wire import ws_connection
from tornado._wire.ws_connection import (
    Close,
    Failed,
    Ping,
    Pong,
    SharedMessage,
    WebSocketState,
    WSConnection,
    WSLimits,
    truncated_reason,
)
from tornado._wire.ws_deflate import DeflateParameters, DeflatePolicy
from tornado._wire.ws_errors import InvalidPayload, MessageTooLarge, PolicyViolation, ProtocolError
from tornado._wire.ws_frames import close_payload, serialize_frame
from tornado._wire.ws_state import TRANSITIONS

KEY = b"\x11\x22\x83\xf4"
AGREED = DeflateParameters()
POLICY = DeflatePolicy()


def server(settings=ws_connection.DEFAULT, agreed=None, policy=POLICY):
    return WSConnection(settings, None, agreed, policy)


def client(settings=ws_connection.DEFAULT, agreed=None, policy=POLICY):
    return WSConnection(settings, lambda: KEY, agreed, policy)


def frame(first, payload=b"", key=KEY):
    return serialize_frame(first, payload, key)


def raw_deflate(data, *, final=False, bits=15):
    compressor = zlib.compressobj(9, zlib.DEFLATED, -bits)
    if final:
        return compressor.compress(data) + compressor.flush()
    return (compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


def comparable(events):
    return [(Failed, each.code, str(each.error)) if isinstance(each, Failed) else each for each in events]


def feed(connection, data, size=None):
    """Pass data in pieces and return its events; check each state change against the transition table."""
    events = []
    step = size or max(len(data), 1)
    for start in range(0, len(data), step):
        piece = data[start : start + step]
        while True:
            before = connection.state
            events += connection.receive_data(piece)
            after = connection.state
            assert after is before or after in TRANSITIONS[before].values()
            if not connection.pending:
                break
            piece = b""
    return events


def receive(data, make=server, **options):
    """Return the events of data. They must be the same if the data is passed whole, byte by byte, in pieces
    of three bytes, and followed by further data.
    """
    connection = make(**options)
    whole = comparable(feed(connection, data))
    for size in (1, 3):
        split = make(**options)
        assert comparable(feed(split, data, size)) == whole
        assert split.state is connection.state
    trailing = make(**options)
    more = comparable(feed(trailing, data + frame(0x8A, b"more", KEY if make is server else b"")))
    if connection.state in (WebSocketState.OPEN, WebSocketState.CLOSING) and is_between_frames(connection):
        whole_and_more = [*whole, Pong(b"more")]
        assert more == whole_and_more
    else:
        assert more[: len(whole)] == whole
    return whole


def failure(data, error, fault, make=server, **options):
    """Check that the last event is a failure of this kind, and return the events before it."""
    *events, failed = receive(data, make, **options)
    kind, code, text = failed
    assert (kind, code) == (Failed, error.close_code)
    assert fault in text
    return events


@pytest.mark.parametrize("size", [0, 1, 4, 32, 125, 126, 127, 383, 384, 1000, 65535, 65536, 70001])
def test_messages_of_various_lengths(size):
    text = ("é" * size).encode()[:size].decode(errors="ignore")
    data = bytes(i & 255 for i in range(size))
    sender, receiver = client(), server()
    assert feed(receiver, sender.message(text) + sender.message(data, binary=True)) == [text, data]
    assert feed(sender, receiver.message(text) + receiver.message(data, binary=True)) == [text, data]
    assert feed(receiver, sender.message(text) + sender.message(data, binary=True), 7001) == [text, data]
    if size < 2000:
        wire = receiver.message(text.encode()) + receiver.message(data, True) + receiver.ping(b"x")
        assert receive(wire, client) == [text, data, Ping(b"x")]


def test_several_messages_in_one_chunk():
    data = (
        frame(0x81, b"a")
        + frame(0x82, b"b")
        + frame(0x89, b"p")
        + frame(0x81, b"c" * 200)
        + frame(0x81, b"d")
    )
    assert receive(data) == ["a", b"b", Ping(b"p"), "c" * 200, "d"]


def test_fragments_are_joined_around_control_frames():
    data = (
        frame(0x01, "é".encode()[:1])
        + frame(0x89)
        + frame(0x00)
        + frame(0x8A, b"x")
        + frame(0x80, "é".encode()[1:])
    )
    assert receive(data) == [Ping(b""), Pong(b"x"), "é"]
    assert receive(frame(0x02, b"a") + frame(0x80, b"b") + frame(0x81, b"c")) == [b"ab", "c"]
    assert receive(frame(0x01) + frame(0x80)) == [""]
    assert receive(frame(0x82)) == [b""]


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (frame(0x80, b"x"), "without a message"),
        (frame(0x00, b"x"), "without a message"),
        (frame(0x01, b"x") + frame(0x81, b"y"), "before the final fragment"),
        (frame(0x02, b"x") + frame(0x01, b"y"), "before the final fragment"),
        (frame(0x83), "opcode 3"),
        (frame(0x8B), "opcode 11"),
        (frame(0x09), "fragmented"),
        (frame(0x89, b"x" * 126), "longer than 125"),
        (frame(0xC1, b"x"), "reserved bits 100"),
        (frame(0xA1, b"x"), "reserved bits 010"),
        (frame(0x91, b"x"), "reserved bits 001"),
        (frame(0x81, b"x", b""), "unmasked frame"),
        (b"\x81\xfe\x00\x7d" + KEY + bytes(125), "more bytes than necessary"),
        (b"\x81\xff" + bytes(6) + b"\xff\xff" + KEY, "more bytes than necessary"),
        (b"\x81\xff\x80" + bytes(7) + KEY, "most significant bit"),
        (frame(0x88, b"x"), "one byte"),
        (frame(0x88, b"\x03\xee"), "close code 1006"),
    ],
)
def test_invalid_frame_fails_the_connection(data, fault):
    assert failure(data, ProtocolError, fault) == []
    assert failure(frame(0x81, b"before") + data, ProtocolError, fault)[0] == "before"


def test_client_rejects_masked_frames():
    assert failure(frame(0x81, b"x"), ProtocolError, "masked frame", client) == []
    assert receive(frame(0x81, b"x", b""), client) == ["x"]


INVALID = [b"\xff", b"ok\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\xce\xba\xe1"]


@pytest.mark.parametrize("payload", INVALID)
def test_invalid_utf_8_in_text_is_rejected(payload):
    assert failure(frame(0x81, payload), InvalidPayload, "UTF-8") == []
    assert failure(frame(0x81, b"a" * 200 + payload), InvalidPayload, "UTF-8") == []
    assert failure(frame(0x01, payload) + frame(0x80), InvalidPayload, "UTF-8") == []
    assert failure(frame(0x81, b"ok") + frame(0x81, payload), InvalidPayload, "UTF-8") == ["ok"]
    assert failure(frame(0x88, b"\x03\xe8" + payload), InvalidPayload, "reason") == []
    assert receive(frame(0x82, payload)) == [payload]


def test_invalid_utf_8_is_detected_before_the_frame_is_complete():
    connection = server()
    data = frame(0x81, b"\xce\xba\xf4\x90" + b"x" * 1000)
    assert connection.receive_data(data[:11]) == []
    (failed,) = connection.receive_data(data[11:12])
    assert failed.code == 1007


# -- limits --


def test_max_message_size():
    small = WSLimits(max_message_size=10)
    assert receive(
        frame(0x81, b"x" * 10) + frame(0x02, b"x" * 5) + frame(0x80, b"x" * 5), settings=small
    ) == [
        "x" * 10,
        b"x" * 10,
    ]
    for data in (
        frame(0x81, b"x" * 11),
        frame(0x81, b"x" * 11)[:7],
        frame(0x82, b"x" * 200),
        frame(0x02, b"x" * 5) + frame(0x80, b"x" * 6),
    ):
        connection = server(settings=small)
        *_, failed = feed(connection, data)
        assert failed.code == 1009
        assert "max_message_size" in str(failed.error)
        assert feed(server(settings=small), data, 1)[-1].code == 1009
    large = WSLimits(max_message_size=1000)
    assert failure(frame(0x82, b"x" * 1001), MessageTooLarge, "1000 bytes", settings=large) == []


def test_too_large_message_is_rejected_at_its_header():
    (failed,) = server().receive_data(b"\x82\xff\x00\x00\x00\x00\x01\x00\x00\x00" + KEY)
    assert failed.code == 1009


def test_max_fragments_limits_a_message():
    few = WSLimits(max_fragments=3)
    assert receive(frame(0x01) + frame(0x00) + frame(0x80), settings=few) == [""]
    assert failure(frame(0x01) + 3 * frame(0x00), PolicyViolation, "max_fragments", settings=few) == []
    # 32 bytes permit one more fragment.
    data = frame(0x01, b"x" * 32) + 2 * frame(0x00) + frame(0x80)
    assert receive(data, settings=few) == ["x" * 32]


@pytest.mark.parametrize("payload", [b"", b"x"])
def test_half_a_million_fragments_are_rejected_early(payload):
    connection = server()
    data = frame(0x01) + frame(0x00, payload) * 10_000
    for _ in range(50):
        events = connection.receive_data(data)
        if events:
            break
    assert [each.code for each in events] == [1008]
    assert connection.receive_data(data) == []


def test_max_control_frames_applies_to_each_chunk():
    few = WSLimits(max_control_frames=3)
    connection = server(settings=few)
    assert connection.receive_data(3 * frame(0x89, b"x")) == 3 * [Ping(b"x")]
    assert connection.receive_data(3 * frame(0x8A, b"x")) == 3 * [Pong(b"x")]
    *pings, failed = connection.receive_data(4 * frame(0x89, b"x"))
    assert len(pings) == 3
    assert failed.code == 1008
    assert "max_control_frames" in str(failed.error)


@pytest.mark.parametrize("name", ["max_message_size", "max_fragments", "max_control_frames", "inflate_step"])
def test_negative_settings_are_rejected(name):
    with pytest.raises(ValueError, match=name):
        WSLimits(**{name: -1})


def test_inflate_step_of_zero_is_rejected():
    with pytest.raises(ValueError, match="inflate_step"):
        WSLimits(inflate_step=0)


# -- closing --


def test_close_by_this_side():
    connection = server()
    assert connection.close(1001, "bye") == frame(0x88, b"\x03\xe9bye", b"")
    assert connection.state is WebSocketState.CLOSING
    assert connection.close(1000) == b""
    assert connection.pong(b"x") == b""
    for send in (connection.message, connection.ping, lambda data: connection.shared(SharedMessage(data))):
        with pytest.raises(ValueError, match="closing"):
            send(b"x")
    # Messages that the peer sent before it received the close frame are delivered.
    assert connection.receive_data(frame(0x81, b"late") + frame(0x88, b"\x03\xe9") + b"rubbish") == [
        "late",
        Close(1001, ""),
    ]
    assert connection.state is WebSocketState.CLOSED
    assert connection.receive_data(frame(0x81, b"x")) == []


def test_close_by_the_peer():
    connection = server()
    assert connection.receive_data(frame(0x88, b"\x0b\xb8" + "é".encode()) + frame(0x81, b"x")) == [
        Close(3000, "é")
    ]
    assert connection.state is WebSocketState.CLOSED_BY_PEER
    assert connection.message("still on its way")
    assert connection.receive_data(frame(0x81, b"x")) == []
    assert connection.close(3000) == b"\x88\x02\x0b\xb8"
    assert connection.state is WebSocketState.CLOSED
    assert receive(frame(0x88)) == [Close(None, "")]


def test_close_frame_is_sent_once_after_failure():
    connection = server()
    (failed,) = connection.receive_data(b"\x83\x80")
    assert connection.state is WebSocketState.FAILED
    assert connection.close(failed.code, truncated_reason(str(failed.error)))[2:4] == b"\x03\xea"
    assert connection.close(1000) == b""
    closing = server()
    closing.close()
    assert isinstance(closing.receive_data(b"\x83\x80")[0], Failed)
    assert closing.state is WebSocketState.CLOSED
    assert closing.close(1002) == b""


def test_end_of_input_closes_connection():
    connection = server()
    connection.receive_data(b"\x81")
    connection.receive_eof()
    assert connection.state is WebSocketState.CLOSED
    assert connection.close(1000) == b""
    failed = server()
    failed.receive_data(b"\x83\x80")
    failed.receive_eof()
    assert failed.state is WebSocketState.FAILED


def test_close_payload_is_validated():
    assert client().close() == frame(0x88)
    assert server().close(None, "why") == frame(0x88, b"\x03\xe8why", b"")
    connection = server()
    for code in (0, 999, 1004, 1005, 1006, 1015, 2999, 5000):
        with pytest.raises(ValueError, match=str(code)):
            connection.close(code)
    with pytest.raises(ValueError, match="got 124"):
        connection.close(1000, "é" * 62)
    assert connection.state is WebSocketState.OPEN
    assert connection.close(1000, truncated_reason("é" * 62)) == frame(
        0x88, close_payload(1000, "é" * 61), b""
    )
    assert truncated_reason("\ud800" * 3) == "???"


def test_control_frame_payload_is_limited():
    connection = server()
    assert connection.ping(b"x" * 125) == frame(0x89, b"x" * 125, b"")
    assert connection.pong() == b"\x8a\x00"
    for send in (connection.ping, connection.pong):
        with pytest.raises(ValueError, match="126"):
            send(b"x" * 126)


# -- compression --


def test_compressed_messages_share_a_context():
    sender, receiver = client(agreed=AGREED), server(agreed=AGREED)
    text = "compress me " * 50
    first, second = sender.message(text), sender.message(text)
    assert len(second) < len(first) < 60  # the second message refers to the first
    assert first[0] == 0xC1
    assert feed(receiver, first + second, 1) == [text, text]
    back = receiver.message(text.encode(), binary=True)
    assert back[0] == 0xC2
    assert feed(sender, back) == [text.encode()]
    assert receiver.message("") == b"\x81\x00"
    receiver.release()
    assert feed(sender, receiver.message(text)) == [text]
    server().release()


def test_no_context_takeover_releases_contexts():
    agreed = DeflateParameters(True, True)
    sender, receiver = client(agreed=agreed), server(agreed=agreed)
    text = "compress me " * 50
    assert sender.message(text) == sender.message(text)
    assert feed(receiver, 2 * sender.message(text)) == [text, text]
    assert not has_inflater(codec_of(receiver))
    assert feed(sender, 2 * receiver.message(text)) == [text, text]
    assert not has_inflater(codec_of(sender))
    assert not has_compressor(codec_of(sender))


def test_messages_below_threshold_are_not_compressed():
    connection = server(agreed=AGREED, policy=DeflatePolicy(threshold=10))
    assert connection.message("x" * 9)[0] == 0x81
    assert connection.message("x" * 10)[0] == 0xC1


def test_window_of_8_bits_disables_compression():
    agreed = DeflateParameters(server_max_window_bits=8, client_max_window_bits=8)
    connection = server(agreed=agreed)
    assert connection.message("x" * 500)[0] == 0x81
    text = "window " * 100
    assert feed(connection, frame(0xC1, raw_deflate(text.encode(), bits=9))) == [text]


def test_compressed_fragments_are_joined():
    body = raw_deflate(b"some text, compressed as a whole")
    data = frame(0x41, body[:5]) + frame(0x89, b"p") + frame(0x00) + frame(0x80, body[5:])
    assert receive(data, agreed=AGREED) == [Ping(b"p"), "some text, compressed as a whole"]
    assert receive(frame(0x81, b"plain") + frame(0x01, b"a") + frame(0x80, b"b"), agreed=AGREED) == [
        "plain",
        "ab",
    ]
    assert receive(frame(0xC1, b"\0"), agreed=AGREED) == [""]
    for data in (frame(0x41, body[:5]) + frame(0xC0, body[5:]), frame(0xC9), frame(0x41, b"x") + frame(0xC8)):
        failure(data, ProtocolError, "reserved bits", agreed=AGREED)


def test_final_deflate_blocks():
    """Final blocks of RFC 7692 section 7.2.3.4, with and without padding."""
    body = raw_deflate(b"hello", final=True)
    assert receive(2 * frame(0xC1, body + b"\0"), agreed=AGREED) == ["hello", "hello"]
    assert receive(2 * frame(0xC1, body), agreed=AGREED) == ["hello", "hello"]
    for rest in (b"x", b"\0" * 10, body):
        failure(frame(0xC1, body + rest), ProtocolError, "final block", agreed=AGREED)


def test_invalid_compressed_data_is_rejected():
    assert failure(frame(0xC1, b"\xff\xff\xff"), ProtocolError, "cannot decompress", agreed=AGREED) == []


def test_invalid_utf_8_in_compressed_text_is_rejected():
    assert failure(frame(0xC1, raw_deflate(b"a\xff")), InvalidPayload, "UTF-8", agreed=AGREED) == []
    assert failure(frame(0xC1, raw_deflate(b"a\xe2\x82")), InvalidPayload, "UTF-8", agreed=AGREED) == []


def test_max_message_size_applies_after_decompression():
    small = WSLimits(max_message_size=1000)
    for size, step in ((1000, 1), (1000, 7), (1000, 5000)):
        settings = WSLimits(max_message_size=1000, inflate_step=step)
        assert receive(frame(0xC2, raw_deflate(bytes(size))), settings=settings, agreed=AGREED) == [
            bytes(size)
        ]
    failure(
        frame(0xC2, raw_deflate(bytes(1001))), MessageTooLarge, "1000 bytes", settings=small, agreed=AGREED
    )
    # Compressed data whose output is empty.
    empty_blocks = b"\0\0\0\xff\xff" * 700
    failure(frame(0xC2, empty_blocks), MessageTooLarge, "1000 bytes", settings=small, agreed=AGREED)


def test_inflation_ratio_is_limited_over_one_mebibyte():
    free = 1024 * 1024
    frames = frame(0xC2, raw_deflate(bytes(free))), frame(0xC2, raw_deflate(bytes(free + 1)))
    for ratio, refused in ((100, True), (10_000, False)):
        limited = WSLimits(max_inflation_ratio=ratio)
        assert receive(frames[0], settings=limited, agreed=AGREED) == [bytes(free)]
        if refused:
            text = "more than 100 times its size (max_inflation_ratio)"
            failure(frames[1], MessageTooLarge, text, settings=limited, agreed=AGREED)
        else:
            assert receive(frames[1], settings=limited, agreed=AGREED) == [bytes(free + 1)]


def test_inflation_ratio_ignores_data_that_has_not_arrived():
    packed = raw_deflate(bytes(2 * 1024 * 1024))
    connection = server(WSLimits(max_inflation_ratio=100), AGREED)
    events = feed(connection, frame(0xC2, packed + bytes(100_000))[: len(packed) + 8])
    assert [type(each) for each in events] == [Failed]


def test_decompression_is_limited_per_call():
    size = 10_000_000
    data = frame(0xC2, raw_deflate(bytes(size)))
    assert len(data) < 10_000
    connection = server(agreed=AGREED)
    assert connection.receive_data(2 * data) == []
    messages, before = [], decompressed_size(connection)
    while connection.pending:
        messages += connection.receive_data(b"")
        done = sum(map(len, messages)) + decompressed_size(connection)
        assert done - before <= ws_connection.DEFAULT.inflate_step
        before = done
    assert [len(message) for message in messages] == [size, size]
    assert feed(connection, frame(0x81, b"x")) == ["x"]


def test_tiny_compressed_messages_are_limited_per_call():
    connection = server(agreed=AGREED)
    count = 2000
    first = connection.receive_data(count * frame(0xC1, raw_deflate(b"x")))
    assert connection.pending
    assert 0 < len(first) <= ws_connection.DEFAULT.inflate_step // ws_connection.STEP_COST
    assert first + feed(connection, frame(0x81, b"last")) == count * ["x"] + ["last"]


def test_data_received_while_pending_is_processed_in_order():
    connection = server(WSLimits(inflate_step=10), AGREED)
    assert connection.receive_data(frame(0xC2, raw_deflate(bytes(50)))) == []
    assert connection.pending
    events = connection.receive_data(frame(0x81, b"x"))
    while connection.pending:
        events += connection.receive_data(b"")
    assert events == [bytes(50), "x"]


# -- broadcast --


def test_shared_message_is_encoded_once():
    text = "to everybody " * 20
    message = SharedMessage(text)
    assert server().shared(message) is message.plain
    assert feed(client(), server().shared(message)) == [text]
    assert feed(server(), client().shared(message)) == [text]
    assert feed(server(agreed=AGREED), client(agreed=AGREED).shared(message)) == [text]
    first, second = server(agreed=AGREED), server(agreed=AGREED)
    frames = [each.shared(message) for each in (first, second)]
    assert frames[0] is frames[1]
    small = DeflateParameters(server_max_window_bits=9)
    assert server(agreed=small).shared(message) is not frames[0]
    assert server(agreed=AGREED, policy=DeflatePolicy(threshold=1000)).shared(message) is message.plain
    data = SharedMessage(b"\xff", binary=True)
    assert feed(client(), server().shared(data)) == [b"\xff"]
    assert feed(server(), client().shared(data)) == [b"\xff"]


def test_shared_message_between_compressed_messages():
    sender, receiver = server(agreed=AGREED), client(agreed=AGREED)
    text = "the same words again and again " * 10
    message = SharedMessage(text)
    for _ in range(3):
        wire = sender.message(text) + sender.shared(message) + sender.message(text)
        assert feed(receiver, wire, 5) == [text] * 3


# -- cost and random input --


def test_memory_of_idle_connection():
    plain, compressing = server(), server(agreed=AGREED)
    assert sys.getsizeof(plain) <= 120
    assert sys.getsizeof(compressing) + sys.getsizeof(codec_of(compressing)) <= 220
    assert not hasattr(plain, "__dict__")
    feed(plain, frame(0x01, b"a") + frame(0x80, b"b"), 1)
    assert stores_nothing(plain)


@given(st.binary(max_size=200), st.integers(1, 7))
def test_random_bytes_give_the_same_events_in_any_pieces(data, size):
    for make in (server, client):
        assert comparable(feed(make(), data)) == comparable(feed(make(), data, size))


@given(st.binary(max_size=200), st.integers(1, 7), st.sampled_from([0x41, 0xC1, 0xC2]))
def test_random_compressed_bytes_give_the_same_events_in_any_pieces(data, size, first):
    """The errors may differ: data may be both invalid DEFLATE and invalid UTF-8, and the pieces decide which
    error is detected first.
    """
    data = frame(first, data) + data
    outcomes = []
    for step in (None, size):
        events = feed(server(agreed=AGREED), data, step)
        outcomes.append([Failed if isinstance(each, Failed) else each for each in events])
    assert outcomes[0] == outcomes[1]


STEPS = st.lists(
    st.one_of(
        st.text(max_size=200),
        st.binary(max_size=200),
        st.binary(max_size=125).map(Ping),
        st.binary(max_size=125).map(Pong),
    ),
    max_size=8,
)


@given(STEPS, st.integers(1, 50), st.booleans(), st.booleans())
def test_sent_messages_are_received(steps, size, compressing, from_client):
    agreed = AGREED if compressing else None
    sender, receiver = client(agreed=agreed), server(agreed=agreed)
    if not from_client:
        sender, receiver = receiver, sender
    wire = b""
    for each in steps:
        if isinstance(each, Ping):
            wire += sender.ping(each.payload)
        elif isinstance(each, Pong):
            wire += sender.pong(each.payload)
        else:
            wire += sender.message(each, isinstance(each, bytes))
    wire += sender.close(4000, "end")
    assert feed(receiver, wire, size) == [*steps, Close(4000, "end")]


@given(st.text(max_size=60), st.lists(st.integers(0, 240), max_size=6), st.integers(1, 9))
def test_text_in_random_fragments(text, cuts, size):
    data = text.encode()
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    parts = [data[a:b] for a, b in itertools.pairwise(edges)]
    wire = b"".join(
        frame((0x80 if i == len(parts) - 1 else 0) | (0 if i else 1), part) for i, part in enumerate(parts)
    )
    assert feed(server(), wire, size) == [text]


@pytest.mark.parametrize(
    "data",
    [
        b"\x83\x80abcd",
        b"\x81\x01a",
        frame(0x81, b"\xff"),
        frame(0x81, b"\xff" * 200),
        frame(0x01, b"\xff") + frame(0x80),
        frame(0x88, b"\x03\xed"),
        frame(0xC1, b"\xff\xff"),
    ],
)
def test_failure_leaves_no_reference_cycle(data: bytes) -> None:
    """The data of a failed connection is released with the connection, without a garbage collection."""
    gc.collect()
    gc.disable()
    try:
        core = server(agreed=AGREED)
        events = core.receive_data(frame(0x81) + data)
        assert isinstance(events[-1], Failed)
        assert events[-1].error.__traceback__ is None
        del core, events
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_abandoned_connection_sends_nothing():
    connection = server(agreed=AGREED)
    assert connection.compresses
    connection.abandon()
    assert connection.state is WebSocketState.CLOSED
    assert not connection.compresses
    assert connection.close(1000) == b""
    assert connection.receive_data(frame(0x81, b"text")) == []
