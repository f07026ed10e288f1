"""Tests of the settings of a connection."""

from __future__ import annotations

import pytest

from tests.support.server import ExpectLog
from tornado._wire.ws_deflate import DeflatePolicy
from tornado.websocket import WebSocketProtocol13
from tornado.websocket._parameters import MAX_MESSAGE_SIZE, WRITE_LIMIT, params_of


def test_defaults_of_all_parameters() -> None:
    params = params_of()
    assert (params.ping_interval, params.ping_timeout) == (0, 0)
    assert (params.limits.max_message_size, params.write_limit) == (MAX_MESSAGE_SIZE, WRITE_LIMIT)
    assert params.policy is None


def test_equal_settings_share_an_object() -> None:
    assert params_of(1, 1, 100, {}) is params_of(1, 1, 100, {})
    assert params_of(1, 1, 100, {}).policy == DeflatePolicy()


@pytest.mark.parametrize(
    ("interval", "timeout", "expected"),
    [(None, None, 0), (3, None, 3), (3, 1, 1), (3, 3, 3), (3, 0, 0), (-1, -1, 0), (None, 2, 2)],
)
def test_ping_timeout_is_at_most_the_interval(
    interval: float | None, timeout: float | None, expected: float
) -> None:
    params = params_of(interval, timeout)
    assert (params.ping_interval, params.ping_timeout) == (max(interval or 0, 0), expected)
    protocol = WebSocketProtocol13(None, False, params)
    assert (protocol.ping_interval, protocol.ping_timeout) == (params.ping_interval, params.ping_timeout)


def test_longer_ping_timeout_is_reduced_and_logged(expect_log: ExpectLog) -> None:
    with expect_log(
        "tornado.general",
        r"websocket_ping_timeout \(7\) cannot be longer .*: using 6",
    ) as expected:
        assert params_of(6, 7).ping_timeout == 6
        assert params_of(6, 7).ping_timeout == 6
    assert len(expected.records) == 1


def test_numbers_out_of_range() -> None:
    with pytest.raises(
        ValueError, match="websocket_max_message_size must be a positive number of bytes, got -1"
    ):
        params_of(max_message_size=-1)
    with pytest.raises(ValueError, match="websocket_write_limit must be a non-negative number .*, got -1"):
        params_of(write_limit=-1)


@pytest.mark.parametrize(("now", "expected"), [(12, 3), (15, 0), (20, 0)])
def test_time_to_the_next_ping(now: float, expected: float) -> None:
    assert WebSocketProtocol13.ping_sleep_time(last_ping_time=10, interval=5, now=now) == expected


def test_accept_value_of_the_rfc_example() -> None:
    key, accept = "dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # RFC 6455 section 1.3
    assert WebSocketProtocol13.compute_accept_value(key) == accept
    assert WebSocketProtocol13.compute_accept_value(key.encode()) == accept


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("ping_interval", "websocket_ping_interval"),
        ("ping_timeout", "websocket_ping_timeout"),
        ("max_message_size", "websocket_max_message_size"),
        ("write_limit", "websocket_write_limit"),
    ],
)
def test_setting_of_wrong_type_is_named(name: str, setting: str) -> None:
    with pytest.raises(TypeError, match=f"{setting} must be a number, got '30'"):
        params_of(**{name: "30"})  # type: ignore[arg-type]
