"""Tests of the WebSocket errors."""

import pytest

from tornado._wire import ws_errors


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("WebSocketError", 1002),
        ("ProtocolError", 1002),
        ("InvalidPayload", 1007),
        ("PolicyViolation", 1008),
        ("MessageTooLarge", 1009),
        ("HandshakeError", 1002),
    ],
)
def test_each_error_has_its_close_code(name, code):
    error = getattr(ws_errors, name)("why")
    assert isinstance(error, ws_errors.WebSocketError)
    assert (error.close_code, str(error)) == (code, "why")


def test_handshake_error_has_status_and_headers():
    error = ws_errors.HandshakeError("why", 426, (("A", "b"),))
    assert (error.status_code, error.headers) == (426, (("A", "b"),))
