"""The client's address and protocol, as proxies report them in the fields of a request.

The fields are ``X-Forwarded-For`` and ``X-Forwarded-Proto``, to which each proxy appends a value,
``Forwarded`` (RFC 7239), which contains both, and ``X-Real-Ip`` and ``X-Scheme``, which have one value. A
proxy passes on fields that it does not know, so a client can set them.
"""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Container

from tornado import netutil
from tornado._wire.headers import HTTPHeaders

#: A part of a list: a comma, a quoted text, whose end may be missing, or other text.
_TOKEN = re.compile(r',|"(?:[^"\\]|\\.)*("?)|[^",]+')
#: A parameter of an element of Forwarded.
_PARAMETER = re.compile(r'\s*([^\s=;"]+)=("(?:[^"\\]|\\.)*"|[^\s;"]*)\s*(?:;|$)')
#: If a proxy sets one of these, a Forwarded field may be the client's.
_OTHER_FIELDS = ("X-Forwarded-For", "X-Real-Ip", "X-Scheme", "X-Forwarded-Proto")
#: The maximum length of an address with its zone, brackets and port.
_MAX_ADDRESS = 100
#: An address with a port, in the ways of RFC 7239 and of Azure and IIS.
_WITH_PORT = re.compile(r"\[([^\]]*)\](?::\d{1,5})?|([\d.]+):\d{1,5}")


def parse_address(text: str) -> str | None:
    """Return the IP address in a text that may have brackets and a port, or None.

    >>> parse_address("[2001:db8::1]:4711"), parse_address("::ffff:192.0.2.1"), parse_address("unknown")
    ('2001:db8::1', '192.0.2.1', None)
    """
    text = text.strip()
    return None if len(text) > _MAX_ADDRESS else _parse_address(text)


@functools.lru_cache(1024)
def _parse_address(text: str) -> str | None:
    if found := _WITH_PORT.fullmatch(text):
        text = found[1] or found[2] or ""
    if not netutil.is_valid_ip(text):
        return None
    if ":" in text:
        return str(ipaddress.IPv6Address(text.partition("%")[0]).ipv4_mapped or text)
    return text


def client_address(headers: HTTPHeaders, peer: str, trusted: Container[str], only_list: bool) -> str:
    """Return the address of the client that a request comes from.

    :param peer: the address of the proxy that has sent the request.
    :param trusted: the addresses of proxies, to skip in the list.
    :param only_list: use X-Real-Ip only without X-Forwarded-For, whose end trusted proxies have written, and
        use Forwarded if there is neither.
    """
    real = parse_address(headers.get("X-Real-Ip", ""))
    listed = [text for text in headers.get("X-Forwarded-For", "").split(",") if text.strip()]
    if real is not None and not (listed and only_list):
        return real
    if not listed and only_list and "Forwarded" in headers:
        listed = [element.get("for", "") for element in parse_forwarded(headers["Forwarded"])]
    address = peer
    for text in reversed(listed):
        found = parse_address(text)
        if found is None:
            return address if only_list else peer
        address = found
        if address not in trusted:
            break
    return address


def client_protocol(headers: HTTPHeaders, default: str, use_forwarded: bool) -> str:
    """Return ``http`` or ``https``: what the last proxy reports, or the default."""
    texts = [headers.get("X-Scheme", ""), headers.get("X-Forwarded-Proto", "")]
    if use_forwarded and "Forwarded" in headers and not any(name in headers for name in _OTHER_FIELDS):
        texts.append(parse_forwarded(headers["Forwarded"])[-1].get("proto", ""))
    for text in texts:
        # Each of several proxies appends a value; the last one is from the proxy that connected to this
        # server. Schemes are case-insensitive (RFC 3986 section 3.1).
        protocol = text.rpartition(",")[2].strip().lower()
        if protocol in ("http", "https"):
            return protocol
    return default


def parse_forwarded(value: str) -> list[dict[str, str]]:
    """Return the parameters of each element of a ``Forwarded`` field (RFC 7239 section 4).

    An element that is not valid has no parameters. After a quotation mark that is not closed, a comma ends an
    element: a client could otherwise hide the element that the proxy appends.

    >>> parse_forwarded('for="[2001:db8::1]:4711";proto=https, for=192.0.2.1')
    [{'for': '[2001:db8::1]:4711', 'proto': 'https'}, {'for': '192.0.2.1'}]
    """
    elements = []
    for element in _split(value):
        parameters: dict[str, str] = {}
        position = 0
        while position < len(element):
            found = _PARAMETER.match(element, position)
            if found is None:
                parameters = {}
                break
            text = found[2].strip()
            if text.startswith('"'):
                text = re.sub(r"\\(.)", r"\1", text[1:-1])
            parameters.setdefault(found[1].lower(), text)
            position = found.end()
        elements.append(parameters)
    return elements


def _split(value: str) -> list[str]:
    """Return the elements of a list, in which a comma may be quoted."""
    pieces: list[list[str]] = [[]]
    for token in _TOKEN.finditer(value):
        text = token[0]
        if text == ",":
            pieces.append([])
            continue
        if text.startswith('"') and not token[1]:
            return value.split(",")
        pieces[-1].append(text)
    return ["".join(each) for each in pieces if each] or [""]
