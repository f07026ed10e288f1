"""Content codings: negotiation by Accept-Encoding, and entity tags of encoded content.

Theory of operation
-------------------
`parse_accept_encoding` parses a field in one scan and returns the weight of each coding, in thousandths.
Members that do not match the grammar are ignored, and the first of several members for one coding wins.
`choose_coding` returns the available coding with the greatest weight. Of several codings with the same
weight, it returns the one that the server prefers. Clients send the same few values again and again, so
choices are cached, except for values too long to be common.

Limits
------
`tornado._wire.quality_values` bounds the number of members; fewer than twenty codings are registered. The
cache contains up to 256 choices for values of up to `MAX_REMEMBERED` characters.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from tornado._wire.quality_values import TOKEN, weights

__all__ = ["choose_coding", "identity_refused", "parse_accept_encoding", "strong_tag", "weak_tag"]

MAX_REMEMBERED = 256

# RFC 9110 section 8.4.1: a recipient considers these equivalent.
_SYNONYMS = {"x-gzip": "gzip", "x-compress": "compress"}


def parse_accept_encoding(field: str) -> dict[str, int]:
    """Return the weight of each coding in a field, by its name in lower case, in thousandths. Zero means "not
    acceptable".

    >>> parse_accept_encoding("gzip;q=0.8, br, identity; q=0, gzip;q=2, what ever")
    {'gzip': 800, 'br': 1000, 'identity': 0}
    """
    found: dict[str, int] = {}
    for name, weight in weights(field, TOKEN):
        found.setdefault(_SYNONYMS.get(name, name), weight)
    return found


def choose_coding(accept_encoding: str | None, available: Sequence[str]) -> str | None:
    """Return the coding to use in a response (RFC 9110 section 12.5.3).

    :param accept_encoding: the field of the request, its lines joined with commas, or None. Without the field
        any coding is acceptable, but the client may not support any.
    :param available: names in lower case in the server's order of preference; a tuple is fastest.
    :returns: one of `available`, or None to send the content without a coding. A server may do so even if the
        client does not accept such content (`identity_refused`), rather than respond with 406 or 415.

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
    # Only an explicit preference for identity counts; identity is acceptable by default.
    best, chosen = max(found.get("identity", 0) - 1, 0), None
    for name in available:
        weight = found.get(name, others)
        if weight > best:
            best, chosen = weight, name
    return chosen


_remembered = lru_cache(256)(_choose)


def identity_refused(accept_encoding: str | None) -> bool:
    """Return whether a client does not accept content without a coding (RFC 9110 section 12.5.3).

    That is the case for ``identity;q=0``, and for ``*;q=0`` without a member for identity.

    >>> identity_refused("gzip, identity;q=0"), identity_refused("gzip, *;q=0"), identity_refused("gzip")
    (True, True, False)
    """
    if not accept_encoding or "0" not in accept_encoding:
        return False
    found = parse_accept_encoding(accept_encoding)
    return found.get("identity", found.get("*", 1)) == 0


def weak_tag(etag: str) -> str:
    """Return the weak form of a tag, for a representation that is equivalent but not byte-for-byte identical.

    See RFC 9110 section 8.8.1.

    >>> weak_tag('"abc"'), weak_tag('W/"abc"')
    ('W/"abc"', 'W/"abc"')
    """
    return etag if etag.startswith("W/") else "W/" + etag


def strong_tag(etag: str) -> str:
    """Return the tag without the prefix ``W/``, for the weak comparison (RFC 9110 section 8.8.3.2).

    >>> strong_tag('W/"abc"')
    '"abc"'
    """
    return etag.removeprefix("W/")
