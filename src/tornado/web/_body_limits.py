"""How large a handler's request bodies may be and how long they may take, as its class says."""

from __future__ import annotations

import weakref
from types import FunctionType
from typing import Any

from tornado.log import app_log

_OTHERS = (property, FunctionType, classmethod, staticmethod)
#: What has been complained of, by class.
_reported: weakref.WeakKeyDictionary[type, set[str]] = weakref.WeakKeyDictionary()


def apply(owner: Any, connection: Any) -> None:
    """Pass ``max_body_size``, ``max_form_size`` and ``body_timeout`` of a handler class, or of a handler, to
    the exchange.

    A property or method of one of these names is a program's own affair and passed over. So is a value that
    is no number of bytes or seconds, as the names may have a meaning in a program that is older than they
    are here; as it may also be a mistake, an error is logged, once a class. The server's limits hold then.
    """
    size = owner.max_body_size
    if size is not None and not isinstance(size, _OTHERS) and _is_good(owner, "max_body_size", size, int):
        connection.set_max_body_size(size)
    form_size = owner.max_form_size
    if (
        form_size is not None
        and not isinstance(form_size, _OTHERS)
        and _is_good(owner, "max_form_size", form_size, int)
    ):
        connection.max_form_size = form_size
    timeout = owner.body_timeout
    if (
        timeout is not None
        and not isinstance(timeout, _OTHERS)
        and _is_good(owner, "body_timeout", timeout, (int, float))
    ):
        connection.set_body_timeout(timeout)


def _is_good(owner: Any, name: str, value: Any, kind: Any) -> bool:
    if isinstance(value, kind) and not isinstance(value, bool) and value >= 0:
        return True
    cls = owner if isinstance(owner, type) else type(owner)
    reported = _reported.setdefault(cls, set())
    if name not in reported:
        reported.add(name)
        wanted = "a number of bytes" if kind is int else "a number of seconds"
        app_log.error(
            "%s.%s is ignored, the server's limit holds: it should be None or %s from 0 on, not %.100r",
            cls.__name__,
            name,
            wanted,
            value,
        )
    return False
