"""Weights: the fields in which a client says how much it likes what (RFC 9110 section 12.4.2).

Theory of operation
-------------------
The members of such a field are alike but for what is weighed: a token (`TOKEN`), or a media range with
parameters (`MEDIA_RANGE`). `weights` reads the one or the other, in one scan of each member. What is not in
the grammar is passed over, as nothing else can be done about it; so is a parameter with a comma in it, which
no media type in use has. A weight is given in thousandths.

Limits
------
The head bounds the field's length. The first `MAX_MEMBERS` members are looked at.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator

__all__ = ["MAX_MEMBERS", "MEDIA_RANGE", "TOKEN", "weights"]

MAX_MEMBERS = 64

# Possessive throughout: the parameters before and after a weight look alike, and giving some back to try
# them as the others would take quadratic time.
_token = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
# weight = OWS ";" OWS "q=" qvalue
_weight = r"(?:[ \t]*;[ \t]*[qQ]=(?P<q>0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?"
_parameters = rf"(?:[ \t]*+;[ \t]*+(?![qQ]=){_token}=(?:{_token}|\"(?:[^\"\\]|\\.)*+\"))*+"

#: A token with its weight: of a content coding, a charset, a language range.
TOKEN = rf"(?P<name>{_token}){_weight}"
#: A media range with its weight. Parameters may stand before the weight, and after it, as before RFC 9110.
MEDIA_RANGE = rf"(?P<name>{_token}/{_token}){_parameters}{_weight}{_parameters}"
# On first use, not at every program's start.
_compiled = functools.cache(functools.partial(re.compile, flags=re.ASCII))


def weights(field: str, grammar: str) -> Iterator[tuple[str, int]]:
    """The members of a field in their order: names in lower case, and weights in thousandths.

    :arg grammar: `TOKEN` or `MEDIA_RANGE`.

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
