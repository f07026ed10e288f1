"""docs/guide/templates.md."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.guides import Run
from tests.support.locale import replace_cache
from tornado import locale


def prepare(name: str, monkeypatch: pytest.MonkeyPatch, request: Any) -> None:
    """Restore the loaded translations, which are global, after the test."""
    for attribute in ("_default_locale", "_translations", "_supported_locales", "_use_gettext"):
        monkeypatch.setattr(locale, attribute, getattr(locale, attribute))
    replace_cache(monkeypatch)


async def check_blog(run: Run) -> None:
    home = (await run.server.fetch("/")).body.decode()
    assert '<a href="/articles/1">Tea &amp; coffee</a>' in home
    assert "<title>My blog</title>" in home
    article = (await run.server.fetch("/articles/2")).body.decode()
    assert "<h1>&lt;b&gt;not bold&lt;/b&gt;</h1>" in article
    assert "<title>&lt;b&gt;" in article
    assert (await run.server.fetch("/articles/3")).code == 404


async def check_namespace(run: Run) -> None:
    page = (await run.server.fetch("/")).body.decode()
    assert "<h1>My blog</h1>" in page
    assert "Two cost 25.00 €." in page


async def check_places(run: Run) -> None:
    page = (await run.server.fetch("/?q=%22a%26b%22")).body.decode()
    assert '<input value="&quot;a&amp;b&quot;">' in page
    assert "/search?q=%22a%26b%22" in page
    assert 'const data = {"a": [1, 2], "b": "<\\/script>"};' in page


async def check_modules(run: Run) -> None:
    page = (await run.server.fetch("/")).body.decode()
    assert page.count('<span class="stars">') == 2
    assert page.count(".stars { color: orange }") == 1
    assert page.index(".stars {") < page.index("</head>") < page.index("/js/stars.js") < page.index("</body>")


async def check_mail(run: Run) -> None:
    assert run.program["welcome"]("A & B", paid=True) == "Hello A & B,\nthank you.\n"
    assert run.program["welcome"]("Ada", paid=False) == "Hello Ada,\nplease pay.\n"


async def check_languages(run: Run) -> None:
    german = (await run.server.fetch("/", "Accept-Language: de")).body.decode()
    assert '<html lang="de">' in german
    assert "<p>Guten Morgen</p>" in german
    assert "<p>3 Nachrichten</p>" in german
    english = (await run.server.fetch("/")).body.decode()
    assert "<p>3 messages</p>" in english
    assert "May 1, 2026 at 12:00 am" in english
    chosen = await run.server.fetch("/", "Cookie: language=de")
    assert "Guten Morgen" in chosen.body.decode()
