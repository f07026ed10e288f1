"""What the generated code of a template calls.

The code collects text and joins it at the end. Bytes become text on the way where they are UTF-8; other
bytes, which only ``{% raw %}`` and its like let through, stay bytes, and the join then goes the long way.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

from tornado import escape as _escape
from tornado.escape import to_unicode, utf8

_xhtml_escape = _escape.xhtml_escape


def text_of(value: Any) -> str | bytes:
    """A value as it goes to the output without escaping."""
    kind = type(value)
    if kind is str:
        text: str = value
        return text
    if kind is int:
        return str(value)
    if isinstance(value, str):
        return str.__str__(value)  # the characters, whatever a subclass says of itself
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value
    return str(value)


def escape_value(value: Any) -> str:
    """A value as it goes to the output through the standard `xhtml_escape`.

    Most values are short and hold nothing to escape, so that is what is looked for first. Digits never
    need it.
    """
    if type(value) is not str:
        if type(value) is int:
            return str(value)
        if isinstance(value, str):
            value = str.__str__(value)
        else:
            value = to_unicode(value) if isinstance(value, bytes) else str(value)
    if "&" in value or "<" in value or ">" in value or '"' in value or "'" in value:
        return _xhtml_escape(value)
    text: str = value
    return text


def escape_with(value: Any, function: Callable[[Any], Any]) -> str | bytes:
    """A value as it goes to the output through an escaping function.

    A function of the program's own is given bytes, as it always has been.
    """
    if function is _xhtml_escape:
        return escape_value(value)
    return text_of(function(utf8(value if isinstance(value, (str, bytes)) else str(value))))


def join(parts: list[Any]) -> bytes:
    """All that was collected, as UTF-8."""
    try:
        return "".join(parts).encode()
    except TypeError:
        return b"".join([part if isinstance(part, bytes) else part.encode() for part in parts])


#: The name of the function that expressions go through where nothing else is asked for.
STANDARD_ESCAPE = "xhtml_escape"
#: The names that every template knows. `escape` is the short name of `xhtml_escape`.
NAMES: dict[str, Any] = {
    "escape": _xhtml_escape,
    "xhtml_escape": _xhtml_escape,
    "url_escape": _escape.url_escape,
    "json_encode": _escape.json_encode,
    "squeeze": _escape.squeeze,
    "linkify": _escape.linkify,
    "datetime": datetime,
    "_tt_escape": escape_value,
    "_tt_escape_with": escape_with,
    "_tt_text": text_of,
    "_tt_join": join,
    "_tt_str": str,
    "_tt_type": type,
    # Not used by the generated code any more, but by templates that know of it.
    "_tt_utf8": utf8,
    "_tt_string_types": (str, bytes),
}
