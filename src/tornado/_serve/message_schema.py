"""The messages that a process accepts from another one, and the checks of their values.

The program of a worker may be compromised, and with ``--user`` the supervisor has more rights. The supervisor
therefore uses no value of a message that has not been checked here. Keys and types that are not listed are
ignored, because a supervisor that has been replaced (SIGUSR2) receives messages of the previous version. For
the same reason, a missing value counts as None: a key that is added later must accept it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

from tornado.log import escape_controls

__all__ = ["FROM_ADMIN", "FROM_SUPERVISOR", "FROM_WORKER", "Schema", "find_error", "known_stats"]

Check = Callable[[Any], bool]
#: The types of messages, each with the checks of its values.
Schema = Mapping[str, Mapping[str, Check]]

#: A bound that all counts, sizes and times in seconds are below.
_MAX_NUMBER = 2**53
#: The maximum number of texts in a list.
_MAX_TEXTS = 1000


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_number(value: Any) -> bool:
    # A comparison with NaN is false.
    return type(value) in (int, float) and 0 <= value <= _MAX_NUMBER


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= _MAX_NUMBER


def _is_text_list(value: Any) -> bool:
    return isinstance(value, list) and len(value) <= _MAX_TEXTS and all(map(_is_text, value))


def _is_anything(value: Any) -> bool:
    return True


def _is_object_or_none(value: Any) -> bool:
    return value is None or isinstance(value, dict)


def _is_id_list(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_count, value))


def _are_arguments(value: Any) -> bool:
    """Whether it contains the arguments of a query or an action: texts and counts."""
    return isinstance(value, dict) and all(_is_text(each) or _is_count(each) for each in value.values())


_STATS: Mapping[str, Check] = {
    "connections": _is_count,
    "requests": _is_count,
    "cpu": _is_number,
    "threads": _is_count,
    "problems": _is_text_list,
}


def _are_stats(value: Any) -> bool:
    """Whether the numbers of a worker that are known are valid; see `known_stats`."""
    return isinstance(value, dict) and all(
        check(value[name]) for name, check in _STATS.items() if name in value
    )


def known_stats(stats: Mapping[str, Any]) -> dict[str, Any]:
    """Return the numbers of a worker that have been checked. The supervisor keeps no others."""
    return {name: stats[name] for name in _STATS if name in stats}


#: What the supervisor accepts from a worker. See `tornado._serve.worker_protocol`.
FROM_WORKER: Schema = {
    "ready": {},
    "failed": {"stage": _is_text, "report": _is_text},
    "beat": {"loop": _is_count, "age": _is_number, "stats": _are_stats},
    "leaving": {},
    "drained": {"clean": _is_flag, "snapshot": _is_object_or_none, "recent": _is_object_or_none},
    "reply": {"id": _is_text, "data": _is_anything},
}
#: What the supervisor accepts from the administration. See `tornado._serve.admin_process`.
FROM_ADMIN: Schema = {
    "status": {"id": _is_text},
    "ask": {"id": _is_text, "what": _is_text, "arguments": _are_arguments},
    "act": {"id": _is_text, "action": _is_text, "arguments": _are_arguments},
    "keep": {"data": _is_object_or_none},
}
#: What a worker and the administration accept from the supervisor.
FROM_SUPERVISOR: Schema = {
    "drain": {"grace": _is_number, "delay": _is_number},
    "dump": {},
    "query": {"id": _is_text, "what": _is_text, "arguments": _are_arguments},
    "reply": {"id": _is_text, "data": _is_anything},
    "final": {"pid": _is_count, "snapshot": _is_object_or_none, "recent": _is_object_or_none},
    "ended": {"status": _is_count},
}


def find_error(message: Any, schema: Schema | None) -> str | None:
    """Return what is wrong with a message, on one line; None if it is valid.

    :param schema: the messages that are accepted; None accepts all objects with a type.
    """
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        return "expected an object with a type"
    kind = message["type"]
    for name, check in ({} if schema is None else schema.get(kind, {})).items():
        if not check(message.get(name)):
            if name not in message:
                return f"{_shown(kind)} has no {name!r}"
            return f"{_shown(kind)} has an invalid {name!r}: {_shown(message[name])}"
    return None


def _shown(value: Any) -> str:
    """Return a value for a log line. Only the beginning is formatted, because it may be large or deep."""
    match value:
        case str():
            return repr(escape_controls(value[:100]))
        case int() | float() | bool() | None:
            return f"{value!r:.100}"
        case dict():
            return f"an object with the keys {', '.join(map(_shown, itertools.islice(value, 5)))}"
    return f"a {type(value).__name__}"
