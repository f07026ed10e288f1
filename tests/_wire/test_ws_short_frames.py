"""Tests of the fast path for short WebSocket frames: the loops, and their equivalence with the slow path."""

import dataclasses
import itertools
import random
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tornado._wire import ws_connection, ws_frames
from tornado._wire.ws_connection import Failed, WebSocketState, WSConnection, WSLimits
from tornado._wire.ws_deflate import MAX_STEP_INPUT, DeflateParameters, Inflater
from tornado._wire.ws_frames import serialize_frame
from tornado._wire.ws_short_frames import take_fragments, take_masked, take_plain

KEY = b"\x11\x22\x83\xf4"
AGREED = DeflateParameters()


def frame(first, payload=b"", key=KEY):
    return serialize_frame(first, payload, key)


def fragments(first, payloads):
    """Return the frames of a message with these fragments, as arguments of `frame`; None is replaced by a
    ping between the fragments.
    """
    last = max(i for i, payload in enumerate(payloads) if payload is not None)
    pairs = []
    for i, payload in enumerate(payloads):
        if payload is None:
            pairs.append((0x89, b""))
        else:
            pairs.append((first | (0x80 if i == last else 0), payload))
            first = 0
    return pairs


def wire(pairs, key=KEY):
    return b"".join(frame(first, payload, key) for first, payload in pairs)


class General(WSConnection):
    """A connection without the fast path."""

    __slots__ = ()
    _use_fast_path = property(lambda self: False, lambda self, value: None)

    def _take_short_frames(self, data, at, events):
        return at


def outcome(make, chunks, *arguments):
    """Return the events of all chunks, with errors as pairs of code and text, and the final state."""
    connection = make(*arguments)
    events = []
    for chunk in chunks:
        events += connection.receive_data(chunk)
        while connection.pending:
            events += connection.receive_data(b"")
    shown = [(each.code, str(each.error)) if isinstance(each, Failed) else each for each in events]
    return shown, connection.state


def cut(data, cuts):
    edges = [0, *sorted(each % (len(data) + 1) for each in cuts), len(data)]
    return [data[begin:end] for begin, end in itertools.pairwise(edges)]


# -- the loops that decode frames --


def others(key):
    """Return data that the loops do not decode, to append to data that they decode."""
    whole = frame(0x81, b"xy", key)
    return [
        *(whole[:size] for size in range(len(whole))),
        frame(0x81, b"x" * 126, key),
        frame(0x83, b"", key),
        frame(0x40, b"", key),
        frame(0xC0, b"", key),
        frame(0x88, b"", key),
        frame(0x89, b"x", key),
        frame(0xC1, b"x", key),
    ]


@pytest.mark.parametrize(("take", "key"), [(take_masked, KEY), (take_plain, b"")])
def test_messages_are_decoded_up_to_a_frame_of_another_kind(take, key):
    payloads = [b"", b"a", "é".encode(), b"x" * 125]
    before = frame(0x89, b"before", key)
    taken = before + b"".join(frame(0x81, each, key) + frame(0x82, each, key) for each in payloads)
    wrongly_masked = frame(0x81, b"x", b"" if key else KEY)
    for behind in [*others(key), frame(0x01, b"x", key), frame(0x80, b"x", key), wrongly_masked]:
        events = []
        assert take(taken + behind, len(before), events) == len(taken)
        assert events == [value for each in payloads for value in (each.decode(), each)]


@pytest.mark.parametrize("key", [KEY, b""])
def test_fragments_are_decoded_up_to_a_frame_of_another_kind(key):
    payloads = [b"", b"a", b"\xff\xfe", b"x" * 125]
    before = frame(0x89, b"before", key)
    for first in (0x01, 0x02, 0x00):
        taken = before + frame(first, b"", key) + b"".join(frame(0x00, each, key) for each in payloads)
        wrongly_masked = frame(0x00, b"x", b"" if key else KEY)
        for behind in [*others(key), frame(0x02, b"x", key), frame(0x00, b"x" * 126, key), wrongly_masked]:
            data = taken + behind
            found = take_fragments(data, len(before), len(data), key != b"", 100)
            assert found == (len(taken), [b"", *payloads], False)


@pytest.mark.parametrize("key", [KEY, b""])
def test_fragments_are_decoded_up_to_the_limits(key):
    each = len(frame(0x00, b"abc", key))
    data = 9 * frame(0x00, b"abc", key) + frame(0x80, b"abc", key) + frame(0x80, b"behind", key)
    masked = key != b""
    for most in range(10):
        assert take_fragments(data, 0, len(data), masked, most) == (most * each, most * [b"abc"], False)
    assert take_fragments(data, 0, len(data), masked, -1) == (0, [], False)
    assert take_fragments(data, 0, len(data), masked, 11) == (10 * each, 10 * [b"abc"], True)
    for end in (0, 1, each - 1, each, 2 * each - 1):
        count = end // each
        assert take_fragments(data, 0, end, masked, 11) == (count * each, count * [b"abc"], False)


# -- equivalence with the slow path --


def deflated(data):
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


PIECES = st.one_of(
    st.text(max_size=3).map(str.encode),
    st.sampled_from(["é".encode()[:1], "é".encode()[1:], b"x" * 40, b"x" * 125, b"x" * 126]),
    st.binary(max_size=3),
)
MESSAGES = st.builds(
    lambda first, begin, rest: fragments(first, [begin, *rest]),
    st.sampled_from([0x01, 0x02]),
    PIECES,
    st.lists(st.none() | PIECES, max_size=30),
)
ANY_FRAME = st.tuples(
    st.sampled_from([0x00, 0x01, 0x02, 0x10, 0x80, 0x81, 0x82, 0x83, 0x88, 0x89, 0x8A, 0xC0, 0xC1]), PIECES
).map(lambda pair: [pair])
STREAMS = st.lists(MESSAGES | ANY_FRAME, max_size=6).map(lambda units: list(itertools.chain(*units)))
SETTINGS = st.builds(
    WSLimits,
    max_message_size=st.sampled_from([10, 124, 125, 300, 10_000]),
    max_fragments=st.sampled_from([0, 1, 2, 5, 1000]),
    max_control_frames=st.sampled_from([1, 1000]),
)
CUTS = st.lists(st.integers(0, 10_000), max_size=6)


@given(STREAMS, CUTS, SETTINGS, st.booleans())
def test_fast_path_gives_the_same_events(pairs, cuts, settings, masked):
    """The messages and the error must be the same for any frames, in any chunks."""
    chunks = cut(wire(pairs, KEY if masked else b""), cuts)
    keys = None if masked else lambda: KEY
    assert outcome(WSConnection, chunks, settings, keys) == outcome(General, chunks, settings, keys)


@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=60),
    st.text(max_size=200) | st.binary(max_size=200),
    CUTS,
    SETTINGS,
    st.sampled_from([1, 50, 10_000]),
)
def test_fast_path_gives_the_same_events_for_compressed_messages(sizes, content, cuts, settings, step):
    """If there are several errors, another one may be detected first, because more data is decompressed in
    one step.
    """
    body = deflated(content.encode() if isinstance(content, str) else content)
    edges = [0, *itertools.accumulate(sizes)]
    pieces = [body[begin:end] for begin, end in itertools.pairwise(edges)] + [b"", body[edges[-1] :]]
    data = wire([*fragments(0x41, pieces), (0x81, b"plain"), (0xC1, body)])
    settings = dataclasses.replace(settings, inflate_step=step)
    found = []
    for make in (WSConnection, General):
        events, state = outcome(make, cut(data, cuts), settings, None, AGREED)
        found.append(([type(each) is tuple or each for each in events], state))
    assert found[0] == found[1]


# -- limits --


@pytest.mark.parametrize("first", [0x01, 0x02])
@pytest.mark.parametrize(("size", "most"), [(0, 100), (1, 103), (8, 133), (16, 200)])
def test_first_excess_fragment_is_rejected(first, size, most):
    """The limit is a hundred fragments, plus one for every 32 bytes of the message."""
    settings = WSLimits(max_fragments=100)
    payload = b"x" * size
    for cuts in ([], [700], [6 * most]):
        chunks = cut(wire(fragments(first, most * [payload])), cuts)
        assert outcome(WSConnection, chunks, settings) == (
            [most * payload if first == 0x02 else most * "x" * size],
            WebSocketState.OPEN,
        )
        chunks = cut(wire([*fragments(first, (most + 1) * [payload]), (0x89, b"")]), cuts)
        ((code, text),), state = outcome(WSConnection, chunks, settings)
        assert (code, state) == (1008, WebSocketState.FAILED)
        assert f"more than {most} fragments" in text


@pytest.mark.parametrize("size", [1, 4, 100])
@pytest.mark.parametrize("key", [KEY, b""])
def test_first_excess_byte_is_rejected(size, key):
    settings, keys = WSLimits(max_message_size=100), None if key else lambda: KEY
    *before, last = 100 // size * [b"x" * size]
    for cuts in ([], [70]):
        for first, message in ((0x01, "x" * 100), (0x02, b"x" * 100)):
            chunks = cut(wire(fragments(first, [*before, last, b""]), key), cuts)
            assert outcome(WSConnection, chunks, settings, keys) == ([message], WebSocketState.OPEN)
            chunks = cut(wire(fragments(first, [*before, last + b"x", b""]), key), cuts)
            assert [code for code, _ in outcome(WSConnection, chunks, settings, keys)[0]] == [1009]


def test_compressed_fragments_larger_than_one_decompression_step(monkeypatch):
    at_once = []

    def step(inflater, data, size, inflate=Inflater.step):
        at_once.append(len(data))
        return inflate(inflater, data, size)

    monkeypatch.setattr(Inflater, "step", step)
    content = random.Random(1).randbytes(3 * MAX_STEP_INPUT)
    body = deflated(content)
    pieces = [body[at : at + 125] for at in range(0, len(body), 125)]
    found = outcome(WSConnection, [wire(fragments(0x42, pieces))], ws_connection.DEFAULT, None, AGREED)
    assert found == ([content], WebSocketState.OPEN)
    assert MAX_STEP_INPUT // 2 < max(at_once) <= MAX_STEP_INPUT


# -- use of the fast path --


@pytest.mark.parametrize("masked", [True, False])
def test_slow_path_is_used_only_for_split_frames(monkeypatch, masked):
    """Neither an incomplete message nor a chunk that starts within a frame disables the fast path."""
    headers = []

    def read_header(*arguments):
        headers.append(arguments)
        return ws_frames.read_header(*arguments)

    monkeypatch.setattr(ws_connection, "read_header", read_header)
    key = KEY if masked else b""
    data = 5 * (wire(fragments(0x01, 4000 * [b"x"]), key) + 1000 * frame(0x82, b"yz", key))
    chunks = [data[at : at + 5000] for at in range(0, len(data), 5000)]
    events, _ = outcome(WSConnection, chunks, ws_connection.DEFAULT, None if masked else lambda: KEY)
    assert events == 5 * ["x" * 4000, *(1000 * [b"yz"])]
    # The header of a split frame is parsed at the end of a chunk and at the start of the next one, and once
    # more if the header itself was split.
    assert len(headers) <= 3 * len(chunks)
