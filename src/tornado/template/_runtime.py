"""The functions that the generated code of a template calls.

The generated code collects text and joins it at the end. Bytes are decoded if they are UTF-8. Other bytes,
which only unescaped output such as that of ``{% raw %}`` can contain, remain bytes, and `join` then uses its
slow path.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

from tornado import escape as _escape
from tornado.escape import to_unicode, utf8

_xhtml_escape = _escape.xhtml_escape


def text_of(value: Any) -> str | bytes:
    """Convert a value to output without escaping."""
    kind = type(value)
    if kind is str:
        text: str = value
        return text
    if kind is int:
        return str(value)
    if isinstance(value, str):
        return str.__str__(value)  # ignore the __str__ of a subclass
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value
    return str(value)


def escape_value(value: Any) -> str:
    """Convert a value to output, escaped with the standard `xhtml_escape`.

    Most values are short and contain no character to escape, so the function checks this case first. Integers
    never need escaping.
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
    """Convert a value to output, escaped with a function.

    A function defined by the program receives bytes, as in upstream.
    """
    if function is _xhtml_escape:
        return escape_value(value)
    return text_of(function(utf8(value if isinstance(value, (str, bytes)) else str(value))))


def join(parts: list[Any]) -> bytes:
    """Join the collected output, as UTF-8."""
    try:
        return "".join(parts).encode()
    except TypeError:
        return b"".join([part if isinstance(part, bytes) else part.encode() for part in parts])


#: The name of the default escaping function.
STANDARD_ESCAPE = "xhtml_escape"
#: The names that every template can use. `escape` is short for `xhtml_escape`.
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
    # The generated code does not use these names, but templates written for upstream do.
    "_tt_utf8": utf8,
    "_tt_string_types": (str, bytes),
}
