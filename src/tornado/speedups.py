"""``websocket_mask``, under the name that it has in Tornado's C extension."""

from __future__ import annotations

from tornado._public_module_names import list_public
from tornado.util import _websocket_mask

__all__ = ["websocket_mask"]


def websocket_mask(mask: bytes, data: bytes) -> bytes:
    """Mask or unmask the payload of a WebSocket frame (RFC 6455 section 5.3).

    :param mask: the masking key, 4 bytes.
    :param data: the payload.
    :returns: ``data`` with byte ``i`` XORed with byte ``i % 4`` of the key.
    :raises ValueError: if the key is not 4 bytes long.
    :raises TypeError: if either argument is not of type ``bytes``.
    """
    for name, value in (("mask", mask), ("data", data)):
        if not isinstance(value, bytes):
            raise TypeError(f"websocket_mask: {name} must be bytes, got {type(value).__name__}")
    if len(mask) != 4:
        raise ValueError(f"websocket_mask: the masking key must be 4 bytes, got {len(mask)}")
    return _websocket_mask(mask, data)


list_public(globals())
