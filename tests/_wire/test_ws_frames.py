"""Tests of single WebSocket frames; `test_ws_connection` covers most kinds of frames."""

import pytest

from tornado._wire.ws_errors import InvalidPayload, ProtocolError
from tornado._wire.ws_frames import (
    SHORT_BINARY,
    SHORT_TEXT,
    Opcode,
    close_payload,
    is_close_code,
    read_close_payload,
    read_header,
    rotate_key,
    serialize_frame,
)


def test_examples_of_the_rfc():
    """Examples of RFC 6455 section 5.7."""
    assert serialize_frame(0x81, b"Hello") == bytes.fromhex("810548656c6c6f")
    assert serialize_frame(0x81, b"Hello", bytes.fromhex("37fa213d")) == bytes.fromhex(
        "818537fa213d7f9f4d5158"
    )
    assert serialize_frame(0x82, bytes(256))[:4] == bytes.fromhex("827e0100")
    assert serialize_frame(0x82, bytes(65536))[:10] == bytes.fromhex("827f0000000000010000")


@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536])
@pytest.mark.parametrize("key", [b"", b"abcd"])
def test_headers_are_read_once_complete(size, key):
    data = b"??" + serialize_frame(0x82, bytes(size), key)
    header = len(data) - size
    assert read_header(data, 2, bool(key), False) == (0x82, size, key, header)
    for end in range(2, header):
        assert read_header(data[:end], 2, bool(key), False) is None


def test_short_frame_tables():
    for size in (0, 1, 125):
        assert SHORT_TEXT[size] + bytes(size) == serialize_frame(0x81, bytes(size))
        assert SHORT_BINARY[size] + bytes(size) == serialize_frame(0x82, bytes(size))


@pytest.mark.parametrize("opcode", range(16))
def test_unknown_opcodes_are_rejected(opcode):
    data = serialize_frame(0x80 | opcode, b"")
    if opcode in set(Opcode):
        assert read_header(data, 0, False, False) == (0x80 | opcode, 0, b"", 2)
    else:
        with pytest.raises(ProtocolError, match=f"opcode {opcode}"):
            read_header(data, 0, False, True)


def test_reserved_bits_are_rejected():
    assert read_header(b"\xc1\x00", 0, False, True) is not None
    for first in (0xC0, 0xC8, 0xF1, 0xA1):
        with pytest.raises(ProtocolError, match="reserved"):
            read_header(bytes([first, 0]), 0, False, True)


@pytest.mark.parametrize("size", [125, 65535, 1 << 63])
def test_invalid_lengths_are_rejected(size):
    header = b"\x82\x7e" + size.to_bytes(2, "big") if size < 126 else b"\x82\x7f" + size.to_bytes(8, "big")
    with pytest.raises(ProtocolError, match=r"more bytes|most significant bit"):
        read_header(header, 0, False, False)
    assert read_header(header[:-1], 0, False, False) is None


def test_key_is_rotated_to_an_offset():
    assert [rotate_key(b"abcd", offset) for offset in (0, 1, 3, 4, 6)] == [
        b"abcd",
        b"bcda",
        b"dabc",
        b"abcd",
        b"cdab",
    ]


def test_invalid_close_codes_are_rejected():
    valid = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]
    invalid = [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535]
    assert all(map(is_close_code, valid))
    assert not any(map(is_close_code, invalid))
    for code in valid:
        assert read_close_payload(close_payload(code, "é")) == (code, "é")
    for code in invalid:
        with pytest.raises(ProtocolError, match=f"invalid close code {code}$"):
            read_close_payload(code.to_bytes(2, "big") + b"x")
    with pytest.raises(InvalidPayload):
        read_close_payload(b"\x03\xe8\xff")
    assert read_close_payload(close_payload(None)) == (None, "")
