"""Adds the context of a network error, its phase and peer, to the error's message."""

from __future__ import annotations

import os
from typing import Any, TypeVar

_Error = TypeVar("_Error", bound=BaseException)


def format_address(address: Any) -> str:
    """Format an address for messages: ``1.2.3.4:80``, ``[::1]:80``, a Unix socket's path, ``@abstract``."""
    if isinstance(address, tuple) and len(address) >= 2:
        host, port = address[:2]
        return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"
    if isinstance(address, bytes):
        address = os.fsdecode(address)
    if isinstance(address, str):
        if not address:
            return "an unnamed socket"
        return f"@{address[1:]}" if address[0] == "\0" else address
    return str(address)


def add_error_context(error: _Error, where: str) -> _Error:
    """Append ``(where)`` to the message of an `OSError`, and return the error.

    The class, the error number and the beginning of the message are not changed, because programs check them.
    A second call replaces the context that the first call has added, because later callers know more, for
    example the host name. Errors of other classes are not changed.

    :param where: the phase and the peer, such as "reading from 1.2.3.4:80".
    """
    if not isinstance(error, OSError):
        return error
    attributes = vars(error)
    if error.strerror is not None:
        original = attributes.setdefault("_bare_message", error.strerror)
        error.strerror = f"{original} ({where})"
    elif error.args:
        original = attributes.setdefault("_bare_message", error.args[0])
        error.args = (f"{original} ({where})", *error.args[1:])
    return error
