"""HTTPResponse and HTTPClientError."""

from __future__ import annotations

import copy
import pickle
from io import BytesIO

import pytest

from tests.support.httpclient import is_error_for_code
from tornado.httpclient import HTTPClientError, HTTPError, HTTPRequest, HTTPResponse, _RequestProxy
from tornado.httputil import HTTPHeaders

REQUEST = HTTPRequest("http://example.com/")


def test_status_204_has_no_error():
    response = HTTPResponse(REQUEST, 204, buffer=BytesIO(b"x"))
    assert response.error is None
    assert response.reason == "No Content"
    assert response.body == b"x"
    assert response.effective_url == REQUEST.url
    assert response.time_info == {}
    response.rethrow()


@pytest.mark.parametrize("code", [199, 304, 404, 599])
def test_other_codes_are_errors(code):
    response = HTTPResponse(REQUEST, code)
    assert isinstance(response.error, HTTPClientError)
    assert response.error.code == code
    assert response.error.response is response
    with pytest.raises(HTTPError, match=f"HTTP {code}"):
        response.rethrow()


def test_given_error_is_kept():
    error = OSError("broken")
    response = HTTPResponse(REQUEST, 599, error=error)
    assert response.error is error
    assert not is_error_for_code(response)


def test_without_a_buffer_the_body_is_empty():
    assert HTTPResponse(REQUEST, 200).body == b""


def test_request_is_the_object_that_the_program_passed():
    assert HTTPResponse(_RequestProxy(REQUEST, {}), 200).request is REQUEST


def test_repr_shows_attributes_without_recursion():
    text = repr(HTTPResponse(REQUEST, 404))
    assert text.startswith("HTTPResponse(")
    assert "code=404" in text
    assert "error=HTTP 404: Not Found" in text


def test_error_text_contains_code_and_message():
    assert HTTPError is HTTPClientError
    assert str(HTTPError(403)) == repr(HTTPError(403)) == "HTTP 403: Forbidden"
    assert str(HTTPError(499)) == "HTTP 499: Unknown"
    assert str(HTTPError(599, "Timeout")) == "HTTP 599: Timeout"


def test_errors_can_be_copied_and_pickled():
    for error in (copy.copy(HTTPError(403)), pickle.loads(pickle.dumps(HTTPError(403, "no")))):
        assert error.code == 403


def response(body, content_type=None, code=200):
    headers = HTTPHeaders() if content_type is None else HTTPHeaders({"Content-Type": content_type})
    return HTTPResponse(REQUEST, code, headers=headers, buffer=body)


def test_body_given_as_bytes():
    answer = response(b"content")
    assert answer.body == b"content"
    assert answer.buffer is answer.buffer
    assert answer.buffer.read() == b"content"
    answer.buffer = BytesIO(b"other")
    assert answer.body == b"other"
    assert HTTPResponse(REQUEST, 200).buffer is None


def test_repr_does_not_show_the_body():
    assert "secret" not in repr(response(b"secret"))
    assert "buffer='<6 bytes>'" in repr(response(b"secret"))


@pytest.mark.parametrize(
    ("body", "content_type", "text"),
    [
        (b"", None, ""),
        ("\u00e9".encode(), None, "\u00e9"),
        ("\u00e9".encode(), "text/html", "\u00e9"),
        (b"\xe9", 'text/html; charset="ISO-8859-1"', "\u00e9"),
        (b"\xe9", "text/html; charset=hex", "\ufffd"),
        (b"\xef\xbb\xbfa", "text/html; charset=latin1", "a"),
        (b"a", "text/html; charset", "a"),
    ],
)
def test_text_is_decoded_with_the_charset(body, content_type, text):
    assert response(body, content_type).text == text


def test_json_body_is_decoded():
    assert response(b'{"a": [1, "\xc3\xa9"]}').json() == {"a": [1, "\u00e9"]}
    assert response("[1]".encode("utf-16")).json() == [1]
    assert response(b"\xef\xbb\xbf1").json() == 1


@pytest.mark.parametrize("body", [b"", b"<html>", b'"\xff"'])
def test_json_errors_name_the_response(body):
    request = HTTPRequest("http://user:password@example.com/@a?b")
    answer = HTTPResponse(request, 502, headers=HTTPHeaders({"Content-Type": "text/html"}), buffer=body)
    with pytest.raises(ValueError) as caught:
        answer.json()
    (note,) = caught.value.__notes__
    assert note == (
        f"in the {len(body)}-byte response to http://example.com/@a?b: status 502, Content-Type 'text/html'"
    )
