"""What looks like a secret in a text by what stands beside it: a literal that a secret name is given, a
password in the address of a database.
"""

from __future__ import annotations

import re

from tornado.web._debug._secret_names import is_secret_name

#: Shown instead of a secret, whatever its length.
MASK = "\u2022" * 6

# The password in the address of a database: up to the last "@", as passwords have "@" and "/" in them, too. A
# number and a slash after the colon are a port.
_IN_ADDRESSES = re.compile(r"(://[^\s/:@'\"]{0,200}:)(?!\d{1,5}[/?#])[^\s'\"<>]{1,200}@")
# In a connection string of libpq or ODBC, at the end of it or followed by another word. (A keyword argument
# in a source is followed by a comma or a parenthesis.)
_IN_CONNECTION_STRINGS = re.compile(
    r"\b(password|passwd|pwd)=('(?:[^'\\\n]|\\.)+'|[^\s&'\",;()\[\]]+)(?=\s+\w{1,60}\s?=|[ \t]*$|['\";&])",
    re.IGNORECASE | re.MULTILINE,
)

# One in three quotes may go on where the text ends.
_literals = re.compile(
    r"[a-zA-Z]{0,2}(?:'''(?:(?!''').)+(?:'''|$)"
    r'|"""(?:(?!""").)+(?:"""|$)'
    r"|'(?:[^'\\\n]|\\.)+'"
    r'|"(?:[^"\\\n]|\\.)+")',
    re.DOTALL,
)
# A name, with a subscript or in quotes it may be, and what puts it before a value: "=", ":", "==", "!=" or an
# annotation.
_ASSIGNED = re.compile(
    r"\b(\w{1,100})(?:\[['\"]?([^\]\n'\"]{1,80})['\"]?\])?['\"]?\]?\s{0,20}"
    r"(?:[=!]=|=|:(?:[ \t]{0,20}[\w.\[\]|, ]{1,60}?\s{0,20}=)?)\s{0,20}",
)
# A name as the first of a pair, or of a call's arguments: ("token", "…").
_PAIRED = re.compile(r"\(\s{0,20}['\"]([\w.-]{1,100})['\"],\s{0,20}")
_CALL = re.compile(r"[\w.]{1,200}[(\[]")
_LONGEST_CALL = 200


def mask_literals(text: str) -> str:
    """A text, source or repr, without the literals that secret names are given.

    What follows a name is looked at: a literal, or a call whose last literal on the line is masked, as it
    may be the value that holds where nothing else does.
    """
    for before in (_ASSIGNED, _PAIRED):
        text = _mask_after(before, text)
    return text


def _mask_after(before: re.Pattern[str], text: str) -> str:
    parts: list[str] = []
    position = 0
    for found in before.finditer(text):
        if found.end() < position or not any(is_secret_name(name, variable=True) for name in found.groups()):
            continue
        literal = _value_at(text, found.end())
        if literal is not None and literal[0] >= position:
            start, end = literal
            parts += (text[position:start], _masked(text[start:end]))
            position = end
    parts.append(text[position:])
    return "".join(parts)


def _value_at(text: str, start: int) -> tuple[int, int] | None:
    """Where the literal is that is the value at a place of a text."""
    direct = _literals.match(text, start)
    if direct is not None:
        return direct.span()
    call = _CALL.match(text, start)
    if call is None:
        return None
    end = text.find("\n", call.end(), call.end() + _LONGEST_CALL)
    last = None
    for literal in _literals.finditer(text, call.end(), end if end >= 0 else call.end() + _LONGEST_CALL):
        last = literal.span()
    return last


def _masked(literal: str) -> str:
    """A literal with its prefix and quotes, and as many lines as it had."""
    body = literal.lstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    prefix = literal[: len(literal) - len(body)]
    mark = body[:3] if body.startswith(("'''", '"""')) else body[:1]
    closing = mark if body.endswith(mark) else ""
    return f"{prefix}{mark}{MASK}" + "\n" * literal.count("\n") + closing


def mask_addresses(text: str) -> str:
    """A text without the passwords in addresses and connection strings."""
    if "://" in text:
        text = _IN_ADDRESSES.sub(rf"\1{MASK}@", text)
    if "=" in text:
        text = _IN_CONNECTION_STRINGS.sub(rf"\1={MASK}", text)
    return text


__all__ = ["MASK", "mask_addresses", "mask_literals"]
