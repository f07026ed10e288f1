"""Recognition of names that suggest a secret."""

from __future__ import annotations

import re

# Parts of secret names. They are matched anywhere in a name.
_NAME_PARTS = re.compile(
    "passw(?:or)?d|passphrase|secret|token|cookie|authori[sz]ation|session|credential|[xc]srf|signature|private",
    re.IGNORECASE,
)
# Whole words of secret names ("api_key", "apiKey", but not "monkey").
_WORDS = frozenset({"key", "keys", "apikey", "pwd", "pass", "auth", "jwt", "bearer", "otp", "pin", "sid"})
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
# Names that describe a secret but do not contain it, such as "secret_name" or "token_url", and the names of
# exceptions, which precede their message in a traceback: "KeyError: 'user'".
_NOT_SECRET = re.compile(
    r"xsrf_cookie_.*|.*[_-](?:url|name|backend|algorithm|path)|(?-i:.*(?:Error|Exception|Warning))",
    re.IGNORECASE,
)
# Common names of loop variables. They suggest a secret only if they are names of settings or fields.
_LOOP_VARIABLES = frozenset({"key", "keys"})
_MAX_LENGTH = 200


def is_secret_name(name: object, *, variable: bool = False) -> bool:
    """Whether a name suggests that its value is a secret.

    :param variable: whether the name is a variable of the program, not a key or the name of a field.
    """
    if isinstance(name, bytes):
        name = name.decode("latin-1")
    if not isinstance(name, str):
        return False
    name = str.__getitem__(name, slice(_MAX_LENGTH))
    if variable and name in _LOOP_VARIABLES:
        return False
    if not _NAME_PARTS.search(name) and _WORDS.isdisjoint(map(str.lower, _WORD.findall(name))):
        return False
    return _NOT_SECRET.fullmatch(name) is None


__all__ = ["is_secret_name"]
