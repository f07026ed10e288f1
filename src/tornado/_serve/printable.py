"""Text from clients, for a terminal: control characters would be interpreted, and line feeds forge lines."""

from __future__ import annotations

from typing import Any

__all__ = ["escape_unprintable", "printable"]

#: The values that may have several lines, which the tables indent.
_LONG = frozenset({"message", "traceback"})


def escape_unprintable(text: str, keep: str = "") -> str:
    r"""Replace characters that are not printable with escapes such as ``\x1b`` and ``\u202e``.

    Controls, format characters such as those that change the direction of writing, and surrogates are not
    printable.

    :param keep: characters that are not replaced.
    """
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or each in keep else each.encode("unicode_escape").decode()
        for each in text
    )


def printable(value: Any, key: str | None = None) -> Any:
    """Return a value of JSON whose texts are printable. Only messages and tracebacks keep their line feeds.

    :param key: the key of the value in its object.
    """
    match value:
        case str():
            return escape_unprintable(value, "\n" if key in _LONG else "")
        case list():
            return [printable(each, key) for each in value]
        case dict():
            return {escape_unprintable(name): printable(each, name) for name, each in value.items()}
    return value
