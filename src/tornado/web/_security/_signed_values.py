"""Signed values, which a client can store but not change: HMAC-signed, timestamped, bound to a name.

Two formats are accepted, so that the cookies of an existing deployment remain valid.

Version 1: ``base64(value)|timestamp|HMAC-SHA1(secret, name + base64 + timestamp)`` in hexadecimal. The signed
text has no separators between name, value and timestamp. Usually it is detected if an attacker moves
characters from one part to another: digits moved from the value to the timestamp result in a timestamp far in
the future or with leading zeros, and letters moved from a longer name to the value result in invalid base64,
unless four or eight are moved. With ``min_version=2``, all values of version 1 are rejected.

Version 2: ``2|1:0|10:1700000000|4:name|8:dmFsdWU=|signature``: each field with its length, and an HMAC-SHA256
of everything before the signature.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tornado.escape import utf8
from tornado.log import gen_log

if TYPE_CHECKING:
    from tornado.web._interfaces import HandlerInterface

MIN_SUPPORTED_SIGNED_VALUE_VERSION = 1
MAX_SUPPORTED_SIGNED_VALUE_VERSION = 2
#: The version that is written by default.
DEFAULT_SIGNED_VALUE_VERSION = 2
#: The oldest version that is accepted by default.
DEFAULT_SIGNED_VALUE_MIN_VERSION = 1

Secret = str | bytes | dict[int, str | bytes]
_DAY = 86400
#: The number of bytes of a rejected value that are logged. A cookie can be as large as a head, and a form
#: field far larger.
_MAX_LOGGED = 200
_version_prefix = re.compile(rb"([1-9][0-9]{0,2})\|")
_v2_field = re.compile(rb"([0-9]{1,9}):")


def create_signed_value(
    secret: Secret,
    name: str,
    value: str | bytes,
    version: int | None = None,
    clock: Callable[[], float] | None = None,
    key_version: int | None = None,
) -> bytes:
    """Sign `value` for use under `name`.

    :param secret: the key, or several keys by number.
    :param version: the version of the format, 1 or 2 (default).
    :param clock: returns the time in seconds since the epoch; `time.time` by default.
    :param key_version: the number of the key to use, if there are several.
    :raises ValueError: if the version is unknown, or there are several keys and no `key_version`.
    """
    if version is None:
        version = DEFAULT_SIGNED_VALUE_VERSION
    timestamp = utf8(str(int((clock or time.time)())))
    encoded = base64.b64encode(utf8(value))
    if version == 1:
        if isinstance(secret, dict):
            raise ValueError("signed values of version 1 support a single key, but cookie_secret is a dict")
        return b"|".join([encoded, timestamp, _create_signature_v1(secret, name, encoded, timestamp)])
    if version == 2:
        if isinstance(secret, dict):
            if key_version is None:
                raise ValueError("key_version must be set if cookie_secret is a dict of keys")
            secret = secret[key_version]
        fields = [utf8(field) for field in (str(key_version or 0), timestamp, name, encoded)]
        signed = b"2|" + b"".join([b"%d:%s|" % (len(field), field) for field in fields])
        return signed + _create_signature_v2(secret, signed)
    raise ValueError(f"Unsupported version {version} of signed values: expected 1 or 2")


def decode_signed_value(
    secret: Secret,
    name: str,
    value: str | bytes | None,
    max_age_days: float = 31,
    clock: Callable[[], float] | None = None,
    min_version: int | None = None,
) -> bytes | None:
    """Return the value of a signed text, or None if it is invalid: forged, for another name, or too old.

    :param max_age_days: the maximum age of the signature, in days.
    :param min_version: the oldest format that is accepted.
    :raises ValueError: if `min_version` is newer than all formats.
    """
    if min_version is None:
        min_version = DEFAULT_SIGNED_VALUE_MIN_VERSION
    if min_version > MAX_SUPPORTED_SIGNED_VALUE_VERSION:
        raise ValueError(
            f"Unsupported min_version {min_version}: the newest is {MAX_SUPPORTED_SIGNED_VALUE_VERSION}"
        )
    if not value:
        return None
    value = utf8(value)
    version = _version_of(value)
    if version < min_version:
        return None
    now = (clock or time.time)()
    if version == 1:
        return None if isinstance(secret, dict) else _decode_v1(secret, name, value, max_age_days, now)
    if version == 2:
        return _decode_v2(secret, name, value, max_age_days, now)
    return None


def get_signature_key_version(value: str | bytes) -> int | None:
    """Return the version of the key that signed `value`; None for format version 1 or a malformed value."""
    value = utf8(value)
    if _version_of(value) < 2:
        return None
    fields = _split_v2(value)
    return None if fields is None else int(fields[0])


def _version_of(value: bytes) -> int:
    match = _version_prefix.match(value)
    if match is None:
        return 1
    version = int(match.group(1))
    # A longer number is not a version but the base64 of a value of version 1, consisting of digits by chance.
    return 1 if version > 999 else version


def _decode_v1(secret: str | bytes, name: str, value: bytes, max_age_days: float, now: float) -> bytes | None:
    parts = value.split(b"|")
    if len(parts) != 3:
        return None
    encoded, timestamp, signature = parts
    if not hmac.compare_digest(signature, _create_signature_v1(secret, name, encoded, timestamp)):
        gen_log.warning("Invalid cookie signature %r", value[:_MAX_LOGGED])
        return None
    if not _is_number(timestamp):
        return None  # signed with the right key, but not a timestamp
    issued = int(timestamp)
    if issued < now - max_age_days * _DAY:
        gen_log.warning("Expired cookie %r", value[:_MAX_LOGGED])
        return None
    if issued > now + 31 * _DAY:
        gen_log.warning("Cookie timestamp in future; possible tampering %r", value[:_MAX_LOGGED])
        return None
    if timestamp.startswith(b"0"):
        gen_log.warning("Tampered cookie %r", value[:_MAX_LOGGED])
        return None
    decoded = _decode_base64(encoded)
    if decoded is None or base64.b64encode(decoded) != encoded:
        # The base64 is not canonical, because letters have been moved from another name to the value.
        gen_log.warning("Tampered cookie %r", value[:_MAX_LOGGED])
        return None
    return decoded


def _decode_v2(secret: Secret, name: str, value: bytes, max_age_days: float, now: float) -> bytes | None:
    fields = _split_v2(value)
    if fields is None:
        return None
    key_version, timestamp, signed_name, encoded, signature = fields
    if isinstance(secret, dict):
        key = secret.get(int(key_version))
        if key is None:
            return None
        secret = key
    signed = value[: len(value) - len(signature)]
    if not hmac.compare_digest(signature, _create_signature_v2(secret, signed)):
        return None
    if signed_name != utf8(name) or int(timestamp) < now - max_age_days * _DAY:
        return None
    return _decode_base64(encoded)


def _split_v2(value: bytes) -> tuple[bytes, bytes, bytes, bytes, bytes] | None:
    """Return key version, timestamp, name, value and signature; None if `value` is malformed."""
    position = 2
    fields = []
    for _ in range(4):
        match = _v2_field.match(value, position)
        if match is None:
            return None
        start = match.end()
        position = start + int(match.group(1))
        if value[position : position + 1] != b"|":
            return None
        fields.append(value[start:position])
        position += 1
    key_version, timestamp, name, encoded = fields
    if not _is_number(key_version) or not _is_number(timestamp):
        return None
    return key_version, timestamp, name, encoded, value[position:]


def _is_number(field: bytes) -> bool:
    return len(field) <= 18 and field.isdigit()


def _decode_base64(encoded: bytes) -> bytes | None:
    try:
        return base64.b64decode(encoded)
    except ValueError:
        return None


def _create_signature_v1(secret: str | bytes, *parts: str | bytes) -> bytes:
    return utf8(hmac.new(utf8(secret), b"".join([utf8(part) for part in parts]), hashlib.sha1).hexdigest())


def _create_signature_v2(secret: str | bytes, signed: bytes) -> bytes:
    return utf8(hmac.new(utf8(secret), utf8(signed), hashlib.sha256).hexdigest())


# -- the methods of RequestHandler --


def _secret(handler: HandlerInterface) -> Any:
    handler.require_setting("cookie_secret", "secure cookies")
    return handler.application.settings["cookie_secret"]


def create_for(handler: HandlerInterface, name: str, value: str | bytes, version: int | None) -> bytes:
    """Sign a value with the secret of the application."""
    secret = _secret(handler)
    key_version = None
    if isinstance(secret, dict):
        if handler.application.settings.get("key_version") is None:
            versions = ", ".join(map(repr, secret))
            raise Exception(
                "key_version setting must be used for secret_key dicts: set it to one of the versions of "
                f"cookie_secret ({versions})"
            )
        key_version = handler.application.settings["key_version"]
    return create_signed_value(secret, name, value, version=version, key_version=key_version)


def read_for(
    handler: HandlerInterface, name: str, value: str | None, max_age_days: float, min_version: int | None
) -> bytes | None:
    """Return the value of a signed cookie, or of the signed text `value` if it is not None."""
    secret = _secret(handler)
    if value is None:
        value = handler.get_cookie(name)
    return decode_signed_value(secret, name, value, max_age_days=max_age_days, min_version=min_version)


def key_version_for(handler: HandlerInterface, name: str, value: str | None) -> int | None:
    """Return the version of the key that signed a cookie or, if `value` is not None, that signed `value`."""
    _secret(handler)
    if value is None:
        value = handler.get_cookie(name)
    return None if value is None else get_signature_key_version(value)
