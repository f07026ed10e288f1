"""The names that ``dir()``, ``help()`` and ``from … import *`` show."""

from __future__ import annotations

import importlib.metadata
import pydoc
import subprocess
import sys
import tomllib

import pytest

import tornado
from tests.support.modules import load, public_modules
from tests.support.program import ROOT

#: The modules with an ``__all__``. The others are a plugin, programs and a package of modules.
LISTED = [
    name
    for name in public_modules()
    if name not in ("tornado", "tornado.platform", "tornado.testing.pytest")
    and not name.endswith(".__main__")
]
#: Public names that are not in ``__all__``, because importing them may cause a warning.
NOT_IN_ALL = {"tornado.platform.asyncio": ["AnyThreadEventLoopPolicy"]}


@pytest.mark.parametrize("name", LISTED)
def test_modules_list_public_names_only(name):
    module = load(name)
    shown = [each for each in dir(module) if not (each.startswith("__") and each.endswith("__"))]
    assert shown == sorted([*module.__all__, *NOT_IN_ALL.get(name, ())])


@pytest.mark.parametrize("name", ["tornado.locks", "tornado.websocket"])
def test_modules_are_described_by_help(name):
    text = pydoc.plain(pydoc.render_doc(load(name)))
    assert f"{name} - " in text


def test_unlisted_names_exist():
    import tornado.web

    assert "app_log" not in dir(tornado.web)
    assert tornado.web.app_log.name == "tornado.application"


def test_package_lists_its_modules_and_versions():
    shown = [name for name in dir(tornado) if not name.startswith("__")]
    more = ["curl_httpclient", "stack_context", "version", "version_info", "waterspout_version"]
    assert shown == sorted([*tornado.__all__, *more])


def test_package_is_described_by_help():
    text = pydoc.plain(pydoc.render_doc(tornado))
    assert "tornado - Waterspout" in text
    assert "web (package)" in text


def test_star_import_imports_modules():
    program = "from tornado import *; print(web.Application.__module__, iostream.IOStream.__name__)"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == "tornado.web IOStream\n"


@pytest.mark.parametrize("name", ["tornado.gen", "tornado.httpclient", "tornado.web", "tornado.websocket"])
def test_star_import_of_module_imports_its_names(name):
    names: dict[str, object] = {}
    exec(f"from {name} import *", names)
    assert sorted(set(names) - {"__builtins__"}) == sorted(load(name).__all__)


def test_distribution_has_the_version_of_the_module():
    api, _, own = tornado.waterspout_version.partition("+waterspout.")
    assert api == tornado.version
    assert own
    assert importlib.metadata.version("tornado") == tornado.waterspout_version


def test_version_is_defined_once():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "version" not in settings["project"]
    assert settings["tool"]["setuptools"]["dynamic"]["version"] == {
        "attr": "tornado._version.waterspout_version"
    }
