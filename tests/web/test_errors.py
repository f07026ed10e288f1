"""The exceptions that end a request."""

from __future__ import annotations

import copy
import http
import pickle
from typing import Any

import pytest

from tornado.web import Finish, HTTPError, MissingArgumentError


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (HTTPError(), "HTTP 500: Internal Server Error"),
        (HTTPError(404), "HTTP 404: Not Found"),
        (HTTPError(404, "no %s"), "HTTP 404: Not Found (no %s)"),
        (HTTPError(404, "no %s", "story"), "HTTP 404: Not Found (no story)"),
        (HTTPError(404, "no %s %s", "story"), "HTTP 404: Not Found (no %s %s ('story',))"),
        (HTTPError(404, "100%"), "HTTP 404: Not Found (100%)"),
        (HTTPError(404, reason="Gone Fishing"), "HTTP 404: Gone Fishing"),
        (HTTPError(599), "HTTP 599: Unknown"),
        (MissingArgumentError("name"), "HTTP 400: Bad Request (Missing argument name)"),
    ],
)
def test_text_has_status_reason_and_formatted_message(error: Any, text: Any) -> None:
    assert str(error) == text


def test_attributes_have_the_arguments() -> None:
    error = HTTPError(403, "no %s", "entry", reason="Closed")
    assert (error.status_code, error.log_message, error.args, error.reason) == (
        403,
        "no %s",
        ("entry",),
        "Closed",
    )
    assert error.get_message() == "no entry"
    assert HTTPError(403).log_message is None
    assert HTTPError(403).get_message() is None
    # Percent signs are doubled, so that the message can be formatted with empty args.
    assert HTTPError(403, "100%").log_message == "100%%"
    missing = MissingArgumentError("name%")
    assert (missing.arg_name, missing.status_code, missing.log_message) == (
        "name%",
        400,
        "Missing argument name%%",
    )


def test_public_message_is_neither_in_the_log_message_nor_in_the_text() -> None:
    error = HTTPError(409, "item %s", 7, public_message="Sold out")
    assert (error.public_message, error.get_message()) == ("Sold out", "item 7")
    assert str(error) == "HTTP 409: Conflict (item 7)"
    assert HTTPError(409).public_message is None


def test_subclass_may_define_a_public_message() -> None:
    class SoldOut(HTTPError):
        public_message = "Sold out"

    assert SoldOut(409).public_message == "Sold out"
    assert SoldOut(409, public_message="Gone").public_message == "Gone"


@pytest.mark.parametrize(
    "error",
    [
        HTTPError(403, "no %s", "entry", reason="Closed", public_message="Closed on Sundays"),
        HTTPError(404),
        MissingArgumentError("name"),
    ],
)
def test_copies_have_the_same_attributes(error: Any) -> None:
    for again in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert (again.reason, again.args) == (error.reason, error.args)
        assert again.public_message == error.public_message
        assert str(again) == str(error)


def test_finish_contains_the_body() -> None:
    assert Finish("body").args == ("body",)


@pytest.mark.parametrize("code", ["404", None, 404.0])
def test_status_code_that_is_not_an_integer_is_rejected(code: Any) -> None:
    with pytest.raises(TypeError, match="status_code must be an int, got"):
        HTTPError(code)
    assert HTTPError(http.HTTPStatus.NOT_FOUND).status_code == 404
