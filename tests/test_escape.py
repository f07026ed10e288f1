"""Escaping for HTML, JSON and URLs."""

from __future__ import annotations

import json
import tracemalloc
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.work import lines_run
from tornado import escape
from tornado.escape import linkify

RECURSIVE: list = []
RECURSIVE.append(RECURSIVE)


def test_utf8_and_to_unicode():
    assert escape.utf8("é") == b"\xc3\xa9"
    assert escape.utf8(b"\xe9") == b"\xe9"
    assert escape.utf8(None) is None
    assert escape.to_unicode(b"\xc3\xa9") == "é"
    assert escape.to_unicode("é") == "é"
    assert escape.to_unicode(None) is None
    assert escape.native_str is escape.to_basestring is escape._unicode is escape.to_unicode
    for wrong in (5, 5.0, object(), bytearray(b"x")):
        with pytest.raises(TypeError, match="Expected str, bytes or None"):
            escape.utf8(wrong)  # type: ignore[call-overload]
        with pytest.raises(TypeError, match="Expected str, bytes or None"):
            escape.to_unicode(wrong)  # type: ignore[call-overload]
    with pytest.raises(UnicodeDecodeError):
        escape.to_unicode(b"\xe9")


def test_recursive_unicode_decodes_nested_values():
    assert escape.recursive_unicode({b"a": [b"b", (b"\xc3\xa9", 1)]}) == {"a": ["b", ("é", 1)]}


def test_squeeze_joins_whitespace():
    assert escape.squeeze(" a \n\t b\x00c\xa0d ") == "a b c\xa0d"


def test_xhtml_escape_replaces_special_characters():
    assert escape.xhtml_escape("<a href='x'>\"&amp;") == "&lt;a href=&#x27;x&#x27;&gt;&quot;&amp;amp;"
    assert escape.xhtml_escape(b"\xc3\xa9<") == "é&lt;"
    assert escape.xhtml_escape("plain") == "plain"


@given(st.text())
def test_xhtml_unescape_reverses_xhtml_escape(text):
    escaped = escape.xhtml_escape(text)
    assert not set(escaped) & set("<>\"'")
    assert escape.xhtml_unescape(escaped) == text


def test_xhtml_unescape_replaces_known_entities():
    assert escape.xhtml_unescape("&lt;&#39;&#x27;&copy;&unknown;&amp;lt;&#233;") == "<''©&unknown;&lt;é"
    assert escape.xhtml_unescape(b"&lt;\xc3\xa9") == "<é"


# --- JSON ---


def test_json_encode_is_safe_in_a_script_element():
    assert escape.json_encode({"a": "</script>"}) == '{"a": "<\\/script>"}'
    assert escape.json_decode(escape.json_encode("</a>")) == "</a>"


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        5,
        2.5,
        'é\u2028\x00"\\',
        [1, [2, ()], {}],
        {"a": {"b": [1.5, None]}, "c": "d"},
        {1: 2, None: 3, False: 4, 1.5: 5},
        float("inf"),
        1e300,
    ],
)
def test_json_encode_equals_json_dumps(value):
    assert escape.json_encode(value) == json.dumps(value)


def test_json_encode_of_unsupported_value_raises():
    with pytest.raises(TypeError, match="object is not JSON serializable"):
        escape.json_encode(object())
    with pytest.raises(TypeError):
        escape.json_encode({(1, 2): 3})
    with pytest.raises(ValueError, match="Circular reference"):
        escape.json_encode(RECURSIVE)
    assert escape.json_encode([1]) == "[1]", "the encoder works after a failure"


def test_json_encode_of_repeated_object():
    shared = [1]
    assert escape.json_encode([shared, shared]) == "[[1], [1]]"


def test_json_encode_uses_replaced_default(monkeypatch):
    monkeypatch.setattr(json.JSONEncoder, "default", lambda self, o: f"<{type(o).__name__}>")
    assert escape.json_encode(b"x") == '"<bytes>"'


def test_json_encode_with_encoder_of_other_python_version(monkeypatch):
    for other in (None, lambda *args: lambda value, level: ["wrong"]):
        with monkeypatch.context() as patch:
            patch.setattr(json.encoder, "c_make_encoder", other)
            encode = escape._prepare_encoder()
        assert "".join(encode({"a": 1}, 0)) == '{"a": 1}'


def test_json_decode_accepts_bytes_and_text():
    assert escape.json_decode(b'{"a": "\xc3\xa9"}') == escape.json_decode('{"a": "é"}') == {"a": "é"}
    with pytest.raises(ValueError):
        escape.json_decode("{")


# --- URLs ---


@pytest.mark.parametrize(
    ("value", "query", "path"),
    [
        ("a/b c+d&é", "a%2Fb+c%2Bd%26%C3%A9", "a/b%20c%2Bd%26%C3%A9"),
        (b"\xff~", "%FF~", "%FF~"),
        ("", "", ""),
    ],
)
def test_url_escape_is_reversed_by_url_unescape(value, query, path):
    assert escape.url_escape(value) == query
    assert escape.url_escape(value, plus=False) == path
    expected = value if isinstance(value, bytes) else value.encode()
    assert escape.url_unescape(query, encoding=None) == expected
    assert escape.url_unescape(path, encoding=None, plus=False) == expected


def test_url_unescape_decodes_or_returns_bytes():
    assert escape.url_unescape("a+b%20c%C3%A9") == "a b cé"
    assert escape.url_unescape(b"a+b", plus=False) == "a+b"
    assert escape.url_unescape("%E9", encoding="latin-1") == "é"
    assert escape.url_unescape("é%E9", encoding="latin-1") == "éé"
    assert escape.url_unescape("%E9%zz%") == "\ufffd%zz%"
    assert escape.url_unescape("a+b%E9", encoding=None) == b"a b\xe9"


@given(st.binary(max_size=50))
def test_unquote_equals_the_standard_library(tail):
    data = b"%41" * 20 + tail.replace(b"%", b"%4")
    assert escape._unquote_to_bytes(data) == urllib.parse.unquote_to_bytes(data)


@pytest.mark.parametrize("unit", ["%", "%41", "%=", "%zz"])
def test_unquote_executes_no_python_code_per_escape(unit):
    text = unit * 20_000
    assert lines_run(lambda: escape.url_unescape(text)) < len(text) / 100


@pytest.mark.parametrize("data", [b"%41" * 50000, b"%" * 150000])
def test_unquote_memory_is_bounded(data):
    tracemalloc.start()
    try:
        escape._unquote_to_bytes(data)
        assert tracemalloc.get_traced_memory()[1] < 10 * len(data)
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("text", "expected", "with_blanks"),
    [
        ("a=1&b=2&b=3", {"a": [b"1"], "b": [b"2", b"3"]}, None),
        ("a=1&&b&c=", {"a": [b"1"]}, {"a": [b"1"], "b": [b""], "c": [b""]}),
        ("a=%C3%A9+x%2B", {"a": [b"\xc3\xa9 x+"]}, None),
        ("%C3%A9+=%E9", {"\xc3\xa9 ": [b"\xe9"]}, None),
        (b"\xe9=\xe9", {"\xe9": [b"\xe9"]}, None),
        ("é=é", {"é": [b"\xe9"]}, None),
        ("a;b=1=2", {"a;b": [b"1=2"]}, None),
        ("=x", {"": [b"x"]}, None),
        ("", {}, None),
    ],
)
def test_parse_qs_bytes(text, expected, with_blanks):
    assert escape.parse_qs_bytes(text) == expected
    assert escape.parse_qs_bytes(text, keep_blank_values=True) == (with_blanks or expected)


def test_parse_qs_bytes_errors():
    for text in ("a", "a=1&", "a=1&&b=2"):
        with pytest.raises(ValueError, match="bad query field"):
            escape.parse_qs_bytes(text, strict_parsing=True)
    assert escape.parse_qs_bytes("a=1&b=2", max_num_fields=2) == {"a": [b"1"], "b": [b"2"]}
    with pytest.raises(ValueError, match="more than 2 fields"):
        escape.parse_qs_bytes("a=1&b=2&", max_num_fields=2)
    with pytest.raises(UnicodeEncodeError):
        escape.parse_qs_bytes("\u20ac=1")


# --- links ---

LINK = '<a href="http://{0}">{0}</a>'
FULL = '<a href="{0}">{0}</a>'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see http://x.com/!", "see " + FULL.format("http://x.com/") + "!"),
        ("www.x.com, and", LINK.format("www.x.com") + ", and"),
        ("(http://x.com/a)", "(" + FULL.format("http://x.com/a") + ")"),
        ("http://x.com/a_(b)", FULL.format("http://x.com/a_(b)")),
        ("http://x.com/!(b)", FULL.format("http://x.com/") + "!(b)"),
        ("http://x.com/?a=1&b=2&", FULL.format("http://x.com/?a=1&amp;b=2") + "&amp;"),
        ('"http://x.com/"', "&quot;" + FULL.format("http://x.com/") + "&quot;"),
        ("<http://x.com/>", "&lt;" + FULL.format("http://x.com/") + "&gt;"),
        ("http:/x.com", FULL.format("http:/x.com")),
        ("-http://x.com", "-" + FULL.format("http://x.com")),
        ("a-http://x.com", "a-http://x.com"),
        ("ftp://x.com javascript://x", "ftp://x.com javascript://x"),
        ("ftp://www.x.com", "ftp://www.x.com"),
        ("xwww.x.com ://x.com www. http:/", "xwww.x.com ://x.com www. http:/"),
        (b"www.x.com/\xc3\xa9", LINK.format("www.x.com/é")),
        ("no link & nothing", "no link &amp; nothing"),
    ],
)
def test_linkify_creates_links(text, expected):
    assert linkify(text) == expected


def test_linkify_arguments_change_the_links():
    assert linkify("www.x.com", require_protocol=True) == "www.x.com"
    assert linkify("ftp://x.com", permitted_protocols=iter(["ftp"])) == FULL.format("ftp://x.com")
    expected = '<a href="http://www.x.com" rel="nofollow">www.x.com</a>'
    assert linkify("www.x.com", extra_params=' rel="nofollow" ') == expected
    assert linkify("www.x.com", extra_params=lambda url: f'title="{url}!"') == (
        '<a href="http://www.x.com" title="http://www.x.com!">www.x.com</a>'
    )


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://x.com/short", None),
        ("http://www.example.com/a-long-name/and/more.html", "http://www.example.com/a-long-n..."),
        ("http://www.example.com/page.html?a=1234567890", "http://www.example.com/page..."),
        ("http://very-long-host-name.that-goes-on.example.com", "http://very-long-host-name.tha..."),
        ("http://www.example.com/12345678", None),
        ("http://" + "a" * 19 + "&b" + "c" * 30, "http://" + "a" * 19 + "..."),
    ],
)
def test_linkify_shortens_long_urls(url, shown):
    href = escape.xhtml_escape(url)
    title = f' title="{href}"' if shown else ""
    assert linkify(url, shorten=True) == f'<a href="{href}"{title}>{shown or href}</a>'


@pytest.mark.parametrize(
    "unit", ["a-", "http:", "www.", "www.(", "http:/(", "http://!", ":/", "&quot;", "(", "www.a!(", "é"]
)
def test_linkify_is_linear(unit):
    """With quadratic cost, these calls would take minutes."""
    linkify(unit * 100_000)
