"""Request bodies in memory and on disk."""

from __future__ import annotations

import io

import pytest

from tornado.httputil import HTTPHeaders, RequestStartLine
from tornado.wsgi._body import Spool, SpooledRequest


@pytest.mark.parametrize("pieces", [[b"0123456789"], [b"01234", b"56789"], [b"%d" % i for i in range(10)]])
@pytest.mark.parametrize("limit", [0, 3, 9, 10, 100])
def test_spool(pieces, limit):
    spool = Spool(limit)
    for piece in pieces:
        spool.write(piece)
    assert spool.size == 10
    file = spool.rewind()
    assert isinstance(file, io.BytesIO) is (limit >= 10)
    assert file.read(4) == b"0123"
    assert spool.read() == b"0123456789"
    assert file.read() == b"456789"
    spool.close()
    assert file.closed
    spool.close()


def test_lines():
    spool = Spool(3)
    spool.write(b"a\nb\nc")
    file = spool.rewind()
    assert file.readline() == b"a\n"
    assert list(file) == [b"b\n", b"c"]
    assert spool.rewind().readlines() == [b"a\n", b"b\n", b"c"]
    spool.close()


def form(limit):
    headers = HTTPHeaders({"Host": "a", "Content-Type": "application/x-www-form-urlencoded"})
    request = SpooledRequest(limit, start_line=RequestStartLine("POST", "/?q=1", "HTTP/1.1"), headers=headers)
    request._spool.write(b"a=2")
    return request


@pytest.mark.parametrize("limit", [1, 100])
def test_what_a_program_may_ask_of_the_request(limit):
    request = form(limit)
    assert request.body == b"a=2"
    assert request.query_arguments == {"q": [b"1"]}
    assert request.body_arguments == {"a": [b"2"]}
    assert request.arguments == {"q": [b"1"], "a": [b"2"]}
    assert request.files == {}
    request._spool.close()


def test_another_body():
    request = form(1)
    request.body = b"other"
    file, size = request._input()
    assert (file.read(), size, request.body) == (b"other", 5, b"other")
    request._spool.close()
