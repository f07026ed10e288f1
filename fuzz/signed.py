"""Target: signed values. Only values that were signed with the right key and name may be accepted."""

import logging

from tornado.web import create_signed_value, decode_signed_value, get_signature_key_version

LOG = logging.getLogger("tornado.general")
KEYS: dict[int, str | bytes] = {1: "one", 2: "two"}


def TestOneInput(data: bytes) -> None:
    """Decode `data` as a signed value, and sign it."""
    LOG.disabled = True  # otherwise each invalid signature would be logged
    try:
        check(data)
    finally:
        LOG.disabled = False


def check(data: bytes) -> None:
    """Decode `data` as a signed value, and sign it."""
    get_signature_key_version(data)
    assert decode_signed_value("secret", "name", data, clock=lambda: 0) is None
    assert decode_signed_value(KEYS, "name", data, clock=lambda: 0) is None
    signed = create_signed_value("secret", "name", data, clock=lambda: 0)
    assert decode_signed_value("secret", "name", signed, clock=lambda: 0) == data
    assert decode_signed_value("secret", "nam", signed, clock=lambda: 0) is None
