"""The names that upstream's modules import exist here; they are listed in ``upstream_names.py``."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
from types import ModuleType

import pytest

from tests.compat.upstream_names import MISSING, NAMES
from tests.support.modules import load
from tornado._implicit_reexports import _IMPORTS, reexported

BUILT = [module for module in NAMES if module not in MISSING]


def run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("module", BUILT)
def test_module_has_the_public_names_of_upstream(module):
    loaded = load(module)
    missing = [name for name in NAMES[module].split() if not hasattr(loaded, name)]
    assert [name for name in missing if f"{module}.{name}" not in MISSING] == []


def test_missing_names_are_few_and_do_not_exist():
    assert len(MISSING) <= 10
    for path in MISSING:
        module, _, name = path.rpartition(".")
        assert not hasattr(importlib.import_module(module), name)


@pytest.mark.parametrize("module", _IMPORTS)
def test_each_name_is_the_object_of_its_source(module):
    """The list includes names that the module imports itself today, because such an import may be removed."""
    loaded = load(module)
    for source, names in _IMPORTS[module].items():
        for name in names.split():
            name, _, rest = name.partition(".")
            value = reexported(module, name)
            assert getattr(loaded, name) is value
            if source:
                origin = importlib.import_module(source)
                assert value is getattr(origin, name, None) or value is sys.modules[f"{source}.{name}"]
            else:
                assert isinstance(value, ModuleType)
                assert value.__name__ == name
                assert not rest or hasattr(value, rest)


def test_names_are_not_imported_or_listed_before_use():
    program = """
import json, sys
import tornado.httputil, tornado.web
before = [dir(module) for module in (tornado.httputil, tornado.web)], sorted(sys.modules)
from tornado.httputil import email, urlencode
from tornado.web import HTTPServer, http
assert urlencode({"a": 1}) == "a=1"
assert email.utils.formatdate(0)
assert http.client.OK == 200
assert tornado.httputil.urlencode is urlencode
print(json.dumps([*before, sorted(sys.modules)]))
"""
    done = run(program)
    assert done.returncode == 0, done.stderr
    (of_httputil, of_web), before, after = json.loads(done.stdout)
    assert {"urlencode", "email"}.isdisjoint(of_httputil)
    assert {"http", "HTTPServer"}.isdisjoint(of_web)
    late = {"email.utils", "http.client"}
    assert late.isdisjoint(before)
    assert late <= set(after)


@pytest.mark.parametrize("module", ["tornado.util", "tornado.httputil", "tornado.web", "tornado.gen"])
def test_unknown_name_raises_attribute_error_and_import_error(module):
    loaded = load(module)
    with pytest.raises(AttributeError, match=f"^module '{module}' has no attribute 'nothing'$") as raised:
        _ = loaded.nothing
    assert raised.value.name == "nothing"
    assert raised.value.obj is loaded
    with pytest.raises(ImportError, match=f"^cannot import name 'nothing' from '{module}'"):
        exec(f"from {module} import nothing")


def test_error_suggests_similar_name():
    done = run("import tornado.httputil; tornado.httputil.HTTPHeader")
    text = "module 'tornado.httputil' has no attribute 'HTTPHeader'. Did you mean:? '.?HTTPHeaders'"
    assert re.search(text, done.stderr), done.stderr


def test_name_replaced_by_program_stays_replaced(monkeypatch):
    web = load("tornado.web")
    monkeypatch.setattr("tornado.web.HTTPServer", "a stand-in")
    assert web.HTTPServer == "a stand-in"
    monkeypatch.undo()
    assert web.HTTPServer is load("tornado.httpserver").HTTPServer
