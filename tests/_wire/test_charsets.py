"""Decoding a body in the character set of its byte order mark or its Content-Type field."""

from __future__ import annotations

import codecs

import pytest

from tornado._wire import charsets
from tornado._wire.charsets import CHARSETS, decode_text, find_charset


@pytest.mark.parametrize("label", sorted(CHARSETS | set(charsets._ALIASES)))
def test_every_label_is_a_text_encoding_of_python(label: str) -> None:
    encoding = find_charset(label)
    assert codecs.lookup(encoding)._is_text_encoding
    assert decode_text("abc".encode(encoding), label) == "abc"


@pytest.mark.parametrize(
    ("body", "label", "text"),
    [
        (b"", None, ""),
        ("\u00e9".encode(), None, "\u00e9"),
        (b"\xe9", None, "\ufffd"),
        (b"\xe9", "ISO-8859-1", "\u00e9"),
        (b"\xe9", " latin1 ", "\u00e9"),
        (b"\x80", "windows-1252", "\u20ac"),
        (b"a\x00", "utf-16", "a"),
        (b"\x00a", "utf-16be", "a"),
        (b"\xef\xbb\xbfa\xc3\xa9", "iso-8859-1", "a\u00e9"),
        (b"\xff\xfea\x00", "utf-8", "a"),
        (b"\xfe\xff\x00a", None, "a"),
        ("\u00e9".encode(), "nonsense", "\u00e9"),
        (b"\xff", "us-ascii", "\ufffd"),
    ],
)
def test_body_is_decoded(body: bytes, label: str | None, text: str) -> None:
    assert decode_text(body, label) == text


@pytest.mark.parametrize(
    "label", ["hex", "zip", "rot13", "idna", "punycode", "unicode_escape", "utf-7", "\x00"]
)
def test_codecs_that_are_not_character_encodings_are_not_used(label: str) -> None:
    assert decode_text(b"+AGE- \\x61", label) == "+AGE- \\x61"
