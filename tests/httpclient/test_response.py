"""HTTPResponse and HTTPClientError."""

from __future__ import annotations

import copy
import pickle
from io import BytesIO

import pytest

from tornado.httpclient import HTTPClientError, HTTPError, HTTPRequest, HTTPResponse, _RequestProxy

REQUEST = HTTPRequest("http://example.com/")


def test_success():
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
    assert not response._error_is_response_code


def test_without_a_buffer_the_body_is_empty():
    assert HTTPResponse(REQUEST, 200).body == b""


def test_the_request_is_the_programs_own():
    assert HTTPResponse(_RequestProxy(REQUEST, {}), 200).request is REQUEST


def test_repr_shows_attributes_and_ends():
    text = repr(HTTPResponse(REQUEST, 404))
    assert text.startswith("HTTPResponse(")
    assert "code=404" in text
    assert "error=HTTP 404: Not Found" in text


def test_error_text():
    assert HTTPError is HTTPClientError
    assert str(HTTPError(403)) == repr(HTTPError(403)) == "HTTP 403: Forbidden"
    assert str(HTTPError(499)) == "HTTP 499: Unknown"
    assert str(HTTPError(599, "Timeout")) == "HTTP 599: Timeout"


def test_errors_can_be_copied_and_pickled():
    for error in (copy.copy(HTTPError(403)), pickle.loads(pickle.dumps(HTTPError(403, "no")))):
        assert error.code == 403
