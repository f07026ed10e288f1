"""Quality values: Accept, Accept-Encoding, Accept-Language and similar fields (RFC 9110 section 12.4.2).

Theory of operation
-------------------
The members of such a field differ only in the item that has a weight: a token (`TOKEN`), or a media range
with parameters (`MEDIA_RANGE`). `weights` parses either, in one scan of each member. Members that do not
match the grammar are ignored, including those with a comma in a parameter, which no media type in use has.
Weights are in thousandths.

Limits
------
The length of a field is bounded by the limit on the size of a message head. Only the first `MAX_MEMBERS`
members are parsed.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator

__all__ = ["MAX_MEMBERS", "MEDIA_RANGE", "TOKEN", "weights"]

MAX_MEMBERS = 64

# All quantifiers are possessive: the parameters before and after a weight look alike, and backtracking from
# one group into the other would take quadratic time.
_token = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
# weight = OWS ";" OWS "q=" qvalue
_weight = r"(?:[ \t]*;[ \t]*[qQ]=(?P<q>0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?"
_parameters = rf"(?:[ \t]*+;[ \t]*+(?![qQ]=){_token}=(?:{_token}|\"(?:[^\"\\]|\\.)*+\"))*+"

#: A token with its weight: a content coding, a charset or a language range.
TOKEN = rf"(?P<name>{_token}){_weight}"
#: A media range with its weight. Parameters may precede the weight. They may also follow the weight, as was
#: allowed before RFC 9110.
MEDIA_RANGE = rf"(?P<name>{_token}/{_token}){_parameters}{_weight}{_parameters}"
# The patterns are compiled on first use rather than at import.
_compiled = functools.cache(functools.partial(re.compile, flags=re.ASCII))


def weights(field: str, grammar: str) -> Iterator[tuple[str, int]]:
    """Yield the members of a field in order: names in lower case, and weights in thousandths.

    :param grammar: `TOKEN` or `MEDIA_RANGE`.

    >>> list(weights("text/html;level=1;q=0.5, Text/Plain; Q=1, q=1", MEDIA_RANGE))
    [('text/html', 500), ('text/plain', 1000)]
    """
    fullmatch = _compiled(grammar).fullmatch
    for member in field.split(",", MAX_MEMBERS)[:MAX_MEMBERS]:
        match = fullmatch(member.strip(" \t"))
        if match is not None:
            name, weight = match["name"], match["q"]
            yield name.lower(), 1000 if weight is None else _thousandths(weight)


def _thousandths(weight: str) -> int:
    whole, _, decimals = weight.partition(".")
    return int(whole + decimals.ljust(3, "0"))
