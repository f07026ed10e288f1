"""Content codings: which one an Accept-Encoding field asks for, and what a coding does to an entity tag.

Theory of operation
-------------------
A field is read in one scan (`parse_accept_encoding`): a mapping of coding to weight in thousandths. A
member that is not in the grammar is ignored, as nothing else can be done about it; of a coding named twice
the first member counts. `choose_coding` then takes the available coding of the greatest weight, and among
equals the one the server named first. Clients send the same few values all the time, so choices are
remembered in a bounded table; values too long to be common are not.

Limits
------
So many members of a field are looked at as `tornado._wire.accept` says; registered codings and their synonyms
are fewer than twenty. The table holds 256 choices for values of up to `MAX_REMEMBERED` characters.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from tornado._wire.accept import TOKEN, weights

__all__ = ["choose_coding", "identity_refused", "parse_accept_encoding", "strong_tag", "weak_tag"]

MAX_REMEMBERED = 256

# RFC 9110 section 8.4.1: a recipient considers these equivalent.
_SYNONYMS = {"x-gzip": "gzip", "x-compress": "compress"}


def parse_accept_encoding(field: str) -> dict[str, int]:
    """The weights of a field's members, by coding in lower case, in thousandths; 0 refuses it.

    >>> parse_accept_encoding("gzip;q=0.8, br, identity; q=0, gzip;q=2, what ever")
    {'gzip': 800, 'br': 1000, 'identity': 0}
    """
    found: dict[str, int] = {}
    for name, weight in weights(field, TOKEN):
        found.setdefault(_SYNONYMS.get(name, name), weight)
    return found


def choose_coding(accept_encoding: str | None, available: Sequence[str]) -> str | None:
    """The coding to send to a client (RFC 9110 section 12.5.3).

    :arg accept_encoding: the request's field, its lines joined with commas; None where there is none. Though
        any coding would do then, nothing says that the client knows one.
    :arg available: names in lower case, the server's favourite first; a tuple is quickest.
    :returns: one of `available`, or None: send the content as it is. Where a client refuses that too
        (`identity_refused`), a server may still do so rather than answer 415 or 406.

    >>> choose_coding("gzip, deflate, br, zstd", ("zstd", "br", "gzip"))
    'zstd'
    >>> choose_coding("gzip;q=1, br;q=0.5", ("br", "gzip"))
    'gzip'
    """
    if not accept_encoding:
        return None
    names = available if type(available) is tuple else tuple(available)
    if len(accept_encoding) <= MAX_REMEMBERED:
        return _remembered(accept_encoding, names)
    return _choose(accept_encoding, names)


def _choose(field: str, available: tuple[str, ...]) -> str | None:
    found = parse_accept_encoding(field)
    others = found.get("*", 0)
    # Only a stated preference for the plain content counts; that it is acceptable says nothing yet.
    best, chosen = max(found.get("identity", 0) - 1, 0), None
    for name in available:
        weight = found.get(name, others)
        if weight > best:
            best, chosen = weight, name
    return chosen


_remembered = lru_cache(256)(_choose)


def identity_refused(accept_encoding: str | None) -> bool:
    """Whether a client says that it takes no content without a coding: ``identity;q=0``, or ``*;q=0`` without
    a word about identity (RFC 9110 section 12.5.3).

    >>> identity_refused("gzip, identity;q=0"), identity_refused("gzip, *;q=0"), identity_refused("gzip")
    (True, True, False)
    """
    if not accept_encoding or "0" not in accept_encoding:
        return False
    found = parse_accept_encoding(accept_encoding)
    return found.get("identity", found.get("*", 1)) == 0


def weak_tag(etag: str) -> str:
    """The tag of a representation that means the same as the one tagged `etag`, but is other bytes (RFC 9110
    section 8.8.1).

    >>> weak_tag('"abc"'), weak_tag('W/"abc"')
    ('W/"abc"', 'W/"abc"')
    """
    return etag if etag.startswith("W/") else "W/" + etag


def strong_tag(etag: str) -> str:
    """The tag without its mark of weakness: what the weak comparison compares (RFC 9110 section 8.8.3.2).

    >>> strong_tag('W/"abc"')
    '"abc"'
    """
    return etag.removeprefix("W/")
