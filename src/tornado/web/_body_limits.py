"""How large a handler's request bodies may be and how long they may take, as its class says."""

from __future__ import annotations

from types import FunctionType
from typing import Any

_OTHERS = (property, FunctionType, classmethod, staticmethod)


def apply(owner: Any, connection: Any) -> None:
    """Hand ``max_body_size`` and ``body_timeout`` of a handler class, or of a handler, to the exchange.

    A property or method of one of these names is a program's own affair and passed over.

    :raises TypeError: if one of them is no number.
    :raises ValueError: if one of them is negative.
    """
    size = owner.max_body_size
    if size is not None and not isinstance(size, _OTHERS):
        connection.set_max_body_size(_checked(owner, "max_body_size", size, int))
    timeout = owner.body_timeout
    if timeout is not None and not isinstance(timeout, _OTHERS):
        connection.set_body_timeout(_checked(owner, "body_timeout", timeout, (int, float)))


def apply_own(handler: Any) -> None:
    """The same for what ``prepare`` of a streaming handler has set on the object."""
    own = handler.__dict__
    if "max_body_size" in own or "body_timeout" in own:
        apply(handler, handler.request.connection)


def _checked(owner: Any, name: str, value: Any, kind: Any) -> Any:
    cls = owner if isinstance(owner, type) else type(owner)
    if not isinstance(value, kind) or isinstance(value, bool):
        wanted = "a number of bytes" if kind is int else "a number of seconds"
        raise TypeError(f"{cls.__name__}.{name} is {wanted} or None, not {value!r}")
    if value < 0:
        raise ValueError(f"{cls.__name__}.{name} must not be negative, got {value!r}")
    return value
