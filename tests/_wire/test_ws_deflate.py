"""Tests of the negotiation of permessage-deflate, and of its compression contexts."""

import zlib

import pytest

from tests.support.wire import has_compressor, has_inflater
from tornado._wire.ws_deflate import (
    EXTENSION,
    DeflateCodec,
    DeflateParameters,
    DeflatePolicy,
    Inflater,
    accept_offer,
    check_extension_response,
    compress_once,
    make_offers,
)
from tornado._wire.ws_errors import HandshakeError, ProtocolError
from tornado._wire.ws_extensions import parse_extensions

PLAIN = DeflatePolicy()
TAIL = b"\0\0\xff\xff"


def accept(offer, policy=PLAIN):
    """Return the parameters that a server accepts, and its response without the name of the extension."""
    found = accept_offer(parse_extensions([offer]), policy)
    if found is None:
        return None
    agreed, answer = found
    assert answer.startswith(EXTENSION)
    return agreed, answer[len(EXTENSION) :].lstrip("; ")


@pytest.mark.parametrize(
    ("offer", "agreed", "answer"),
    [
        ("", (False, False, 15, 15), ""),
        ("client_max_window_bits", (False, False, 15, 15), ""),
        ("client_max_window_bits=15", (False, False, 15, 15), ""),
        ("client_max_window_bits=10", (False, False, 15, 10), "client_max_window_bits=10"),
        ("server_max_window_bits=15", (False, False, 15, 15), "server_max_window_bits=15"),
        ("server_max_window_bits=8", (False, False, 8, 15), "server_max_window_bits=8"),
        ('server_max_window_bits="9"', (False, False, 9, 15), "server_max_window_bits=9"),
        ("server_no_context_takeover", (True, False, 15, 15), "server_no_context_takeover"),
        (
            "client_no_context_takeover;server_no_context_takeover;client_max_window_bits;server_max_window_bits=12",
            (True, True, 12, 15),
            "server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12",
        ),
    ],
)
def test_valid_offers_are_accepted(offer, agreed, answer):
    assert accept(f"{EXTENSION}; {offer}" if offer else EXTENSION) == (DeflateParameters(*agreed), answer)


@pytest.mark.parametrize(
    "parameters",
    [
        "unknown",
        "server_no_context_takeover=1",
        "client_no_context_takeover; client_no_context_takeover",
        "server_max_window_bits",
        "server_max_window_bits=7",
        "server_max_window_bits=16",
        "server_max_window_bits=08",
        "server_max_window_bits=x",
        "client_max_window_bits=0",
        "client_max_window_bits=10; client_max_window_bits=10",
    ],
)
def test_invalid_offers_are_ignored(parameters):
    offer = f"{EXTENSION}; {parameters}"
    assert accept(offer) is None
    assert accept(f"other, {offer}, {EXTENSION}; server_max_window_bits=10")[1] == "server_max_window_bits=10"


def test_other_extensions_are_ignored():
    assert accept("") is None
    assert accept("x-webkit-deflate-frame") is None


def test_server_policy_limits_the_parameters():
    policy = DeflatePolicy(True, True, 11, 10)
    everything = "server_no_context_takeover; client_no_context_takeover; server_max_window_bits=11"
    # Clients that do not send client_max_window_bits do not support it.
    assert accept(EXTENSION, policy) == (DeflateParameters(True, True, 11, 15), everything)
    assert accept(f"{EXTENSION}; client_max_window_bits", policy) == (
        DeflateParameters(True, True, 11, 10),
        f"{everything}; client_max_window_bits=10",
    )
    assert accept(f"{EXTENSION}; client_max_window_bits=9; server_max_window_bits=9", policy)[0] == (
        DeflateParameters(True, True, 9, 9)
    )


def test_equal_parameters_are_shared():
    assert accept(EXTENSION)[0] is accept(EXTENSION)[0]


@pytest.mark.parametrize(
    ("policy", "offers"),
    [
        (PLAIN, ["client_max_window_bits", "client_no_context_takeover; client_max_window_bits"]),
        (
            DeflatePolicy(True, True, 11, 10),
            [
                "; ".join(
                    [
                        "client_no_context_takeover",
                        "server_no_context_takeover",
                        "server_max_window_bits=11",
                        "client_max_window_bits=10",
                    ]
                )
            ],
        ),
    ],
)
def test_client_offers_follow_the_policy(policy, offers):
    assert make_offers(policy) == ", ".join(f"{EXTENSION}; {each}" for each in offers)
    agreed, answer = accept_offer(parse_extensions([make_offers(policy)]), PLAIN)
    assert check_extension_response(*parse_extensions([answer]), policy) == agreed


@pytest.mark.parametrize(
    ("answer", "agreed"),
    [
        ("", (False, False, 15, 15)),
        ("client_no_context_takeover", (False, True, 15, 15)),
        ("server_no_context_takeover; server_max_window_bits=9", (True, False, 9, 15)),
        ("client_max_window_bits=8", (False, False, 15, 8)),
    ],
)
def test_valid_responses_are_accepted(answer, agreed):
    (extension,) = parse_extensions([f"{EXTENSION}; {answer}" if answer else EXTENSION])
    assert check_extension_response(extension, PLAIN) == DeflateParameters(*agreed)


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ("unknown", "invalid parameters"),
        ("client_max_window_bits", "invalid parameters"),
        ("server_max_window_bits=11", "did not accept server_no_context_takeover"),
        ("server_no_context_takeover", "server_max_window_bits must not exceed 11, got 15"),
        (
            "server_no_context_takeover; server_max_window_bits=12",
            "server_max_window_bits must not exceed 11, got 12",
        ),
        (
            "server_no_context_takeover; server_max_window_bits=11; client_max_window_bits=11",
            "client_max_window_bits must not exceed 10, got 11",
        ),
    ],
)
def test_invalid_responses_are_rejected(answer, fault):
    policy = DeflatePolicy(True, False, 11, 10)
    (extension,) = parse_extensions([f"{EXTENSION}; {answer}"])
    with pytest.raises(HandshakeError, match=fault):
        check_extension_response(extension, policy)


def test_client_window_is_limited_without_confirmation():
    """A response need not repeat a limit that the client has set itself."""
    (extension,) = parse_extensions([f"{EXTENSION}; client_no_context_takeover"])
    agreed = check_extension_response(extension, DeflatePolicy(client_max_window_bits=10))
    assert agreed == DeflateParameters(False, True, 15, 10)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("server_max_window_bits", (7, 16)),
        ("client_max_window_bits", (7, 16)),
        ("level", (-2, 10)),
        ("mem_level", (0, 10)),
        ("threshold", (-1,)),
    ],
)
def test_invalid_policy_is_rejected(name, values):
    for value in values:
        with pytest.raises(ValueError, match=name):
            DeflatePolicy(**{name: value})


def test_contexts_are_created_on_first_use_and_released():
    deflate = DeflateCodec(DeflateParameters(), PLAIN, True)
    assert not has_compressor(deflate)
    assert not has_inflater(deflate)
    deflate.end_message()
    first, second = deflate.compress(b"hello" * 20), deflate.compress(b"hello" * 20)
    assert len(second) < len(first)
    deflate.release()
    assert not has_compressor(deflate)
    assert deflate.compress(b"hello" * 20) == first == compress_once(b"hello" * 20, 15, PLAIN)
    inflater = deflate.inflater()
    assert deflate.inflater() is inflater
    deflate.end_message()
    assert deflate.inflater() is inflater


@pytest.mark.parametrize("is_server", [True, False])
def test_each_side_uses_its_own_parameters(is_server):
    agreed = DeflateParameters(is_server, not is_server, 10 if is_server else 15, 15 if is_server else 10)
    deflate = DeflateCodec(agreed, PLAIN, is_server)
    assert deflate.window_bits == 10
    data = bytes(range(256)) * 8
    sent = deflate.compress(data)
    assert sent == deflate.compress(data)
    assert zlib.decompressobj(-10).decompress(sent + TAIL) == data


def test_output_of_each_decompression_step_is_limited():
    inflater = Inflater(15)
    rest, output = compress_once(bytes(100), 15, PLAIN) + TAIL, b""
    while rest or inflater.more:
        piece, rest = inflater.step(rest, 7)
        assert len(piece) <= 7
        output += piece
    assert output == bytes(100)


def test_invalid_data_is_rejected():
    with pytest.raises(ProtocolError, match="cannot decompress"):
        Inflater(15).step(b"\xff\xff\xff", 10)
