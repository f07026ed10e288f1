"""Names that sound like a secret's."""

from __future__ import annotations

import re

# Anywhere in a name, and as a word of it ("api_key", "apiKey", but not "monkey").
_IN_NAMES = re.compile(
    "passw(?:or)?d|passphrase|secret|token|cookie|authori[sz]ation|session|credential|[xc]srf|signature|private",
    re.IGNORECASE,
)
_WORDS = frozenset({"key", "keys", "apikey", "pwd", "pass", "auth", "jwt", "bearer", "otp", "pin", "sid"})
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
# What is said about a secret, and how it is kept.
_ABOUT = re.compile(r"xsrf_cookie_.*|.*[_-](?:url|name|backend|algorithm|path)", re.IGNORECASE)
# The loop variables of everyday: hidden as the name of a setting or a field, not as that of a variable.
_EVERYDAY = frozenset({"key", "keys"})
_LONGEST = 200


def is_secret_name(name: object, *, variable: bool = False) -> bool:
    """Whether a name sounds like a secret's.

    :param variable: it is a variable of the program, not a key of something.
    """
    if isinstance(name, bytes):
        name = name.decode("latin-1")
    if not isinstance(name, str):
        return False
    name = str.__getitem__(name, slice(_LONGEST))
    if variable and name in _EVERYDAY:
        return False
    if not _IN_NAMES.search(name) and _WORDS.isdisjoint(map(str.lower, _WORD.findall(name))):
        return False
    return _ABOUT.fullmatch(name) is None


__all__ = ["is_secret_name"]
