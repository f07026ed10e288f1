"""Settings and routes that could not work are named when the application is made."""

from __future__ import annotations

import pathlib
import types
from typing import Any

import pytest

from tests.support.server import ExpectLog, ask, handler_of, serving
from tornado import httputil, web


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"default_handler_class": 5}, TypeError, "default_handler_class is a RequestHandler class, not 5"),
        ({"default_handler_class": "no.Such"}, TypeError, "default_handler_class .* not 'no.Such'"),
        ({"transforms": 5}, TypeError, "transforms is a list of OutputTransform classes, not 5"),
        ({"transforms": [5]}, TypeError, "transforms holds 5, which is no OutputTransform class"),
        ({"cookie_secret": 12345}, TypeError, "cookie_secret is a str or bytes, .* not of type int"),
        ({"log_function": 5}, TypeError, "log_function is a function"),
        ({"static_path": 5}, TypeError, "static_path is the path of a directory, not 5"),
        ({"template_whitespace": "zzz"}, ValueError, "template_whitespace is one of .*, not 'zzz'"),
        ({"ui_modules": "nomod"}, TypeError, "ui_modules is a dict or a module, .* not 'nomod'"),
        ({"ui_methods": 5}, TypeError, "ui_methods is a dict or a module, .* not 5"),
        ({"cancel_on_disconnect": "no"}, ValueError, "cancel_on_disconnect .* not 'no'"),
    ],
)
def test_a_setting_that_cannot_work_is_named(settings: Any, error: Any, words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        web.Application(**settings)
    assert "12345" not in str(caught.value)


def test_odd_values_that_work_are_taken(tmp_path: pathlib.Path) -> None:
    class Log:
        def __call__(self, handler: Any) -> None: ...

    module = types.ModuleType("pages")
    module.count = 5  # type: ignore[attr-defined]
    module.Page = type("Page", (web.UIModule,), {})  # type: ignore[attr-defined]
    module.shout = str.upper  # type: ignore[attr-defined]
    application = web.Application(
        static_path=tmp_path,
        log_function=Log(),
        cookie_secret={1: "secret"},
        key_version=1,
        ui_modules=[module, vars(module), {"Base": web.UIModule}],
        ui_methods=[module],
        transforms=(web.OutputTransform,),
        default_handler_class=None,
        template_whitespace=None,
        security=5,
        hosts=5,
    )
    assert {"Page", "Base", "linkify"} <= set(application.ui_modules)
    assert application.ui_methods == {"shout": str.upper}


async def test_an_application_that_makes_its_own_delegates_may_have_any_handlers() -> None:
    class Delegate(httputil.HTTPMessageDelegate):
        def __init__(self, connection: Any) -> None:
            self.connection = connection

        def finish(self) -> None:
            head = httputil.ResponseStartLine("", 200, "OK")
            self.connection.write_headers(head, httputil.HTTPHeaders({"Content-Length": "2"}), b"ok")
            self.connection.finish()

    class Own(web.Application):
        def get_handler_delegate(self, request: Any, *args: Any, **kwargs: Any) -> Any:
            return Delegate(request.connection)

    async with serving(Own(default_handler_class="mine")) as server:
        assert (await server.fetch("/")).body == b"ok"


@pytest.mark.parametrize(
    ("slip", "meant"),
    [
        ("allow_hosts", "allowed_hosts"),
        ("security_header", "security_headers"),
        ("handlers_timeout", "handler_timeout"),
    ],
)
def test_a_slip_is_asked_about(slip: str, meant: str, expect_log: ExpectLog) -> None:
    with expect_log("tornado.application", f"the setting '{slip}' is not known here; did you mean '{meant}'"):
        web.Application(**{slip: True})


def test_what_a_dict_of_ui_modules_holds_beside_them_is_logged(expect_log: ExpectLog) -> None:
    with expect_log("tornado.application", "ui_modules: 'Entry' is passed over, .*: 5"):
        web.Application(ui_modules={"Entry": 5, "_private": 5})


@pytest.mark.parametrize("target", [None, 5, b"module.Handler"])
def test_a_target_that_nothing_can_come_of_is_refused(target: Any) -> None:
    with pytest.raises(TypeError, match="it should lead to a RequestHandler class"):
        web.Application([("/", target)])


def test_a_class_that_is_no_handler_is_warned_of(expect_log: ExpectLog) -> None:
    with expect_log("tornado.application", "leads to the class dict, which is no RequestHandler"):
        web.Application([("/", dict)])


def test_a_pattern_that_can_never_match_is_warned_of(expect_log: ExpectLog) -> None:
    with expect_log("tornado.application", "'page/one' can never match, .*: '/page/one'"):
        web.Application([("page/one", web.RequestHandler)])


def test_other_patterns_may_match() -> None:
    patterns = ("/page", "x?/page", ".*", "a|/b", "(/x)", "x.com:1", "")
    web.Application([(pattern, web.RequestHandler) for pattern in patterns])


async def test_an_error_of_a_matcher_is_answered_and_logged_with_the_address(expect_log: ExpectLog) -> None:
    class Broken:
        def match(self, request: Any) -> Any:
            raise ZeroDivisionError

    with expect_log("tornado.application", "Uncaught exception while serving .*: GET /some/where"):
        response = await ask([(Broken(), handler_of())], path="/some/where")
    assert response.code == 500


def test_sizes_of_a_server() -> None:
    with pytest.raises(TypeError, match="max_body_size is a number of bytes, not '5'"):
        web.Application().listen(0, max_body_size="5")


def test_a_pattern_for_files_needs_a_group(expect_log: ExpectLog) -> None:
    with expect_log("tornado.application", r"needs a group, for the file's path: '/s/\(\.\*\)'"):
        web.Application([("/s/", web.StaticFileHandler, {"path": "."})])
