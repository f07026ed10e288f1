"""Masking of secrets that are recognized by their context: a literal assigned to a name that suggests a
secret, or the password in the URL of a database.
"""

from __future__ import annotations

import re

from tornado.web._redaction._secret_names import is_secret_name

#: Shown instead of a secret. Its length does not depend on the length of the secret.
MASK = "\u2022" * 6

# The password in the URL of a database. It ends at the last "@", because passwords can contain "@" and "/". A
# number and a slash after the colon are a port.
_PASSWORD_IN_URL = re.compile(r"(://[^\s/:@'\"]{0,200}:)(?!\d{1,5}[/?#])[^\s'\"<>]{1,200}@")
# The password in a connection string of libpq or ODBC, at its end or before another parameter. (A keyword
# argument in source code is followed by a comma or a parenthesis.)
_PASSWORD_IN_CONNECTION_STRING = re.compile(
    r"\b(password|passwd|pwd)=('(?:[^'\\\n]|\\.)+'|[^\s&'\",;()\[\]]+)(?=\s+\w{1,60}\s?=|[ \t]*$|['\";&])",
    re.IGNORECASE | re.MULTILINE,
)

# String and bytes literals. A triple-quoted literal may be unterminated, because only part of the source is
# searched.
_literals = re.compile(
    r"[a-zA-Z]{0,2}(?:'''(?:(?!''').)+(?:'''|$)"
    r'|"""(?:(?!""").)+(?:"""|$)'
    r"|'(?:[^'\\\n]|\\.)+'"
    r'|"(?:[^"\\\n]|\\.)+")',
    re.DOTALL,
)
# A name, optionally with a subscript or in quotes, and the text between it and its value: "=", ":", "==",
# "!=" or an annotation.
_ASSIGNED = re.compile(
    r"\b(\w{1,100})(?:\[['\"]?([^\]\n'\"]{1,80})['\"]?\])?['\"]?\]?\s{0,20}"
    r"(?:[=!]=|=|:(?:[ \t]{0,20}[\w.\[\]|, ]{1,60}?\s{0,20}=)?)\s{0,20}",
)
# A name as the first item of a pair or the first argument of a call: ("token", "…").
_PAIRED = re.compile(r"\(\s{0,20}['\"]([\w.-]{1,100})['\"],\s{0,20}")
_CALL = re.compile(r"[\w.]{1,200}[(\[]")
_MAX_CALL_LENGTH = 200


def mask_literals(text: str) -> str:
    """Mask the literals that are assigned to secret names in source code or a repr.

    If the name is followed by a call instead of a literal, the last literal on that line is masked, because
    it can be a default value: ``token = os.environ.get("TOKEN", "…")``.
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
    """Return the start and end of the literal to mask in the value at `start`, or None."""
    direct = _literals.match(text, start)
    if direct is not None:
        return direct.span()
    call = _CALL.match(text, start)
    if call is None:
        return None
    end = text.find("\n", call.end(), call.end() + _MAX_CALL_LENGTH)
    last = None
    for literal in _literals.finditer(text, call.end(), end if end >= 0 else call.end() + _MAX_CALL_LENGTH):
        last = literal.span()
    return last


def _masked(literal: str) -> str:
    """Return the masked literal with its prefix, quotes and number of lines preserved."""
    body = literal.lstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    prefix = literal[: len(literal) - len(body)]
    mark = body[:3] if body.startswith(("'''", '"""')) else body[:1]
    closing = mark if body.endswith(mark) else ""
    return f"{prefix}{mark}{MASK}" + "\n" * literal.count("\n") + closing


def mask_urls(text: str) -> str:
    """Mask the passwords in URLs and connection strings."""
    if "://" in text:
        text = _PASSWORD_IN_URL.sub(rf"\1{MASK}@", text)
    if "=" in text:
        text = _PASSWORD_IN_CONNECTION_STRING.sub(rf"\1={MASK}", text)
    return text


__all__ = ["MASK", "mask_literals", "mask_urls"]
