"""The session settings of an application."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.server import ExpectLog, ask, raised
from tornado import web
from tornado.web._sessions.settings import SessionSettings, policy_of


@pytest.mark.parametrize(
    ("settings", "protocol", "name", "secure"),
    [
        ({}, "http", "session", False),
        ({}, "https", "__Host-session", True),
        ({"session_cookie_name": "id"}, "https", "id", True),
        ({"session_cookie_kwargs": {"secure": True}}, "http", "__Host-session", True),
        ({"session_cookie_kwargs": {"secure": False}}, "https", "session", False),
        ({"session_cookie_kwargs": {"domain": "example.com"}}, "https", "session", True),
        ({"session_cookie_kwargs": {"path": "/app"}}, "https", "session", True),
    ],
)
def test_cookie_name_depends_on_protocol_and_attributes(
    settings: Any, protocol: str, name: str, secure: bool
) -> None:
    found, attributes = SessionSettings(settings).cookie(protocol)
    assert (found, attributes["secure"], attributes["httponly"]) == (name, secure, True)


async def test_cookie_attributes_from_the_setting() -> None:
    class Handler(web.RequestHandler):
        def get(self) -> None:
            self.session["a"] = 1

        def delete(self) -> None:
            self.session.invalidate()

    settings: Any = {
        "cookie_secret": "x" * 32,
        "session_cookie_kwargs": {"samesite": "Strict", "max_age": None, "domain": "example.com"},
    }
    response = await ask(Handler, **settings)
    line = response.get("set-cookie")
    assert line.endswith("; Domain=example.com; HttpOnly; Path=/; SameSite=Strict")
    sent = line.partition(";")[0]
    cleared = await ask(Handler, f"Cookie: {sent}", method="DELETE", **settings)
    assert "; Domain=example.com; expires=" in cleared.get("set-cookie")


WRONG = [
    ({"session_idle_timeout": 0}, "session_idle_timeout must be a positive number of seconds"),
    ({"session_idle_timeout": "600"}, "session_idle_timeout must be a positive number of seconds"),
    ({"session_lifetime": float("inf")}, "session_lifetime must be a positive number of seconds"),
    ({"session_lifetime": True}, "session_lifetime must be a positive number of seconds"),
    ({"session_cookie_name": "a b"}, "session_cookie_name must be a valid cookie name"),
    ({"session_cookie_name": 1}, "session_cookie_name must be a valid cookie name"),
    ({"session_cookie_kwargs": "Secure"}, "session_cookie_kwargs must be a dict"),
]


@pytest.mark.parametrize(("settings", "message"), WRONG)
def test_invalid_settings_with_a_store_are_reported_at_start(settings: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        web.Application(session_store=web.MemorySessionStore(), **settings)


@pytest.mark.parametrize(("settings", "message"), WRONG)
async def test_invalid_settings_are_reported_when_a_session_is_used(
    settings: Any, message: str, expect_log: ExpectLog
) -> None:
    """Without ``session_store``, a program may use these setting names for its own purposes, so an error is
    raised only when it uses a session.
    """

    class Handler(web.RequestHandler):
        def get(self) -> None:
            self.write("none")

        def post(self) -> None:
            self.session["a"] = 1

    assert (await ask(Handler, **settings)).body == b"none"
    with expect_log("tornado.application", "Uncaught exception") as expected:
        assert (await ask(Handler, method="POST", body=b"", **settings)).code == 500
    assert message in str(raised(expected))


async def test_store_of_wrong_type(expect_log: ExpectLog) -> None:
    class Handler(web.RequestHandler):
        def get(self) -> None:
            self.session["a"] = 1

    with expect_log("tornado.application", "Uncaught exception") as expected:
        assert (await ask(Handler, session_store="redis://localhost")).code == 500
    assert "session_store must be a SessionStore, such as RedisSessionStore(url)" in str(raised(expected))


def test_each_application_has_its_own_settings() -> None:
    one, other = web.Application(session_lifetime=1), web.Application(session_lifetime=2)
    assert (policy_of(one).lifetime, policy_of(other).lifetime) == (1, 2)
    assert policy_of(one) is policy_of(one)


def test_misspelled_setting_is_reported(expect_log: ExpectLog) -> None:
    with expect_log("tornado.application", "did you mean 'session_store'"):
        web.Application(sesion_store=None)
