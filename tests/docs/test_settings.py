"""docs/reference/settings.md: its tables match the code."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
from typing import Any

import pytest

from tests.support.program import ROOT
from tornado import _setting_names, web, wsgi
from tornado.http1connection._protection import DEFAULT, PUBLIC
from tornado.httpserver import HTTPServer

TEXT = (ROOT / "docs/reference/settings.md").read_text()
_PARTS = TEXT.split("\n## ")
SETTINGS, ATTRIBUTES, ARGUMENTS = _PARTS[1:]

_READ = re.compile(
    r"""settings(?:\.get\(|\.setdefault\(|\[)\s*"(\w+)" | "(\w+)"\s(?:not\s)?in\s\S*settings\b
        | require_setting\("(\w+)" """,
    re.VERBOSE,
)
#: Table rows for attributes of the request instead of the class, and for attributes that are not plain
#: values.
_NO_ATTRIBUTES = {
    web.RequestHandler: {"path_args", "path_kwargs", "route", "session", "ui"},
    web.StaticFileHandler: {"allowed_symlink_directory", "default_filename", "absolute_path", "modified"},
}

#: Settings of `tornado.auth` whose names are defined by the program or by a class attribute.
BY_CONVENTION = {"facebook_api_key", "facebook_secret", "google_oauth"}


def rows(text: str) -> list[list[str]]:
    """Return the rows of all tables whose first cell is a name."""
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def names_in_code() -> set[str]:
    """Return the names of the settings that the package reads."""
    found: set[str] = set()
    for path in (ROOT / "src/tornado").rglob("*.py"):
        found.update(next(filter(None, names)) for names in _READ.findall(path.read_text()))
    return found


def test_table_and_code_have_the_same_settings() -> None:
    listed = [row[0].strip("`") for row in rows(SETTINGS)]
    assert len(listed) == len(set(listed))
    assert set(listed) == names_in_code() | BY_CONVENTION


def test_suggestions_for_misspellings_know_all_settings() -> None:
    listed = {row[0].strip("`") for row in rows(SETTINGS)}
    assert listed == _setting_names.APPLICATION


def test_table_of_server_arguments_is_complete() -> None:
    parameters = inspect.signature(HTTPServer.initialize).parameters
    assert set(parameters) - {"self", "request_callback", "unknown"} == _setting_names.SERVER


def test_server_arguments_and_their_defaults() -> None:
    listed = {row[0].strip("`"): row for row in rows(ARGUMENTS)}
    assert set(listed) == _setting_names.SERVER
    for field in dataclasses.fields(DEFAULT):
        default, public = (
            f"{getattr(limits, field.name)}".removesuffix(".0") for limits in (DEFAULT, PUBLIC)
        )
        assert listed[field.name][3:5] == [default, "" if public == default else public]


def test_every_row_is_complete() -> None:
    for row in rows(SETTINGS):
        assert len(row) == 5, row
        assert row[1] in ("", "**W**"), row
        assert all(row[2:]), row
    for row in rows(ATTRIBUTES):
        assert len(row) == 4, row


def sections() -> dict[str, str]:
    """Return the text about the attributes of each class."""
    found = re.findall(r"^### `(\w+)`.*?\n(.*?)(?=^### |\Z)", ATTRIBUTES, re.DOTALL | re.MULTILINE)
    return dict(found)


def public_values(cls: Any) -> dict[str, Any]:
    """Return the plain attributes that a class itself defines for programs to override."""
    return {
        name: value
        for name, value in vars(cls).items()
        if not name.startswith("_")
        and not callable(value)
        and not isinstance(value, (property, classmethod, staticmethod))
        and name not in _NO_ATTRIBUTES.get(cls, ())
    }


@pytest.mark.parametrize(
    "cls",
    [
        web.RequestHandler,
        web.StaticFileHandler,
        web.UploadHandler,
        web.EventSourceHandler,
        wsgi.WSGIContainer,
    ],
)
def test_attributes_and_their_defaults(cls: Any) -> None:
    listed = {
        row[0].strip("`"): ast.literal_eval(row[2].strip("`")) for row in rows(sections()[cls.__name__])
    }
    assert listed == public_values(cls)


def test_every_class_is_tested() -> None:
    classes = {"RequestHandler", "StaticFileHandler", "UploadHandler", "EventSourceHandler", "WSGIContainer"}
    assert set(sections()) == classes


def test_links() -> None:
    folder = ROOT / "docs/reference"
    for target in re.findall(r"\]\(([^)#:]+)\)", TEXT):
        assert (folder / target).exists(), target
