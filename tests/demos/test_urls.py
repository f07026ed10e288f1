from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from tests.support.program import Program


@pytest.fixture(scope="module")
def program() -> Iterator[Program]:
    with Program("demos/urls/main.py") as running:
        yield running


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/", "hello1"),
        ("/people/42", "42"),
        ("/people/42/", "42"),
        ("/people/ann", "hello1:ann"),
        ("/people/4nn/?x=1", "hello1:4nn"),
        ("/people/ann/42", "ann42"),
        ("/people/7/42/", "742"),
    ],
)
def test_first_matching_pattern_is_used(program, path, body):
    with urllib.request.urlopen(program.url(path)) as response:
        assert response.read().decode() == body


@pytest.mark.parametrize(
    "path", ["/people", "/people/", "/people/ann/b", "/people/42//", "//people/42", "/people/%E4%BD%A0"]
)
def test_unmatched_path_is_not_found(program, path):
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(program.url(path))
    with caught.value as error:
        assert error.code == 404


def test_undefined_method_is_not_allowed(program):
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(program.url("/people/42"), data=b"")
    with caught.value as error:
        assert error.code == 405
