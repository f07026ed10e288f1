"""Where an error of the network happened: the phase and the peer, as words in its message."""

from __future__ import annotations

import os
from typing import Any, TypeVar

_Error = TypeVar("_Error", bound=BaseException)


def address_name(address: Any) -> str:
    """An address as people write it: ``1.2.3.4:80``, ``[::1]:80``, a Unix socket's path, ``@abstract``."""
    if isinstance(address, tuple) and len(address) >= 2:
        host, port = address[:2]
        return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"
    if isinstance(address, bytes):
        address = os.fsdecode(address)
    if isinstance(address, str):
        if not address:
            return "a nameless socket"
        return f"@{address[1:]}" if address[0] == "\0" else address
    return str(address)


def placed(error: _Error, where: str) -> _Error:
    """The same error, with ``(where)`` at the end of its message.

    It keeps its class, its number and the beginning of its message, which is what programs look at. A second
    place takes the place of the first: who comes later knows more, the host's name say. Errors other than the
    system's are left alone.

    :param where: the phase and the peer, such as "reading from 1.2.3.4:80".
    """
    if not isinstance(error, OSError):
        return error
    attributes = vars(error)
    if error.strerror is not None:
        bare = attributes.setdefault("_bare_message", error.strerror)
        error.strerror = f"{bare} ({where})"
    elif error.args:
        bare = attributes.setdefault("_bare_message", error.args[0])
        error.args = (f"{bare} ({where})", *error.args[1:])
    return error
