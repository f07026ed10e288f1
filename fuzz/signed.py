"""Signed values: nothing that is not signed passes, whatever it looks like; what is signed does."""

import logging

from tornado.web import create_signed_value, decode_signed_value, get_signature_key_version

LOG = logging.getLogger("tornado.general")
KEYS: dict[int, str | bytes] = {1: "one", 2: "two"}


def TestOneInput(data: bytes) -> None:
    """Read `data` as a signed value, and sign it."""
    LOG.disabled = True  # each forgery is told of
    try:
        check(data)
    finally:
        LOG.disabled = False


def check(data: bytes) -> None:
    """The same, whatever the log says."""
    get_signature_key_version(data)
    assert decode_signed_value("secret", "name", data, clock=lambda: 0) is None
    assert decode_signed_value(KEYS, "name", data, clock=lambda: 0) is None
    signed = create_signed_value("secret", "name", data, clock=lambda: 0)
    assert decode_signed_value("secret", "name", signed, clock=lambda: 0) == data
    assert decode_signed_value("secret", "nam", signed, clock=lambda: 0) is None
