"""`LazyForm`: when a body is decoded, and how a malformed one is handled."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.references import find_garbage, gc_disabled
from tornado.httputil import HTTPHeaders, HTTPInputError
from tornado.httputil._lazy_form import FormState, LazyForm

URLENCODED = {"Content-Type": "application/x-www-form-urlencoded"}
MULTIPART = {"Content-Type": "multipart/form-data; boundary=x"}
# The first part is well-formed.
BAD_PART = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x\r\n\r\n--x--'


def form_of(body: bytes, fields: dict[str, str]) -> LazyForm:
    headers = HTTPHeaders(fields)
    return LazyForm(body, headers.get("Content-Type", ""), headers)


def good() -> LazyForm:
    return form_of(b"a=1", URLENCODED)


def bad() -> LazyForm:
    return form_of(BAD_PART, MULTIPART)


def test_a_form_is_decoded_once() -> None:
    form = good()
    assert (form.state, form.arguments) == (FormState.UNREAD, {})
    form.read(None)
    assert (form.state, form.arguments, form.files) == (FormState.READ, {"a": [b"1"]}, {})
    form.body = b"b=2"
    form.read(None)
    assert form.arguments == {"a": [b"1"]}


def test_a_malformed_form_raises_each_time_until_it_is_tolerated() -> None:
    form = bad()
    for _ in range(2):
        with pytest.raises(HTTPInputError, match="missing headers"):
            form.read(None)
        assert form.state is FormState.REFUSED
    form.tolerate()
    form.read(None)
    assert (form.state, form.arguments, form.files) == (FormState.READ, {}, {})


@pytest.mark.parametrize("make", [bad, lambda: form_of(b"a=" + b"x" * 100, URLENCODED)])
def test_refused_form_is_freed_by_its_last_reference(make) -> None:
    """Each error has a complete traceback, but the form does not refer to it."""
    with gc_disabled():
        form = make()
        for _ in range(3):
            with pytest.raises(HTTPInputError) as caught:
                form.read(10)
            assert caught.traceback[-1].path != Path(__file__)
            del caught
        del form
        assert not [each for each in find_garbage() if isinstance(each, LazyForm)]


def test_repeated_error_has_the_traceback_of_its_own_access() -> None:
    form = bad()
    counts = []
    for _ in range(3):
        with pytest.raises(HTTPInputError, match="missing headers") as caught:
            form.read(None)
        counts.append(len(caught.traceback))
    assert counts[0] >= counts[1] == counts[2] == 2


@pytest.mark.parametrize("make", [good, bad])
def test_form_tolerated_before_reading_is_decoded_when_read(make) -> None:
    form = make()
    form.tolerate()
    form.tolerate()
    assert form.state is FormState.TOLERANT
    form.read(None)
    assert (form.state, form.arguments) == (FormState.READ, {"a": [b"1"]} if make is good else {})
    form.tolerate()
    assert form.state is FormState.READ


@pytest.mark.parametrize(
    "headers", [URLENCODED, MULTIPART, {"Content-Type": "MULTIPART/Form-Data ;boundary=x"}]
)
def test_form_over_limit_is_rejected(headers) -> None:
    form = form_of(b"a" * 11, headers)
    with pytest.raises(HTTPInputError, match=r"11 bytes is larger than max_form_size \(10 bytes\)") as caught:
        form.read(10)
    assert caught.value.status_code == 413


def test_the_limit_itself_and_other_types_are_accepted() -> None:
    form = form_of(b"a=12345678", URLENCODED)
    form.read(10)
    assert form.arguments == {"a": [b"12345678"]}
    for headers in ({}, {"Content-Type": "application/json"}):
        form_of(b"a" * 11, headers).read(10)
