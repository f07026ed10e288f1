"""Text in the forms that HTML, JSON and URLs want, and the way between text and bytes.

`utf8` and `to_unicode` are called for nearly every value that enters or leaves a program; they and
`xhtml_escape` look for the ordinary case first. Everything here is linear in its input.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterable, Sequence
from json import encoder as _json_encoder
from typing import Any, overload
from urllib.parse import quote, quote_plus, unquote

from tornado._percent_encoding import unquote_bytes
from tornado._reexports import reexport
from tornado.util import unicode_type as unicode_type

__all__ = [
    "json_decode",
    "json_encode",
    "linkify",
    "native_str",
    "parse_qs_bytes",
    "recursive_unicode",
    "squeeze",
    "to_basestring",
    "to_unicode",
    "url_escape",
    "url_unescape",
    "utf8",
    "xhtml_escape",
    "xhtml_unescape",
]


# --- text and bytes ---


@overload
def utf8(value: bytes) -> bytes: ...


@overload
def utf8(value: str) -> bytes: ...


@overload
def utf8(value: None) -> None: ...


def utf8(value: str | bytes | None) -> bytes | None:
    """Encode text as UTF-8; bytes and None are returned as they are.

    :raises TypeError: for anything else.
    """
    if isinstance(value, str):
        return value.encode()
    if value is None or isinstance(value, bytes):
        return value
    raise TypeError(_not_text(value))


@overload
def to_unicode(value: str) -> str: ...


@overload
def to_unicode(value: bytes) -> str: ...


@overload
def to_unicode(value: None) -> None: ...


def to_unicode(value: str | bytes | None) -> str | None:
    """Decode UTF-8 bytes; text and None are returned as they are.

    :raises TypeError: for anything else.
    :raises UnicodeDecodeError: for bytes that are not UTF-8.
    """
    if isinstance(value, str) or value is None:
        return value
    if isinstance(value, bytes):
        return value.decode()
    raise TypeError(_not_text(value))


def _not_text(value: object) -> str:
    return f"Expected str, bytes or None, got {type(value).__name__}: {value!r:.100}"


#: Other names of `to_unicode`, from the days when the native string type differed between Python versions.
_unicode = to_unicode
native_str = to_unicode
to_basestring = to_unicode


def recursive_unicode(obj: Any) -> Any:
    """A copy of nested dicts, lists and tuples in which all bytes are decoded as UTF-8."""
    if isinstance(obj, bytes):
        return obj.decode()
    if isinstance(obj, dict):
        return {recursive_unicode(key): recursive_unicode(value) for key, value in obj.items()}
    if isinstance(obj, list):
        return [recursive_unicode(item) for item in obj]
    if isinstance(obj, tuple):
        return tuple(map(recursive_unicode, obj))
    return obj


_BLANKS = re.compile(r"[\x00-\x20]+")


def squeeze(value: str) -> str:
    """Replace each run of blanks and control characters by one space, and strip the ends."""
    return _BLANKS.sub(" ", value).strip()


# --- HTML ---


def xhtml_escape(value: str | bytes) -> str:
    """Escape ``&``, ``<``, ``>`` and both quotes, so that text is safe in HTML and in quoted attributes.

    >>> xhtml_escape("<a href='x'>")
    '&lt;a href=&#x27;x&#x27;&gt;'
    """
    text = value if isinstance(value, str) else to_unicode(value)
    # Looking for the five characters costs less than five calls that replace nothing.
    if "&" in text:
        text = text.replace("&", "&amp;")
    if "<" in text:
        text = text.replace("<", "&lt;")
    if ">" in text:
        text = text.replace(">", "&gt;")
    if '"' in text:
        text = text.replace('"', "&quot;")
    if "'" in text:
        text = text.replace("'", "&#x27;")
    return text


def xhtml_unescape(value: str | bytes) -> str:
    """Replace all named and numeric character references of HTML 5 by the characters they stand for."""
    return html.unescape(to_unicode(value))


# --- JSON ---


def _prepare_encoder() -> Callable[[Any], str]:
    """One encoder for all calls.

    `json.dumps` prepares a new C encoder at each call, which takes as long as encoding a small object.
    The one kept here detects no cycles (the record of those is not safe to share between calls), it runs
    into the recursion limit instead; `json_encode` then asks the ordinary encoder for its clear message.
    """
    plain = json.JSONEncoder()
    try:
        prepared = _json_encoder.c_make_encoder(  # type: ignore[attr-defined]
            None,
            lambda o: plain.default(o),  # looked up at each call: programs replace JSONEncoder.default
            _json_encoder.encode_basestring_ascii,
            None,  # no indentation
            ": ",
            ", ",
            False,  # keys stay in their order
            False,  # a key that is no string or number is an error
            True,  # NaN and the infinities are written as json.dumps does
        )
        if "".join(prepared({"a": [1, "b", 2.5, None, True]}, 0)) != '{"a": [1, "b", 2.5, null, true]}':
            return plain.encode
    except (AttributeError, TypeError):  # another Python, with another encoder
        return plain.encode

    def encode(value: Any) -> str:
        return "".join(prepared(value, 0))

    return encode


_encode = _prepare_encoder()


def json_encode(value: Any) -> str:
    r"""Write a value as JSON that may stand inside a ``<script>`` element.

    ``</`` is written as ``<\/``, so that no string can end the element.

    :raises TypeError: for a value that JSON cannot express.
    :raises ValueError: for a container that contains itself.
    """
    try:
        text = _encode(value)
    except RecursionError:
        text = json.dumps(value)
    return text.replace("</", "<\\/") if "</" in text else text


def json_decode(value: str | bytes) -> Any:
    """Read a JSON value.

    :raises json.JSONDecodeError: (a ValueError) where the text is not JSON.
    """
    return json.loads(value)


# --- URLs ---


def url_escape(value: str | bytes, plus: bool = True) -> str:
    """Percent-encode text for a URL.

    :arg plus: True for a query or form: a space becomes ``+``, and ``/`` is encoded too. False for a path.
    """
    return (quote_plus if plus else quote)(utf8(value))


@overload
def url_unescape(value: str | bytes, encoding: None, plus: bool = True) -> bytes: ...


@overload
def url_unescape(value: str | bytes, encoding: str = "utf-8", plus: bool = True) -> str: ...


def url_unescape(value: str | bytes, encoding: str | None = "utf-8", plus: bool = True) -> str | bytes:
    """Undo percent-encoding.

    :arg encoding: how the result is decoded (bytes that do not fit become U+FFFD); None returns bytes.
    :arg plus: True where ``+`` stands for a space, as in a query or form; False for a path.
    """
    text = to_unicode(value)
    if plus and "+" in text:
        text = text.replace("+", " ")
    if encoding is None:
        return _unquote_to_bytes(text)
    if "%" not in text:
        return text
    if text.isascii():
        return _unquote_to_bytes(text).decode(encoding, "replace")
    return unquote(text, encoding=encoding)  # leaves the characters that are not ASCII alone


def _unquote_to_bytes(value: str | bytes) -> bytes:
    """Undo percent-encoding; escapes that are not valid stay as they are."""
    return unquote_bytes(value.encode() if isinstance(value, str) else value)


def parse_qs_bytes(
    qs: str | bytes,
    keep_blank_values: bool = False,
    strict_parsing: bool = False,
    *,
    max_num_fields: int | None = None,
) -> dict[str, list[bytes]]:
    """Parse a query string or a urlencoded body, leaving the encoding of the values open.

    :arg qs: text in latin-1, or bytes.
    :arg keep_blank_values: keep fields without a value, as ``b""``.
    :arg strict_parsing: a field without ``=`` is an error instead of being ignored.
    :arg max_num_fields: more fields than this are an error.
    :returns: for each name (decoded as latin-1, one character a byte) its values, in order.
    :raises ValueError: as told above.
    """
    data = qs.encode("latin-1") if isinstance(qs, str) else qs
    if max_num_fields is not None and data.count(b"&") >= max_num_fields:
        raise ValueError(f"more than {max_num_fields} fields in a query string or form")
    result: dict[str, list[bytes]] = {}
    if not data:
        return result
    for field in data.split(b"&"):
        name, equals, value = field.partition(b"=")
        if strict_parsing and not equals:
            raise ValueError(f"bad query field: {field!r} has no '='")
        if value or (keep_blank_values and field):
            result.setdefault(_form_decode(name).decode("latin-1"), []).append(_form_decode(value))
    return result


def _form_decode(text: bytes) -> bytes:
    """Undo the encoding of forms: plus signs, then percent escapes."""
    if b"+" in text:
        text = text.replace(b"+", b" ")
    return _unquote_to_bytes(text) if b"%" in text else text


# --- links in plain text ---

# Links are sought in text that is escaped already: an ampersand is always the start of a reference. Of
# these only &amp; and &quot; may be part of a URL; &lt;, &gt; and &#x27; end it.
_LINK_START = re.compile(r":/|\bwww\.")
_LINK_RUN = re.compile(r"(?:[^\s&()]++|&amp;|&quot;)*+")
_LINK_GROUP = re.compile(r"\((?:[^\s&()]++|&amp;|&quot;)*+\)")
# A URL may end in a pair of parentheses, else not in punctuation.
_LINK_TRAILERS = frozenset("!\"#$%&'*+,.:;<=>?@[]^`{|}~")
_SHORT_LINK = 30  # characters that a shortened link keeps, about


def linkify(
    text: str | bytes,
    shorten: bool = False,
    extra_params: str | Callable[[str], str] = "",
    require_protocol: bool = False,
    permitted_protocols: Iterable[str] = ("http", "https"),
) -> str:
    """Escape plain text for HTML and make links of the URLs in it.

    :arg shorten: show long URLs cut, the whole one as the link's title.
    :arg extra_params: text to add to the ``<a>`` tag, or a function that is given the URL and returns such
        text: ``linkify(text, extra_params='rel="nofollow" class="external"')``.
    :arg require_protocol: leave URLs without a protocol (``www.example.com``) as they are.
    :arg permitted_protocols: make links for these only. ``javascript`` is not a wise one to permit.
    """
    source = xhtml_escape(text)
    allowed = permitted_protocols if isinstance(permitted_protocols, Sequence) else list(permitted_protocols)
    output: list[str] = []
    done = position = 0  # up to where the text was put out, and looked at
    while start := _LINK_START.search(source, position):
        position = start.end()
        protocol = ""
        begin = start.start()
        if source[begin] == ":":
            protocol = _protocol_before(source, begin, done)
            begin -= len(protocol)
            if not protocol:
                continue
        end = _link_end(source, position)
        if end == position:
            continue
        position = end
        if protocol not in allowed if protocol else require_protocol:
            continue
        output += (source[done:begin], _link(source[begin:end], protocol, shorten, extra_params))
        done = end
    output.append(source[done:])
    return "".join(output)


def _protocol_before(source: str, colon: int, floor: int) -> str:
    """The word that ends at a colon, not reaching back beyond `floor`; empty where there is none."""
    begin = colon
    while begin > floor and (
        source[begin - 1] == "-" or source[begin - 1] == "_" or source[begin - 1].isalnum()
    ):
        begin -= 1
    return source[begin:colon].lstrip("-")


def _link_end(source: str, begin: int) -> int:
    """Where the URL ends whose part after the protocol starts at `begin`."""
    end = begin
    while True:
        run = _LINK_RUN.match(source, end)
        stop = run.end() if run else end
        end = _without_trailers(source, end, stop)
        group = _LINK_GROUP.match(source, end) if end == stop else None
        if group is None:
            return end
        end = group.end()


def _without_trailers(source: str, begin: int, end: int) -> int:
    """Where a run of URL characters ends once the punctuation at its end is given back to the text."""
    while end > begin and source[end - 1] in _LINK_TRAILERS:
        if source.endswith("&amp;", begin, end):
            end -= len("&amp;")
        elif source.endswith("&quot;", begin, end):
            end -= len("&quot;")
        else:
            end -= 1
    return end


def _link(url: str, protocol: str, shorten: bool, extra_params: str | Callable[[str], str]) -> str:
    """The ``<a>`` element for a URL."""
    href = url if protocol else f"http://{url}"
    extra = (extra_params(href) if callable(extra_params) else extra_params).strip()
    attributes = f" {extra}" if extra else ""
    shown = _shortened(url, protocol) if shorten and len(url) > _SHORT_LINK else url
    if shown != url:
        attributes += f' title="{href}"'
    return f'<a href="{href}"{attributes}>{shown}</a>'


def _shortened(url: str, protocol: str) -> str:
    """A long URL cut to its host and the start of its path; the whole URL where that saves nothing."""
    prefix = re.match(r":/{1,3}", url[len(protocol) :]) if protocol else None
    skip = len(protocol) + prefix.end() if prefix else 0
    host, slash, path = url[skip:].partition("/")
    short = url
    if slash:
        # Neither the query nor the file's extension helps to recognise the page.
        segment = path.partition("/")[0][:8].partition("?")[0].partition(".")[0]
        short = f"{url[:skip]}{host}/{segment}"
    if len(short) > _SHORT_LINK * 1.5:
        short = short[:_SHORT_LINK]
    if short == url:
        return url
    reference = short.rfind("&")
    if reference > _SHORT_LINK - 5:  # do not cut a character reference in two
        short = short[:reference]
    short += "..."
    return short if len(short) < len(url) else url


reexport(globals())
