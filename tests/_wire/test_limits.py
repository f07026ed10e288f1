"""The limits, their defaults, and the errors that name an exceeded limit."""

import dataclasses

import pytest

from tornado._wire.errors import HTTPInputError
from tornado._wire.h1 import Reader, ReaderState, Role
from tornado._wire.limits import DEFAULT, Limits

HEAD = b"POST / HTTP/1.1\r\nHost: a\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
#: Limit -> the name of its setting, and input that exceeds it if it is 3.
EXCEEDED = {
    "max_head_size": ("max_header_size", HEAD),
    "max_request_line": ("max_header_size", HEAD),
    "max_header_count": ("max_header_count", HEAD + b"A: b\r\n" * 3 + b"\r\n"),
    "max_chunk_line": ("max_chunk_line", CHUNKED + b"5;abc\r\n"),
    "max_chunk_extensions": ("max_chunk_extensions", CHUNKED + b"5;abc\r\n"),
    "max_trailer_size": ("max_trailer_size", CHUNKED + b"0\r\nA: b\r\n"),
    "max_trailer_count": ("max_trailer_count", CHUNKED + b"0\r\n" + b"A: b\r\n" * 4 + b"\r\n"),
    "max_body_size": ("max_body_size", HEAD + b"Content-Length: 4\r\n\r\n"),
    "max_length_digits": ("max_length_digits", HEAD + b"Content-Length: 1234\r\n\r\n"),
    "max_chunk_size_digits": ("max_chunk_size_digits", CHUNKED + b"0004\r\n"),
    "max_1xx": ("max_1xx", b"HTTP/1.1 100 Continue\r\n\r\n" * 4),
    "max_leading_lines": ("max_leading_lines", b"\r\n" * 4 + HEAD),
}


def test_defaults_of_head_and_body_size():
    assert Limits() == DEFAULT
    assert (DEFAULT.max_head_size, DEFAULT.max_body_size) == (65536, 104857600)


def test_limits_are_immutable():
    with pytest.raises(dataclasses.FrozenInstanceError):
        DEFAULT.max_1xx = 5


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Limits)])
def test_negative_limits_are_rejected(name):
    assert getattr(Limits(**{name: 0}), name) == 0
    with pytest.raises(ValueError, match=f"{name} must not be negative, got -1"):
        Limits(**{name: -1})


def test_every_limit_is_in_the_table_of_precedents():
    import tornado._wire.limits as module

    for field in dataclasses.fields(Limits):
        assert f"`{field.name}`" in module.__doc__


@pytest.mark.parametrize("limit", [field.name for field in dataclasses.fields(Limits)])
def test_error_names_the_exceeded_limit_and_its_value(limit):
    name, data = EXCEEDED[limit]
    reader = Reader(Role.CLIENT if limit == "max_1xx" else Role.SERVER, Limits(**{limit: 3}))
    reader.receive_data(data)
    with pytest.raises(HTTPInputError) as caught:
        while reader.next_event() is not None:
            pass
    assert reader.state is ReaderState.ERROR
    assert " 3" in str(caught.value)
    assert f"({name})" in str(caught.value)
