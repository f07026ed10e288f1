"""multipart/form-data: bodies in one piece, byte by byte and in random pieces, and malicious bodies."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable
from typing import NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.states import check_transitions
from tests.support.wire import has_pending_input
from tornado._wire import multipart
from tornado._wire.errors import HTTPInputError
from tornado._wire.multipart import (
    END_OF_PART,
    MAX_BOUNDARY_SIZE,
    MAX_HEADER_COUNT,
    MAX_PADDING,
    MAX_PARAMETERS,
    MultipartParser,
    MultipartState,
    Part,
    check_boundary,
    parse_multipart,
)

Parts = list[tuple[str, str | None, str | None, bytes]]


def head(disposition: bytes = b'form-data; name="a"', *more: bytes) -> bytes:
    return b"".join(
        [b"Content-Disposition: " + disposition + b"\r\n", *[line + b"\r\n" for line in more], b"\r\n"]
    )


def form(*parts: bytes) -> bytes:
    return b"".join([b"--xx\r\n" + part + b"\r\n" for part in parts]) + b"--xx--\r\n"


def whole(body: bytes, boundary: bytes = b"xx") -> Parts:
    return [(p.name, p.filename, p.content_type, content) for p, content in parse_multipart(boundary, body)]


def in_pieces(pieces: Iterable[bytes], boundary: bytes = b"xx", at_end: bool = False) -> Parts:
    """Parse the pieces one after the other, and collect the events after each, or only at the end."""
    parser = MultipartParser(boundary)
    parts: Parts = []
    slices: list[bytes] = []

    def take() -> None:
        while (event := parser.next_event()) is not None:
            if isinstance(event, Part):
                parts.append((event.name, event.filename, event.content_type, b""))
                slices.clear()
            elif isinstance(event, bytes):
                assert event
                slices.append(event)
            else:
                assert event is END_OF_PART
                parts[-1] = (*parts[-1][:3], b"".join(slices))

    for piece in pieces:
        parser.receive_data(piece)
        if not at_end:
            take()
    parser.receive_eof()
    take()
    assert parser.state is MultipartState.EPILOGUE
    return parts


def byte_by_byte(body: bytes) -> Parts:
    return in_pieces([body[at : at + 1] for at in range(len(body))])


def byte_by_byte_events_at_the_end(body: bytes) -> Parts:
    return in_pieces([body[at : at + 1] for at in range(len(body))], at_end=True)


FEEDERS = [whole, byte_by_byte, byte_by_byte_events_at_the_end]

GOOD: list[tuple[bytes, Parts]] = [
    (form(head() + b"1"), [("a", None, None, b"1")]),
    (form(head() + b""), [("a", None, None, b"")]),
    (b"--xx\r\n" + head() + b"--xx--", [("a", None, None, b"")]),  # empty line and delimiter share a CRLF
    (form(head() + b"1", head(b"form-data; name=b") + b"2"),
     [("a", None, None, b"1"), ("b", None, None, b"2")]),
    (form(head() + b"\r\n\r\n"), [("a", None, None, b"\r\n\r\n")]),
    (form(head() + b"\n--xx--\n"), [("a", None, None, b"\n--xx--\n")]),
    (form(head() + b"--xx--"), [("a", None, None, b"")]),
    (form(head() + b"1--xx--2"), [("a", None, None, b"1--xx--2")]),
    (form(head() + b"1\r\n--xxy\r\n--x\r\n--xx-\r\n\r\n-"),
     [("a", None, None, b"1\r\n--xxy\r\n--x\r\n--xx-\r\n\r\n-")]),
    (form(head() + b"1\r\n--xx \t\r\n" + head() + b"2"),
     [("a", None, None, b"1"), ("a", None, None, b"2")]),
    (form(head() + b"1\r\n--xx \rno"), [("a", None, None, b"1\r\n--xx \rno")]),
    (form(head() + b"\r\r\r"), [("a", None, None, b"\r\r\r")]),
    (form(head() + b"\r\n--xx" + b" " * (MAX_PADDING + 1) + b"\r\n"),
     [("a", None, None, b"\r\n--xx" + b" " * (MAX_PADDING + 1) + b"\r\n")]),
    (b"--xx--", []),
    (b"--xx--\r\n", []),
    (b"--xx--epilogue\r\n--xx\r\n", []),
    (form(head() + b"1") + b"--xx\r\nwhat follows is ignored", [("a", None, None, b"1")]),
    (b"preamble\r\n" + form(head() + b"1"), [("a", None, None, b"1")]),
    (b"\r\n" + form(head() + b"1"), [("a", None, None, b"1")]),
    (b"--x\r\n--xxy\r\n--xx-\r\n" + form(head() + b"1"), [("a", None, None, b"1")]),
    (b"--xxy\r\n--xx--", []),
    (form(head(b'form-data; name="a"; filename="b"', b"content-TYPE: text/x", b"X-Y: z") + b"1"),
     [("a", "b", "text/x", b"1")]),
    (form(head(b'Form-Data; NAME=a;filename=""') + b"1"), [("a", "", None, b"1")]),
    (form(head('form-data; name="é中"; filename="\u2028"'.encode()) + b"1"), [("é中", "\u2028", None, b"1")]),
    (form(head(b"form-data; name=a; filename=x; filename*=UTF-8''%c3%a1") + b"1"), [("a", "á", None, b"1")]),
]  # fmt: skip


@pytest.mark.parametrize("feed", FEEDERS)
@pytest.mark.parametrize(("body", "expected"), GOOD)
def test_valid_bodies_are_parsed(feed: Callable[[bytes], Parts], body: bytes, expected: Parts) -> None:
    assert feed(body) == expected


BAD: list[tuple[bytes, str]] = [
    (b"", "no final boundary"),
    (b"preamble", "no final boundary"),
    (b"--xx", "no final boundary"),
    (b"--xx\r\n", "no final boundary"),
    (b"--xx\r\n" + head()[:-2], "no final boundary"),
    (b"--xx\r\n" + head(), "no final boundary"),
    (b"--xx\r\n" + head() + b"1\r\n--xx", "no final boundary"),
    (b"--xx\r\n" + head() + b"1\r\n--xx-", "no final boundary"),
    (b"--xx\r\n" + head() + b"1--xx--", "no final boundary"),
    (b"--xx\r\n" + head() + b"1\n--xx--", "no final boundary"),
    (b"--xx\n" + head().replace(b"\r", b"") + b"1\n--xx--", "no final boundary"),
    (form(b"\r\n1"), "missing headers"),
    (form(head()[:-4], head()), "missing headers"),
    (form(b"\r\n--xx\r\n" + head()), "missing headers"),
    (form(b"X: y\r\n\r\n"), "no Content-Disposition"),
    (form(head(b"form-data; name=a", b"Content-Disposition: form-data; name=b")), "more than one"),
    (form(head(b"file; name=a")), "expected Content-Disposition form-data .* got 'file'"),
    (form(head(b"form-data")), "missing name"),
    (form(head(b'form-data; name=""')), "missing name"),
    (form(head(b"form-data; filename=a")), "missing name"),
    (form(head(b"form-data; name=\xe9")), "not UTF-8"),
    (form(head(b"form-data; name=a\x01")), "Invalid header value"),
    (form(head(b"form-data; name=a", b" folded")), "folded"),
    (form(head(b"form-data; name=a", b"no-colon")), "no colon"),
    (form(head(b"form-data; name=a", b"a b: c")), "Invalid header name"),
    (form(head(b"form-data; name=a" + b";b=c" * MAX_PARAMETERS)), "parameters"),
    (form(head(b"form-data; name=a", *[b"a: b"] * MAX_HEADER_COUNT)), "header fields"),
    (form(head(b"form-data; name=a", b"X: " + b"y" * 10300)), "too large"),
    (form(b"X: " + b"y" * 10300), "too large"),
    (b"x" * 10300 + form(head()), "no boundary in its first"),
    (form(*[head()] * 101), "too many parts"),
]  # fmt: skip


@pytest.mark.parametrize("feed", [whole, byte_by_byte])
@pytest.mark.parametrize(("body", "text"), BAD)
def test_malformed_bodies_are_rejected(feed: Callable[[bytes], Parts], body: bytes, text: str) -> None:
    if b"x" * 100 in body and feed is whole:
        body = b"y" * 20000 + b"\r\n"  # the reader checks this only before it has found a delimiter
        text = "no boundary in its first"
    with pytest.raises(HTTPInputError, match=text) as caught:
        feed(body)
    assert caught.value.status_code == 400


def test_bodies_at_the_limits_are_accepted() -> None:
    assert len(whole(form(*[head()] * 100))) == 100
    line = b"X: " + b"y" * (10 * 1024 - len(head()) - 3 + 2)
    assert len(head(b'form-data; name="a"', line)[:-4]) == 10 * 1024
    assert len(whole(form(head(b'form-data; name="a"', line)))) == 1
    with pytest.raises(HTTPInputError, match="too large"):
        whole(form(head(b'form-data; name="a"', line + b"y")))


def test_parser_raises_again_after_an_error() -> None:
    parser = MultipartParser(b"xx")
    parser.receive_data(form(b"\r\n"))
    for text in ("missing headers", "already been rejected", "already been rejected"):
        with pytest.raises(HTTPInputError, match=text):
            parser.next_event()
        assert parser.state is MultipartState.ERROR
        parser.receive_data(b"x")
    assert not has_pending_input(parser)


def test_events_are_returned_as_data_arrives() -> None:
    parser = MultipartParser(b"xx")
    assert parser.next_event() is None
    parser.receive_data(b"--xx\r\n" + head() + b"12345\r\n--x")
    event = parser.next_event()
    assert isinstance(event, Part)
    assert event.headers["content-disposition"] == 'form-data; name="a"'
    assert parser.next_event() == b"12345"  # data that may be a delimiter is not returned yet
    assert parser.next_event() is None
    parser.receive_data(b"y")
    assert parser.next_event() == b"\r\n--xy"
    parser.receive_data(b"6\r\n--xx--")
    assert parser.next_event() == b"6"
    assert parser.next_event() is END_OF_PART
    assert parser.next_event() is None
    assert parser.state is MultipartState.EPILOGUE
    parser.receive_data(b"--xx\r\n")
    assert parser.next_event() is None


@pytest.mark.parametrize("boundary", [b"", b'"', b'""', b"x" * (MAX_BOUNDARY_SIZE + 1), b"a\r\nb", b"a\0"])
def test_invalid_boundaries_are_rejected(boundary: bytes) -> None:
    with pytest.raises(HTTPInputError, match="boundary"):
        check_boundary(boundary)
    with pytest.raises(HTTPInputError, match="boundary"):
        MultipartParser(boundary)


def test_valid_boundaries_are_accepted() -> None:
    assert check_boundary(b'"a b"') == b"a b"
    for boundary in (b"a", b"-", b"--", b"a b", b"a:b", b"x" * MAX_BOUNDARY_SIZE):
        body = form(head() + b"1").replace(b"xx", boundary)
        assert whole(body, boundary) == [("a", None, None, b"1")]


content = st.lists(st.sampled_from([b"\r", b"\n", b"-", b"--", b"x", b"xx", b" ", b"\r\n--xx", b"a"])).map(
    b"".join
)


@given(st.lists(content, max_size=3), st.lists(st.integers(0, 300), max_size=8))
def test_result_does_not_depend_on_the_split(contents: list[bytes], cuts: list[int]) -> None:
    body = form(*[head() + each for each in contents])
    try:
        expected = whole(body)
    except HTTPInputError:
        with pytest.raises(HTTPInputError):
            in_pieces(cut(body, cuts))
    else:
        assert in_pieces(cut(body, cuts)) == expected


def cut(body: bytes, cuts: list[int]) -> list[bytes]:
    places = [0, *sorted(cuts), len(body)]
    return [body[begin:end] for begin, end in itertools.pairwise(places)]


@given(st.binary(max_size=200))
def test_any_other_bytes_are_rejected(body: bytes) -> None:
    for feed in (whole, byte_by_byte):
        with pytest.raises(HTTPInputError):
            feed(b"--xx\r\n" + body)


NASTY = [
    b";",
    b';a="',
    b";a=b",
    b";a*0=b",
    b';a="\\',
    b"a:b\r\n",
    b"\r\n",
    b"\\",
    b'"',
    b":",
    b"a",
    "é".encode(),
    b"\r\n--x",
]


@pytest.mark.parametrize("unit", NASTY)
def test_malicious_headers_take_linear_time(unit: bytes) -> None:
    fill = unit * (10_000 // len(unit))
    parts = [
        head(b"form-data; name=a; b=" + fill),
        head(b"form-data; name=a" + fill),
        fill + b"\r\n" + head(),
    ]
    for part in parts:
        body = form(*[part + b"1"] * 99)
        try:
            found = whole(body)
        except HTTPInputError:
            continue
        assert len(found) == 99


@pytest.mark.parametrize(
    "unit",
    [
        b"\r",
        b"\n",
        b"-",
        b"\r\n",
        b"\r\n-",
        b"\r\n--",
        b"\r\n--x",
        b"\r\n--xx.",
        b"\r\n--xx .",
        b"\r\n--xx" + b" " * 100 + b".",
    ],
)
def test_malicious_contents_take_linear_time(unit: bytes) -> None:
    fill = unit * (60_000 // len(unit)) + b"."
    assert whole(form(head() + fill)) == [("a", None, None, fill)]
    body = form(head() + fill)
    assert in_pieces([body[at : at + 1000] for at in range(0, len(body), 1000)]) == [("a", None, None, fill)]


@pytest.mark.parametrize("unit", [b"\r\n--xx.", b"\r\n--xx" + b" " * 100 + b".", b"\r\n--xx-."])
@pytest.mark.parametrize("feed", [whole, lambda body: in_pieces([body]), byte_by_byte])
def test_lines_that_resemble_delimiters_are_limited(
    unit: bytes, feed: Callable[[bytes], Parts], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(multipart, "MAX_LOOKALIKES", 7)
    # The limit applies to the whole body, not to each part.
    first, second = unit * 3, unit * 4
    accepted = form(head() + first, head() + second)
    assert feed(accepted) == [("a", None, None, first), ("a", None, None, second)]
    with pytest.raises(HTTPInputError, match="more than 7 lines that begin with the boundary"):
        feed(form(head() + first, head() + second + unit))


def test_cost_of_lines_that_resemble_delimiters_does_not_depend_on_the_boundary(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Compiling an expression for each boundary would take fifty times as long as parsing a small form."""

    def compiled(*_: object) -> NoReturn:
        raise AssertionError("compiled for one body")

    monkeypatch.setattr(re, "compile", compiled)
    body = form(head() + b"1\r\n--xx.").replace(b"--xx", b"--a boundary never seen")
    assert whole(body, b"a boundary never seen") == [("a", None, None, b"1\r\n--a boundary never seen.")]


# -- states


def test_only_transitions_in_the_table_are_allowed() -> None:
    check_transitions(multipart.TRANSITIONS, MultipartState)
