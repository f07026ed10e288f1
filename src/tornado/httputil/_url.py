"""URLs and the addresses in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, AnyStr
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

_MAX_PORT_DIGITS = 9  # limits the cost of int(); callers check that the port is in the valid range


def url_concat(
    url: str,
    args: dict[str, str] | list[tuple[str, str]] | tuple[tuple[str, str], ...] | None,
) -> str:
    """Append query arguments to a URL, which may already have a query and a fragment.

    :param args: names and values as a dict, or as a list or tuple of pairs, in which names may be repeated.
        None returns the URL unchanged.
    :raises TypeError: if ``args`` has another type.

    >>> url_concat("http://example.com/foo?a=b#top", {"c": "d e"})
    'http://example.com/foo?a=b&c=d+e#top'
    >>> url_concat("http://example.com/foo", [("c", "d"), ("c", "d2")])
    'http://example.com/foo?c=d&c=d2'
    """
    if args is None:
        return url
    if isinstance(args, dict):
        added: list[tuple[Any, Any]] = list(args.items())
    elif isinstance(args, (list, tuple)):
        added = list(args)
    else:
        raise TypeError(
            f"url_concat arguments must be a dict, or a list or tuple of pairs, got {type(args).__name__}"
        )
    parts = urlsplit(url)
    present: list[tuple[Any, Any]] = list(parse_qsl(parts.query, keep_blank_values=True))
    scheme, netloc, path, _, fragment = parts
    return urlunsplit((scheme, netloc, path, urlencode(present + added), fragment))


def split_host_and_port(netloc: str) -> tuple[str, int | None]:
    """Split ``host:port``; the port is None if it is missing.

    An IPv6 address keeps its brackets.

    >>> split_host_and_port("example.com:8888"), split_host_and_port("[::1]")
    (('example.com', 8888), ('[::1]', None))
    """
    host, _, port = netloc.rpartition(":")
    if host and port.isascii() and port.isdigit() and len(port) <= _MAX_PORT_DIGITS:
        return host, int(port)
    return netloc, None


def qs_to_qsl(qs: Mapping[str, Iterable[AnyStr]]) -> Iterable[tuple[str, AnyStr]]:
    """Return the (name, value) pairs of a mapping from names to lists of values, such as ``parse_qs``
    returns.

    >>> list(qs_to_qsl({"a": ["1", "2"], "b": ["3"]}))
    [('a', '1'), ('a', '2'), ('b', '3')]
    """
    return ((name, value) for name, values in qs.items() for value in values)
