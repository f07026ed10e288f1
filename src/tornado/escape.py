"""Escape and unescape text for HTML, JSON and URLs, and convert between text and bytes.

`utf8` and `to_unicode` are called for nearly every value that enters or leaves a program, so they and
`xhtml_escape` check for the common case first. All functions take time linear in the size of their input.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterable, Sequence
from json import encoder as _json_encoder
from typing import Any, overload
from urllib.parse import quote, quote_plus, unquote

from tornado._implicit_reexports import reexport
from tornado._percent_decoding import unquote_bytes
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
    """Encode text as UTF-8. Bytes and None are returned unchanged.

    :raises TypeError: if the value is of another type.
    """
    if isinstance(value, str):
        return value.encode()
    if value is None or isinstance(value, bytes):
        return value
    raise TypeError(_type_error_message(value))


@overload
def to_unicode(value: str) -> str: ...


@overload
def to_unicode(value: bytes) -> str: ...


@overload
def to_unicode(value: None) -> None: ...


def to_unicode(value: str | bytes | None) -> str | None:
    """Decode UTF-8 bytes. Text and None are returned unchanged.

    :raises TypeError: if the value is of another type.
    :raises UnicodeDecodeError: if the bytes are not valid UTF-8.
    """
    if isinstance(value, str) or value is None:
        return value
    if isinstance(value, bytes):
        return value.decode()
    raise TypeError(_type_error_message(value))


def _type_error_message(value: object) -> str:
    return f"Expected str, bytes or None, got {type(value).__name__}: {value!r:.100}"


#: Aliases of `to_unicode`. They differed when the native string type depended on the Python version.
_unicode = to_unicode
native_str = to_unicode
to_basestring = to_unicode


def recursive_unicode(obj: Any) -> Any:
    """Copy nested dicts, lists and tuples, and decode all bytes in them as UTF-8."""
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
    """Replace each run of whitespace and control characters with one space, and strip both ends."""
    return _BLANKS.sub(" ", value).strip()


# --- HTML ---


def xhtml_escape(value: str | bytes) -> str:
    """Escape ``&``, ``<``, ``>`` and both kinds of quotes, for use in HTML text and quoted attribute values.

    >>> xhtml_escape("<a href='x'>")
    '&lt;a href=&#x27;x&#x27;&gt;'
    """
    text = value if isinstance(value, str) else to_unicode(value)
    # Five searches are faster than five calls of replace() that find nothing.
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
    """Replace all named and numeric HTML5 character references with the characters they represent."""
    return html.unescape(to_unicode(value))


# --- JSON ---


def _prepare_encoder() -> Callable[[Any, int], Iterable[str]]:
    """Return an encoder that all calls share. Its second argument is 0, and its result is joined.

    `json.dumps` creates a new C encoder for each call, which takes as long as encoding a small object. The
    shared encoder does not detect cycles, because the state for that cannot be shared between calls. A cycle
    causes a `RecursionError` instead; `json_encode` then calls `json.dumps`, which raises a clear error.
    """
    plain = json.JSONEncoder()

    def encode(value: Any, level: int) -> Iterable[str]:
        return (plain.encode(value),)

    try:
        prepared: Callable[[Any, int], Iterable[str]] = _json_encoder.c_make_encoder(  # type: ignore[attr-defined]
            None,
            lambda o: plain.default(o),  # looked up on each call, because programs patch JSONEncoder.default
            _json_encoder.encode_basestring_ascii,
            None,  # indent
            ": ",
            ", ",
            False,  # sort_keys
            False,  # skipkeys
            True,  # allow_nan
        )
        if "".join(prepared({"a": [1, "b", 2.5, None, True]}, 0)) != '{"a": [1, "b", 2.5, null, true]}':
            return encode
    except (AttributeError, TypeError):  # another Python implementation or version
        return encode
    return prepared


_encode = _prepare_encoder()


def json_encode(value: Any) -> str:
    r"""Encode a value as JSON that is safe inside a ``<script>`` element.

    ``</`` is written as ``<\/``, so a string cannot end the element.

    :raises TypeError: if the value cannot be represented in JSON.
    :raises ValueError: if a container contains itself.
    """
    try:
        text = "".join(_encode(value, 0))
    except RecursionError:
        text = json.dumps(value)
    return text.replace("</", "<\\/") if "</" in text else text


def json_decode(value: str | bytes) -> Any:
    """Decode a JSON document.

    :raises json.JSONDecodeError: if the text is not valid JSON. It is a subclass of ValueError.
    """
    return json.loads(value)


# --- URLs ---


def url_escape(value: str | bytes, plus: bool = True) -> str:
    """Percent-encode text for a URL.

    :param plus: True for a query string or form: a space becomes ``+``, and ``/`` is encoded. False for a
        path.
    """
    return (quote_plus if plus else quote)(utf8(value))


@overload
def url_unescape(value: str | bytes, encoding: None, plus: bool = True) -> bytes: ...


@overload
def url_unescape(value: str | bytes, encoding: str = "utf-8", plus: bool = True) -> str: ...


def url_unescape(value: str | bytes, encoding: str | None = "utf-8", plus: bool = True) -> str | bytes:
    """Decode percent-encoded text.

    :param encoding: the encoding of the decoded bytes. Invalid bytes become U+FFFD. With None, the bytes are
        returned.
    :param plus: whether ``+`` means a space, as it does in a query string or form, but not in a path.
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
    return unquote(text, encoding=encoding)  # leaves non-ASCII characters unchanged


def _unquote_to_bytes(value: str | bytes) -> bytes:
    """Decode percent-encoding to bytes. Invalid escapes are left unchanged."""
    return unquote_bytes(value.encode() if isinstance(value, str) else value)


def parse_qs_bytes(
    qs: str | bytes,
    keep_blank_values: bool = False,
    strict_parsing: bool = False,
    *,
    max_num_fields: int | None = None,
) -> dict[str, list[bytes]]:
    """Parse a query string or a urlencoded body. The values are returned as bytes and may be in any encoding.

    :param qs: bytes, or text that is encoded as latin-1.
    :param keep_blank_values: whether to keep fields with an empty value.
    :param strict_parsing: whether a field without ``=`` is an error. Otherwise it has an empty value.
    :param max_num_fields: the maximum number of fields, None for no limit.
    :returns: a dict from names, decoded as latin-1, to lists of values in order.
    :raises ValueError: if there are more than `max_num_fields` fields, or if `strict_parsing` is true and a
        field has no ``=``.
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
    """Decode a form-encoded name or value: plus signs, then percent escapes."""
    if b"+" in text:
        text = text.replace(b"+", b" ")
    return _unquote_to_bytes(text) if b"%" in text else text


# --- links in plain text ---

# The text is escaped before it is searched for links, so an ampersand always starts a character reference.
# Only &amp; and &quot; may be part of a URL; &lt;, &gt; and &#x27; end it.
_LINK_START = re.compile(r":/|\bwww\.")
_LINK_RUN = re.compile(r"(?:[^\s&()]++|&amp;|&quot;)*+")
_LINK_GROUP = re.compile(r"\((?:[^\s&()]++|&amp;|&quot;)*+\)")
# A URL does not end with punctuation, except with a closing parenthesis that belongs to a pair.
_LINK_TRAILERS = frozenset("!\"#$%&'*+,.:;<=>?@[]^`{|}~")
_SHORT_LINK = 30  # approximate length of a shortened link, in characters


def linkify(
    text: str | bytes,
    shorten: bool = False,
    extra_params: str | Callable[[str], str] = "",
    require_protocol: bool = False,
    permitted_protocols: Iterable[str] = ("http", "https"),
) -> str:
    """Escape plain text for HTML and turn the URLs in it into links.

    :param shorten: whether to shorten the text of long links; their title is then the whole URL.
    :param extra_params: text to add to the ``<a>`` tag, or a function that takes the URL and returns such
        text: ``linkify(text, extra_params='rel="nofollow" class="external"')``.
    :param require_protocol: whether to ignore URLs without a protocol, such as ``www.example.com``.
    :param permitted_protocols: the protocols for which links are made. It is unsafe to permit
        ``javascript``.
    """
    source = xhtml_escape(text)
    allowed = permitted_protocols if isinstance(permitted_protocols, Sequence) else list(permitted_protocols)
    output: list[str] = []
    written = position = (
        0  # the ends of the text that has been written and of the text that has been searched
    )
    while start := _LINK_START.search(source, position):
        position = start.end()
        protocol = ""
        begin = start.start()
        if source[begin] == ":":
            protocol = _find_protocol(source, begin, written)
            begin -= len(protocol)
            if not protocol:
                continue
        end = _find_link_end(source, position)
        if end == position:
            continue
        position = end
        if protocol not in allowed if protocol else require_protocol:
            continue
        output += (source[written:begin], _link(source[begin:end], protocol, shorten, extra_params))
        written = end
    output.append(source[written:])
    return "".join(output)


def _find_protocol(source: str, colon: int, floor: int) -> str:
    """Return the protocol name that ends at a colon and begins at or after `floor`. The name may be empty."""
    begin = colon
    while begin > floor and (
        source[begin - 1] == "-" or source[begin - 1] == "_" or source[begin - 1].isalnum()
    ):
        begin -= 1
    return source[begin:colon].lstrip("-")


def _find_link_end(source: str, begin: int) -> int:
    """Return the end of a URL, given the position after its protocol."""
    end = begin
    while True:
        run = _LINK_RUN.match(source, end)
        stop = run.end() if run else end
        end = _strip_trailers(source, end, stop)
        group = _LINK_GROUP.match(source, end) if end == stop else None
        if group is None:
            return end
        end = group.end()


def _strip_trailers(source: str, begin: int, end: int) -> int:
    """Return the end of a run of URL characters without the punctuation that follows the URL."""
    while end > begin and source[end - 1] in _LINK_TRAILERS:
        if source.endswith("&amp;", begin, end):
            end -= len("&amp;")
        elif source.endswith("&quot;", begin, end):
            end -= len("&quot;")
        else:
            end -= 1
    return end


def _link(url: str, protocol: str, shorten: bool, extra_params: str | Callable[[str], str]) -> str:
    """Return the ``<a>`` element for a URL."""
    href = url if protocol else f"http://{url}"
    extra = (extra_params(href) if callable(extra_params) else extra_params).strip()
    attributes = f" {extra}" if extra else ""
    shown = _shorten(url, protocol) if shorten and len(url) > _SHORT_LINK else url
    if shown != url:
        attributes += f' title="{href}"'
    return f'<a href="{href}"{attributes}>{shown}</a>'


def _shorten(url: str, protocol: str) -> str:
    """Shorten a URL to its host and the start of its path; return it unchanged if that is not shorter."""
    prefix = re.match(r":/{1,3}", url[len(protocol) :]) if protocol else None
    skip = len(protocol) + prefix.end() if prefix else 0
    host, slash, path = url[skip:].partition("/")
    short = url
    if slash:
        # Omit the query and the file extension, which do not help to recognize the page.
        segment = path.partition("/")[0][:8].partition("?")[0].partition(".")[0]
        short = f"{url[:skip]}{host}/{segment}"
    if len(short) > _SHORT_LINK * 1.5:
        short = short[:_SHORT_LINK]
    if short == url:
        return url
    reference = short.rfind("&")
    if reference > _SHORT_LINK - 5:  # do not split a character reference
        short = short[:reference]
    short += "..."
    return short if len(short) < len(url) else url


reexport(globals())
