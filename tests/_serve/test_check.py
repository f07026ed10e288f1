from __future__ import annotations

import logging
import re
import sys

import pytest

from tests.support.serve import APPLICATION, write_module
from tornado._serve.check import Severity, check
from tornado._serve.program_error import ProgramError

SETTINGS = """
import os
from tornado import template, web

def make_app():
    return web.Application([("/", web.RequestHandler)], {settings})
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("app", None)


def findings(folder, settings):
    write_module(folder, SETTINGS.format(settings=settings))
    return [str(each) for each in check("app")[1]]


def test_faultless_application(folder):
    write_module(folder, APPLICATION)
    application, found = check("app:application")
    assert found == []
    assert application is sys.modules["app"].application


def test_application_that_is_not_ours_has_no_findings(folder):
    write_module(folder, "def app(environ, start_response): return []")
    assert check("app")[1] == []


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ("cookie_secret='short'", "warning: cookie_secret has a length of only 5"),
        ("cookie_secrte='a' * 32", "warning: .*cookie_secrte.*cookie_secret"),
        ("static_path='nowhere'", "warning: the path 'nowhere' of static files"),
        ("template_path='nowhere'", "error: template_path: 'nowhere' is not a directory"),
        ("serve_traceback=True", "warning: serve_traceback: on; turn this off in production"),
    ],
)
def test_settings(folder, settings, expected, expect_log):
    with expect_log("tornado.application", "", required=False):
        [found] = findings(folder, settings)
    assert re.match(expected, found)


def test_warnings_of_the_application_are_findings(folder, expect_log):
    source = SETTINGS.format(settings="").replace("[(", '[("a", web.RequestHandler), (')
    write_module(folder, source)
    with expect_log("tornado.application", "can never match"):
        _, found = check("app")
    assert [each.severity for each in found] == [Severity.WARNING]
    assert logging.getLogger("tornado").propagate


def test_templates_are_compiled(folder):
    templates = folder / "templates"
    (templates / "part").mkdir(parents=True)
    (templates / "good.html").write_text("{% extends 'base.html' %}{% block a %}{{ x }}{% end %}")
    (templates / "base.html").write_text("{% block a %}{% end %}")
    (templates / "part" / "open.html").write_text("{% if x %}")
    (templates / "python.txt").write_text("{{ x + }}")
    (templates / "image.png").write_bytes(b"\xff{{")
    found = findings(folder, "template_path='templates'")
    assert len(found) == 2
    assert found[0].startswith("error: template part/open.html: ")
    assert found[1].startswith("error: template python.txt: ")


def test_missing_parent_of_a_template_is_an_error(folder):
    (folder / "templates").mkdir()
    (folder / "templates" / "child.html").write_text("{% extends 'missing.html' %}")
    [found] = findings(folder, "template_path='templates'")
    assert "template child.html" in found
    assert "missing.html" in found


def test_templates_of_a_loader_are_compiled(folder):
    [found] = findings(folder, "template_loader=template.DictLoader({'a.html': '{% end %}', 'b.html': 'b'})")
    assert found.startswith("error: template a.html: ")


def test_application_that_cannot_be_created(folder):
    write_module(folder, SETTINGS.format(settings="template_whitespace='none'"))
    with pytest.raises(ProgramError, match="the function has failed"):
        check("app")
    assert logging.getLogger("tornado").propagate
