"""Authentication challenges: the fields WWW-Authenticate and Proxy-Authenticate (RFC 9110 section 11.6.1).

Theory of operation
-------------------
A field is a list of challenges, and a challenge contains a list of parameters; the members of both lists are
separated by commas. A word is the name of a parameter if an equals sign and a value follow. Otherwise it is
the scheme of the next challenge. A scheme may be followed by one token68 instead of parameters.
`parse_challenges` parses a field in one scan. A syntax error ends the parsing of the field, and the challenge
that contains it is ignored, as if the server had not offered it. A challenge that repeats a parameter is
ignored too, because client and server might use different values of the parameter.

`parse_auth_params` parses a list of parameters without a scheme, as in Authentication-Info.

`format_challenge` serializes one challenge. Every value is serialized as a quoted string, which RFC 9110
allows for any parameter, and RFC 6750 section 3 and RFC 7617 section 2 require. A response with several
challenges should have a field line for each, because clients parse these more reliably than one list (RFC
9110 section 11.6.1).

Limits
------
The size of the fields is bounded by the limit on the size of a message head. At most `MAX_CHALLENGES`
challenges are parsed, each with at most `MAX_PARAMS` parameters.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from typing import Final

from tornado._wire.headers import is_token

__all__ = ["Challenge", "format_challenge", "parse_auth_params", "parse_challenges"]

MAX_CHALLENGES: Final = 16
MAX_PARAMS: Final = 32

_token = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
# RFC 9110 section 5.6.4, without control characters.
_quoted = r'"((?:[^"\\\x00-\x08\x0a-\x1f\x7f]|\\[^\x00-\x08\x0a-\x1f\x7f])*+)"'
_SEPARATORS = re.compile(r"[ \t,]*+")
# auth-param = token BWS "=" BWS ( token / quoted-string )
_PARAM = re.compile(rf"({_token})[ \t]*+=[ \t]*+(?:({_token})|{_quoted})[ \t]*+(?=,|\Z)")
_SCHEME = re.compile(rf"({_token})(?:[ ]++|(?=,)|\Z)")
_TOKEN68 = re.compile(r"([A-Za-z0-9\-._~+/]++=*+)[ \t]*+(?=,|\Z)")
_ESCAPE = re.compile(r"\\(.)")
_TO_ESCAPE = re.compile(r'(["\\])')
_BACKSLASH = r"\\\1"
# RFC 9110 section 5.6.4, ASCII only: recipients disagree about the charset of other octets.
_QUOTABLE = re.compile(r"[\t\x20-\x7e]*+")


@dataclasses.dataclass(frozen=True, slots=True)
class Challenge:
    """One challenge.

    :ivar scheme: the scheme in lower case.
    :ivar params: the parameters, by name in lower case.
    :ivar token68: the single value that some schemes use instead of parameters, or None.
    """

    scheme: str
    params: Mapping[str, str]
    token68: str | None = None


def parse_challenges(fields: Iterable[str]) -> list[Challenge]:
    """Return the challenges of a message in order.

    :param fields: the values of all field lines of WWW-Authenticate or Proxy-Authenticate.

    >>> parse_challenges(['Basic realm="a, b", Digest nonce=c, qop="auth"'])[1].params["qop"]
    'auth'
    """
    found: list[Challenge] = []
    for field in fields:
        for challenge in _parse_field(field):
            if len(found) == MAX_CHALLENGES:
                return found
            found.append(challenge)
    return found


def _parse_field(field: str) -> list[Challenge]:
    challenges: list[Challenge] = []
    position = _end(_SEPARATORS, field, 0)
    while position < len(field):
        match = _SCHEME.match(field, position)
        if match is None:
            break
        scheme, position = match[1].lower(), match.end()
        single = _TOKEN68.match(field, position)
        if single is not None:
            challenges.append(Challenge(scheme, {}, single[1]))
            position = _end(_SEPARATORS, field, single.end())
            continue
        params, position = _parse_params(field, position)
        if params is not None:
            challenges.append(Challenge(scheme, params))
    return challenges


def _parse_params(field: str, position: int) -> tuple[dict[str, str] | None, int]:
    """Parse parameters up to the next scheme.

    :returns: the parameters, or None if the challenge must be ignored, and the position after them.
    """
    params: dict[str, str] = {}
    usable = True
    position = _end(_SEPARATORS, field, position)
    while (match := _PARAM.match(field, position)) is not None:
        name = match[1].lower()
        if name in params or len(params) == MAX_PARAMS:
            usable = False
        else:
            params[name] = match[2] if match[3] is None else _ESCAPE.sub(r"\1", match[3])
        position = _end(_SEPARATORS, field, match.end())
    if position < len(field) and _SCHEME.match(field, position) is None:
        return None, len(field)
    return (params if usable else None), position


def parse_auth_params(field: str) -> dict[str, str]:
    """Return the parameters of an Authentication-Info field, or an empty dictionary if it is malformed.

    >>> parse_auth_params('nextnonce="a", qop=auth')
    {'nextnonce': 'a', 'qop': 'auth'}
    """
    params, position = _parse_params(field, 0)
    return params if params is not None and position == len(field) else {}


def format_challenge(scheme: str, params: Mapping[str, str]) -> str:
    r"""Return a challenge as the value of a WWW-Authenticate field line.

    :param scheme: a token, such as ``Basic`` or ``Bearer``.
    :param params: the parameters in order.
    :raises ValueError: if the scheme or a name is not a token, or a value contains a control character or a
        character outside ASCII.

    >>> format_challenge("Bearer", {"realm": 'the "shop"', "error": "invalid_token"})
    'Bearer realm="the \\"shop\\"", error="invalid_token"'
    """
    if not is_token(scheme):
        raise ValueError(f"the authentication scheme must be a token such as 'Bearer', got {scheme!r}")
    written = []
    for name, value in params.items():
        if not is_token(name):
            raise ValueError(f"the name of a challenge's parameter must be a token, got {name!r}")
        if _QUOTABLE.fullmatch(value) is None:
            raise ValueError(f"the challenge parameter {name} must be printable ASCII, got {value!r}")
        written.append(f'{name}="{_TO_ESCAPE.sub(_BACKSLASH, value)}"')
    return f"{scheme} {', '.join(written)}" if written else scheme


def _end(pattern: re.Pattern[str], text: str, position: int) -> int:
    match = pattern.match(text, position)
    assert match is not None
    return match.end()
