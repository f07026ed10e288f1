"""Arguments of a request, and the browser's languages."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.locale import clear_cache
from tests.support.server import ExpectLog, ask, handler_of, raised
from tests.support.work import seconds
from tornado import locale, web
from tornado.web._input import _arguments


async def read(function: Any, path: Any, *fields: Any, **members: Any) -> Any:
    """Return the result of `function`, called in a handler."""
    seen: list[Any] = []
    await ask(handler_of(get=lambda self: seen.append(function(self)), **members), *fields, path=path)
    return seen[0]


@pytest.mark.parametrize(
    ("query", "strip", "expected"),
    [
        ("a=1&a=2", True, ["1", "2"]),
        ("a=%20x%20", True, ["x"]),
        ("a=%20x%20", False, [" x "]),
        ("a=x%00y%07%1f", True, ["x y"]),
        ("a=x%09%0A%0Dy", True, ["x\t\n\ry"]),
        ("a=%E4%B8%96", True, ["世"]),
        ("a=", True, [""]),
        ("b=1", True, []),
    ],
)
async def test_arguments_are_decoded_and_stripped(query: Any, strip: Any, expected: Any) -> None:
    assert await read(lambda handler: handler.get_arguments("a", strip), f"/?{query}") == expected
    assert await read(lambda handler: handler.get_query_arguments("a", strip), f"/?{query}") == expected
    assert await read(lambda handler: handler.get_body_arguments("a", strip), f"/?{query}") == []


def test_control_characters_take_no_longer_than_others() -> None:
    handler: Any = SimpleNamespace(decode_argument=lambda value, name: value.decode())

    def read(value: bytes) -> None:
        _arguments.last(handler, "a", None, {"a": [value]}, True)

    assert min(seconds(read, b"\x01" * 100_000) / seconds(read, b"\nx" * 50_000) for _ in range(6)) < 3


def test_surrogates_are_kept_when_control_characters_are_replaced() -> None:
    assert _arguments._without_controls("\ud800\x01é\t") == "\ud800 é\t"


async def test_decode_argument_may_be_overridden() -> None:
    def latin(self: Any, value: Any, name: Any = None) -> Any:
        return value.decode("latin-1")

    def raw(self: Any, value: Any, name: Any = None) -> Any:
        return value

    assert await read(lambda handler: handler.get_argument("a"), "/?a=%FC", decode_argument=latin) == "ü"
    assert await read(lambda handler: handler.get_argument("a"), "/?a=%20%FC", decode_argument=raw) == b"\xfc"


async def test_strip_that_is_not_a_bool_is_rejected(expect_log: ExpectLog) -> None:
    with expect_log("tornado.application", "Uncaught exception") as expected:
        await ask(handler_of(get=lambda self: self.get_arguments("a", "default")))
    assert "strip must be a bool, got 'default'" in str(raised(expected))


async def test_missing_argument_returns_the_default() -> None:
    assert await read(lambda handler: handler.get_argument("a", None), "/") is None
    assert await read(lambda handler: handler.get_query_argument("a", 7), "/") == 7
    assert await read(lambda handler: handler.get_body_argument("a", ""), "/") == ""
    assert repr(web._ARG_DEFAULT) == "required"  # type: ignore[attr-defined]


# -- languages --


@pytest.fixture
def supported(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(locale, "_supported_locales", frozenset({"en_US", "de", "fr_FR", "pt_BR"}))
    yield
    clear_cache()


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("", "en_US"),
        ("de", "de"),
        ("de-DE", "de"),
        ("fr-FR", "fr_FR"),
        ("fr-fr", "fr_FR"),
        ("fr", "fr_FR"),
        ("xx, de;q=0.5", "de"),
        ("de;q=0.3, pt-BR;q=0.8", "pt_BR"),
        ("de;q=0.5, pt-BR;q=0.5", "de"),
        ("de;q=0, pt-BR;q=0.1", "pt_BR"),
        ("de ; q = 0.9", "de"),
        ("de;q=2, pt-BR;q=0.1", "pt_BR"),
        ("de;q=-1, pt-BR", "pt_BR"),
        ("de;q=nan, pt-BR", "pt_BR"),
        ("de;q=0.1234, pt-BR", "pt_BR"),
        (";q=1, , de", "de"),
        ("*", "en_US"),
        ("zh-Hant-TW, de;q=0.1", "de"),
        ("\xff, de", "de"),
    ],
)
async def test_language_from_accept_language(header: Any, code: Any, supported: Any) -> None:
    found = await read(lambda handler: handler.locale.code, "/", f"Accept-Language: {header}")
    assert found == code


async def test_user_locale_overrides_accept_language(supported: Any) -> None:
    members: dict[str, Any] = {"get_user_locale": lambda self: locale.get("pt_BR")}
    assert await read(lambda handler: handler.locale.code, "/", "Accept-Language: de", **members) == "pt_BR"


async def test_locale_is_determined_once_or_assigned(supported: Any) -> None:
    asked = []

    def get_user_locale(self: Any) -> None:
        asked.append(self)

    def languages(handler: Any) -> Any:
        first = handler.locale.code + handler.locale.code
        handler.locale = locale.get("de")
        return first + handler.locale.code

    assert await read(languages, "/", get_user_locale=get_user_locale) == "en_USen_USde"
    assert len(asked) == 1
    assert await read(lambda handler: handler.get_browser_locale("pt_BR").code, "/") == "pt_BR"


async def test_number_of_parsed_languages_is_limited(supported: Any) -> None:
    header = "Accept-Language: " + ",".join(["xx"] * _arguments._MAX_LANGUAGES) + ",de"
    assert await read(lambda handler: handler.locale.code, "/", header) == "en_US"
