"""Tests of the compression options, and of Tornado's two classes for compression."""

from __future__ import annotations

import os
from typing import Any

import pytest

from tests.support.server import ExpectLog
from tornado._wire.ws_deflate import DeflatePolicy
from tornado.websocket import (
    _DecompressTooLargeError,
    _PerMessageDeflateCompressor,
    _PerMessageDeflateDecompressor,
)
from tornado.websocket._compression_options import policy_of


def test_options_become_a_policy() -> None:
    assert policy_of(None) is None
    assert policy_of({}) == DeflatePolicy()
    options = {
        "compression_level": 3,
        "mem_level": 4,
        "server_max_window_bits": 10,
        "client_max_window_bits": 11,
        "server_no_context_takeover": True,
        "client_no_context_takeover": True,
        "threshold": 12,
    }
    assert policy_of(options) == DeflatePolicy(True, True, 10, 11, 3, 4, 12)


def test_connections_share_a_policy() -> None:
    assert policy_of({"mem_level": 5}) is policy_of({"mem_level": 5})


@pytest.mark.parametrize(
    "options",
    [{"compression_level": 10}, {"mem_level": 0}, {"server_max_window_bits": 7}, {"threshold": -1}],
)
def test_number_out_of_range(options: Any) -> None:
    with pytest.raises(ValueError, match="must"):
        policy_of(options)


def test_unknown_option_is_logged_once(expect_log: ExpectLog) -> None:
    with expect_log("tornado.general", "unknown compression option 'leval'") as expected:
        for _ in range(3):
            assert policy_of({"leval": 3}) == DeflatePolicy()
    assert len(expected.records) == 1


@pytest.mark.parametrize("persistent", [True, False])
@pytest.mark.parametrize("bits", [None, 8, 9, 15])
def test_compressed_messages_are_decompressed(persistent: bool, bits: int | None) -> None:
    compressor = _PerMessageDeflateCompressor(persistent, bits, {"compression_level": 1, "mem_level": 2})
    decompressor = _PerMessageDeflateDecompressor(persistent, bits, 100_000)
    for message in (b"", b"a" * 10_000, os.urandom(3000), b"a" * 10_000):
        assert decompressor.decompress(compressor.compress(message)) == message


def test_persistent_compressor_refers_to_earlier_messages() -> None:
    noise = os.urandom(1000)
    sizes = {}
    for persistent in (True, False):
        compressor = _PerMessageDeflateCompressor(persistent, None)
        compressor.compress(noise)
        sizes[persistent] = len(compressor.compress(noise))
    assert sizes[True] < 100 < sizes[False]


@pytest.mark.parametrize(("limit", "fits"), [(1000, True), (999, False)])
def test_max_message_size(limit: int, fits: bool) -> None:
    data = _PerMessageDeflateCompressor(False, None).compress(b"x" * 1000)
    decompressor = _PerMessageDeflateDecompressor(False, None, limit)
    if fits:
        assert decompressor.decompress(data) == b"x" * 1000
    else:
        with pytest.raises(_DecompressTooLargeError):
            decompressor.decompress(data)


@pytest.mark.parametrize("bits", [7, 16])
@pytest.mark.parametrize("kind", ["compressor", "decompressor"])
def test_window_out_of_range(kind: str, bits: int) -> None:
    with pytest.raises(ValueError, match=f"between 8 and 15, got {bits}"):
        if kind == "compressor":
            _PerMessageDeflateCompressor(True, bits)
        else:
            _PerMessageDeflateDecompressor(True, bits, 1000)
