"""Setting the public module name of objects in private modules."""

from __future__ import annotations

import pickle

import pytest

from tornado import escape, template
from tornado._public_module_names import export


def private(name: str, module: str) -> type:
    return type(name, (), {"__module__": module})


def test_object_of_private_module_gets_public_module():
    thing = private("Thing", "tornado.example._thing")
    export({"__name__": "tornado.example", "__all__": ["Thing"], "Thing": thing})
    assert thing.__module__ == "tornado.example"


def test_module_argument_sets_the_module():
    thing = private("Thing", "tornado._wire.thing")
    export({"__name__": "tornado.example", "__all__": ["Thing"], "Thing": thing}, "tornado.web")
    assert thing.__module__ == "tornado.web"


def test_foreign_and_public_objects_are_unchanged():
    foreign, public = private("Foreign", "other._thing"), private("Public", "tornado.escape")
    names = {
        "foreign": foreign,
        "public": public,
        "number": 5,
        "builtin": TimeoutError,
        "function": escape.utf8,
    }
    export({"__name__": "tornado.example", "__all__": list(names), **names})
    assert foreign.__module__ == "other._thing"
    assert public.__module__ == "tornado.escape"
    assert escape.utf8.__module__ == "tornado.escape"


def test_missing_name_raises():
    with pytest.raises(AttributeError, match=r"tornado\.example\.__all__ lists 'Gone'"):
        export({"__name__": "tornado.example", "__all__": ["Gone"]})


def test_pickle_contains_public_module():
    assert pickle.loads(pickle.dumps(template.ParseError)) is template.ParseError
    assert b"_errors" not in pickle.dumps(template.ParseError)
