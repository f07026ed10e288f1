"""The size and time limits of request bodies that handler classes define."""

from __future__ import annotations

import weakref
from types import FunctionType
from typing import Any

from tornado.log import app_log

_OTHER_USES = (property, FunctionType, classmethod, staticmethod)
#: The names of the invalid attributes that were logged, by class.
_reported: weakref.WeakKeyDictionary[type, set[str]] = weakref.WeakKeyDictionary()


def apply(owner: Any, connection: Any) -> None:
    """Set ``max_body_size``, ``max_form_size`` and ``body_timeout`` of a handler or its class on the
    exchange.

    An existing program may use these names for other purposes. Therefore properties and methods are ignored.
    A value that is not a number of bytes or seconds is also ignored, but may be a mistake, so an error is
    logged once per class. In these cases the limits of the server apply.
    """
    size = owner.max_body_size
    if (
        size is not None
        and not isinstance(size, _OTHER_USES)
        and _is_valid(owner, "max_body_size", size, int)
    ):
        connection.set_max_body_size(size)
    form_size = owner.max_form_size
    if (
        form_size is not None
        and not isinstance(form_size, _OTHER_USES)
        and _is_valid(owner, "max_form_size", form_size, int)
    ):
        connection.max_form_size = form_size
    timeout = owner.body_timeout
    if (
        timeout is not None
        and not isinstance(timeout, _OTHER_USES)
        and _is_valid(owner, "body_timeout", timeout, (int, float))
    ):
        connection.set_body_timeout(timeout)


def _is_valid(owner: Any, name: str, value: Any, kind: Any) -> bool:
    if isinstance(value, kind) and not isinstance(value, bool) and value >= 0:
        return True
    cls = owner if isinstance(owner, type) else type(owner)
    reported = _reported.setdefault(cls, set())
    if name not in reported:
        reported.add(name)
        expected = "a number of bytes" if kind is int else "a number of seconds"
        app_log.error(
            "%s.%s is ignored and the limit of the server applies: it must be None or %s of at least 0, "
            "got %.100r",
            cls.__name__,
            name,
            expected,
            value,
        )
    return False
