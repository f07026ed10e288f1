"""The identifier of a request, by which its log records are found."""

from __future__ import annotations

import os
import random
import re
import sys
from typing import Any

__all__ = ["choose_id", "new_id"]

# A longer identifier, or one with other characters, could forge or fill log lines.
_is_request_id = re.compile(r"[A-Za-z0-9._~:@/+=-]{1,128}").fullmatch
#: The field of W3C Trace Context: version, trace ID, parent ID and flags. Later versions may append fields.
_traceparent = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?"
)

# Not `secrets`, because an identifier is not a secret, and a system call per request costs 1 us.
_random = random.Random()
_LENGTH = 32
#: The number of identifiers that are made at a time. Making one takes 3,000 instructions.
_BATCH = 64


#: Identifiers that have not been used. The methods of a list are atomic, so threads may share it.
_ids: list[str] = []


def _after_fork() -> None:
    """Discard the identifiers, which the parent process will use."""
    _random.seed()
    _ids.clear()


if sys.platform != "win32" and hasattr(os, "register_at_fork"):  # Pyodide and WASI do not have it
    os.register_at_fork(after_in_child=_after_fork)


def new_id() -> str:
    """Return 32 random hexadecimal digits, the form of a trace ID."""
    try:
        return _ids.pop()
    except IndexError:
        size = _BATCH * _LENGTH
        digits = f"{_random.getrandbits(4 * size):0{size}x}"
        _ids.extend([digits[start : start + _LENGTH] for start in range(_LENGTH, size, _LENGTH)])
        return digits[:_LENGTH]


def choose_id(request: Any, from_proxy: bool) -> str:
    """Return the identifier of a request.

    :param from_proxy: whether the header fields are those of a trusted proxy. The identifier is then the
        value of X-Request-Id, or the trace ID of traceparent, if it is well-formed.
    """
    if from_proxy:
        given = request.headers.get("X-Request-Id", "")
        if _is_request_id(given):
            return str(given)
        parent = _traceparent.fullmatch(request.headers.get("Traceparent", ""))
        if parent is not None and (parent[0][:2] != "00" or len(parent[0]) == 55):
            return parent[1]
    return new_id()
