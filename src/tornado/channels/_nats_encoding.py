"""Names of channels in subjects and streams of NATS, and the data of messages."""

from __future__ import annotations

import hashlib
import re

from tornado.channels._values import Message

#: What a token of a subject and the name of a stream may contain without encoding.
_SPECIAL = re.compile(rb"[^A-Za-z0-9-]")
_ENCODED = re.compile(rb"_[0-9a-f]{2}")
#: Names of streams are names of directories.
_MAX_TOKEN = 150


def token_of(channel: str) -> str:
    """Return the token that stands for a channel in subjects and names of streams."""
    token = _SPECIAL.sub(lambda found: b"_%02x" % found[0][0], channel.encode()).decode()
    if len(token) <= _MAX_TOKEN:
        return token
    # No shorter channel has this token, because an underscore is followed by two hexadecimal digits.
    return f"__{hashlib.sha256(channel.encode()).hexdigest()}"


def channel_of(token: str) -> str | None:
    """Return the channel of a token; None if its name was too long to be contained in the token."""
    try:
        name = _ENCODED.sub(lambda found: bytes([int(found[0][1:], 16)]), token.encode()).decode()
    except ValueError:
        return None
    return name if token_of(name) == token else None


def encode_message(message: Message) -> bytes:
    """Return the key and the payload of a message as data."""
    if message.key is None:
        return b"-" + message.payload
    key = message.key.encode()
    return b"%d %s%s" % (len(key), key, message.payload)


def decode_message(data: bytes) -> tuple[str | None, bytes]:
    """Return the key and the payload.

    :raises ValueError: if the data has another form.
    """
    if data.startswith(b"-"):
        return None, data[1:]
    size, separator, rest = data.partition(b" ")
    if not separator or not size.isdigit() or int(size) > len(rest):
        raise ValueError("expected the length of a key")
    end = int(size)
    return rest[:end].decode(), rest[end:]


__all__ = ["channel_of", "decode_message", "encode_message", "token_of"]
