"""Serializing multipart/form-data, verified with our own parser and another one."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData

from tornado._wire.multipart import parse_multipart
from tornado._wire.multipart_writer import (
    PART_END,
    closing_delimiter,
    escape_filename,
    escape_name,
    part_head,
)


def test_field_and_file_are_serialized() -> None:
    body = part_head("xx", "a") + b"1" + PART_END
    body += part_head("xx", "b", "b.txt", "text/plain; charset=utf-8") + b"2" + PART_END
    body += closing_delimiter("xx")
    assert body == (
        b'--xx\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
        b'--xx\r\nContent-Disposition: form-data; name="b"; filename="b.txt"\r\n'
        b"Content-Type: text/plain; charset=utf-8\r\n\r\n2\r\n--xx--\r\n"
    )


# This is how Chromium, Firefox and Safari have sent these names since 2021 (web-platform-tests, FormData).
@pytest.mark.parametrize(
    ("name", "escaped_name", "escaped_filename"),
    [
        ("plain", "plain", "plain"),
        ('a"b', "a%22b", "a%22b"),
        ("a\nb", "a%0D%0Ab", "a%0Ab"),
        ("a\rb", "a%0D%0Ab", "a%0Db"),
        ("a\r\nb", "a%0D%0Ab", "a%0D%0Ab"),
        ("a\n\rb", "a%0D%0A%0D%0Ab", "a%0A%0Db"),
        ("a\\b%22;", "a\\b%22;", "a\\b%22;"),
        ("\u00e9\u4e2d", "\u00e9\u4e2d", "\u00e9\u4e2d"),
    ],
)
def test_names_are_escaped_as_browsers_do(name: str, escaped_name: str, escaped_filename: str) -> None:
    assert escape_name(name) == escaped_name
    assert escape_filename(name) == escaped_filename
    head = part_head("xx", name, name)
    assert f'name="{escaped_name}"; filename="{escaped_filename}"'.encode() in head
    assert head.count(b"\r\n") == 3


@pytest.mark.parametrize("content_type", ["text/plain\r\nX: 1", "text/plain\n", "a\x00"])
def test_content_type_with_control_characters_is_rejected(content_type: str) -> None:
    with pytest.raises(ValueError, match="part 'a' contains control characters"):
        part_head("xx", "a", "b", content_type)


def test_name_that_utf8_cannot_encode_is_rejected() -> None:
    with pytest.raises(ValueError, match="surrogates"):
        part_head("xx", "\ud800")


def read_by_werkzeug(boundary: bytes, body: bytes) -> list[tuple[str, str | None, bytes]]:
    decoder = MultipartDecoder(boundary)
    decoder.receive_data(body)
    decoder.receive_data(None)
    found: list[tuple[str, str | None, bytes]] = []
    while not isinstance(event := decoder.next_event(), (NeedData, Epilogue)):
        if isinstance(event, (Field, File)):
            found.append((event.name, getattr(event, "filename", None), b""))
        elif isinstance(event, Data):
            name, filename, content = found[-1]
            found[-1] = name, filename, content + event.data
    return found


# Quotes and line breaks are returned escaped, as from browsers. Backslashes are excluded, because other
# parsers treat them as escapes.
NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters='\\"%;'), min_size=1)


@settings(deadline=None)
@given(st.lists(st.tuples(NAMES, st.none() | NAMES, st.binary()), max_size=5))
def test_other_parsers_read_the_body(parts: list[tuple[str, str | None, bytes]]) -> None:
    body = b"".join(
        part_head("xXx", name, filename, None if filename is None else "a/b") + content + PART_END
        for name, filename, content in parts
    )
    body += closing_delimiter("xXx")
    read = [(part.name, part.filename, content) for part, content in parse_multipart(b"xXx", body)]
    assert read == parts
    if all(name.isascii() and (filename or "").isascii() for name, filename, _ in parts) and parts:
        assert read_by_werkzeug(b"xXx", body) == parts
