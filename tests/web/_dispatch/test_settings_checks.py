"""Invalid settings are reported when the application is created."""

from __future__ import annotations

import pathlib
import types
from typing import Any

import pytest

from tests.support.server import ExpectLog, ask, handler_of, serving
from tornado import httputil, web
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        (
            {"default_handler_class": 5},
            TypeError,
            "default_handler_class must be a RequestHandler class, got 5",
        ),
        ({"default_handler_class": "no.Such"}, TypeError, "default_handler_class .* got 'no.Such'"),
        ({"transforms": 5}, TypeError, "transforms must be a list of OutputTransform classes, got 5"),
        ({"transforms": [5]}, TypeError, "transforms must contain OutputTransform classes only, got 5"),
        (
            {"cookie_secret": 12345},
            TypeError,
            "cookie_secret must be a str or bytes, .* got a value of type int",
        ),
        ({"log_function": 5}, TypeError, "log_function must be a function"),
        ({"static_path": 5}, TypeError, "static_path must be the path of a directory, got 5"),
        ({"template_whitespace": "zzz"}, ValueError, "template_whitespace must be one of .*, got 'zzz'"),
        ({"ui_modules": "nomod"}, TypeError, "ui_modules must be a dict or a module, .* got 'nomod'"),
        ({"ui_methods": 5}, TypeError, "ui_methods must be a dict or a module, .* got 5"),
        ({"cancel_on_disconnect": "no"}, ValueError, "cancel_on_disconnect .* got 'no'"),
    ],
)
def test_invalid_setting_is_rejected(settings: Any, error: Any, words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        web.Application(**settings)
    assert "12345" not in str(caught.value)


def test_unusual_values_are_accepted(tmp_path: pathlib.Path) -> None:
    class Log:
        def __call__(self, handler: Any) -> None: ...

    module = types.ModuleType("pages")
    module.count = 5  # type: ignore[attr-defined]
    module.Page = type("Page", (web.UIModule,), {})  # type: ignore[attr-defined]
    module.shout = str.upper  # type: ignore[attr-defined]
    application = web.Application(
        static_path=tmp_path,
        log_function=Log(),
        cookie_secret={1: "secret of sixteen characters"},
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


async def test_application_with_its_own_delegates_may_have_any_handler_class() -> None:
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
        ("debgu", "debug"),
        ("cookie_secert", "cookie_secret"),
        ("static_pth", "static_path"),
        ("xsrf_cookie", "xsrf_cookies"),
        ("template_paths", "template_path"),
    ],
)
def test_misspelled_setting_is_reported(slip: str, meant: str, expect_log: ExpectLog) -> None:
    with expect_log("tornado.application", f"unknown setting '{slip}'; did you mean '{meant}'"):
        web.Application(**{slip: True})


def test_settings_of_a_program_are_not_reported() -> None:
    """The names are those of settings in Jupyter Server, Flower, JupyterHub and other programs."""
    names = """
        allow_origin allow_origin_pat allow_credentials allow_remote_access allow_password_change
        allow_unauthenticated_access authenticate_prometheus authorizer base_url config config_dir
        config_manager contents_manager contents_js_source cookie_name cookie_options cookie_secure
        cookie_secret2 cookie_max_age_days csp_report_uri data default_url disable_check_xsrf event_logger
        extra_static_paths get_secure_cookie_kwargs headers hub identity_provider jinja2_env
        jinja_template_vars kernel_manager kernel_spec_manager local_hostnames logger login_handler_class
        logout_url mathjax_config mathjax_url metrics nbextensions_path oauth_redirect_uri password port
        address preferred_dir proxy rev_limit server_root_dir serverapp server_tokens session_manager
        shutdown_on_logout spawner_class static_immutable_cache static_url statsd stats_path plugin_url
        template_name terminal_manager terminals_available token trust_xheaders users version_hash
        websocket_compression_options websocket_url ws_ping_interval zip_path db_url title blog_title
        max_connections protocol
    """
    web.Application(**dict.fromkeys(names.split(), "x"))
    web.Application(static_paths=["a"], template_paths=("b",))  # plurals, for lists
    web.Application(login_url="/in", login_urls="both are meant")


@pytest.mark.parametrize(
    ("secret", "words"),
    [
        ("", "cookie_secret is empty"),
        (b"", "cookie_secret is empty"),
        ("hush-hush", "cookie_secret has a length of only 9"),
        ({1: "x" * 32, 2: b"hush-hush"}, r"cookie_secret\[2\] has a length of only 9"),
    ],
)
def test_weak_cookie_secret_is_reported(secret: Any, words: str, expect_log: ExpectLog) -> None:
    with expect_log("tornado.application", words) as expected:
        web.Application(cookie_secret=secret).server_listens()
    assert "hush" not in expected.records[0].getMessage()


def test_cookie_secret_of_sixteen_bytes_is_not_reported() -> None:
    web.Application(cookie_secret=bytes(16)).server_listens()
    web.Application(cookie_secret=None).server_listens()


@pytest.mark.parametrize("way", ["listen", "bind"])
async def test_short_cookie_secret_is_reported_when_the_server_listens(
    way: str, expect_log: ExpectLog
) -> None:
    application = web.Application(cookie_secret="hush-hush")
    server = HTTPServer(application)
    with expect_log("tornado.application", "cookie_secret has a length of only 9"):
        if way == "listen":
            server.listen(0, "127.0.0.1")
        else:
            server.bind(0, "127.0.0.1")
            server.start()
    server.stop()


async def test_short_cookie_secret_of_a_test_is_not_reported() -> None:
    server = HTTPServer(web.Application(cookie_secret="hush-hush"))
    server.add_sockets(bind_sockets(0, "127.0.0.1"))
    server.stop()


def test_missing_static_directory_is_reported_once(tmp_path: pathlib.Path, expect_log: ExpectLog) -> None:
    missing = str(tmp_path / "none")
    for settings in (
        {"static_path": missing},
        {"handlers": [("/(.*)", web.StaticFileHandler, {"path": missing})]},
    ):
        with expect_log("tornado.application", "none' of static files .* is not a directory") as expected:
            web.Application(**settings)
        assert len(expected.records) == 1


def test_static_path_of_another_handler_class_is_not_checked() -> None:
    handler = type("Finder", (web.StaticFileHandler,), {})
    web.Application(static_path=["several", "directories"], static_handler_class=handler)


def test_invalid_entry_of_ui_modules_is_logged(expect_log: ExpectLog) -> None:
    with expect_log("tornado.application", "ui_modules: 'Entry' is ignored .*: 5"):
        web.Application(ui_modules={"Entry": 5, "_private": 5})


async def test_exception_in_a_matcher_is_logged_with_the_path(expect_log: ExpectLog) -> None:
    class Broken:
        def match(self, request: Any) -> Any:
            raise ZeroDivisionError

    with expect_log("tornado.application", "Uncaught exception while serving .*: GET /some/where"):
        response = await ask([(Broken(), handler_of())], path="/some/where")
    assert response.code == 500


def test_sizes_of_a_server() -> None:
    with pytest.raises(TypeError, match="max_body_size must be a number of bytes, got '5'"):
        web.Application().listen(0, max_body_size="5")
