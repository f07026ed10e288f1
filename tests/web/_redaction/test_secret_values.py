"""Collection of secrets from settings and requests, and masking of their encodings."""

from __future__ import annotations

import base64
import json
from typing import Any

from tests.support.server import ask, handler_of
from tornado.escape import xhtml_escape
from tornado.web._redaction._literal_masking import MASK
from tornado.web._redaction._redactor import Redactor


async def test_secrets_are_collected_from_request_and_settings() -> None:
    found: list[Redactor] = []

    def post(self: Any) -> None:
        found.append(Redactor.of(self))

    basic = base64.b64encode(b"ann:opensesame").decode()
    await ask(
        handler_of(post=post),
        "Cookie: sid=from-the-cookie; b=short",
        f"Authorization: Basic {basic}",
        "X-Api-Key: from-the-header",
        "Content-Type: application/x-www-form-urlencoded",
        path="/?pin=1234&q=innocent-text",
        method="POST",
        body=b"password=from-the-form&name=also-innocent",
        cookie_secret={1: "first-key-of-the-two", 2: "second-key-of-the-two"},
        google_oauth={"key": "an-id-of-us", "secret": "from-a-setting"},
        servers=[{"name": "not-a-secret", "password": "in-a-list"}],
    )
    (secrets,) = found
    shown = (
        f"from-the-cookie short {basic} opensesame from-the-header from-the-form "
        "first-key-of-the-two second-key-of-the-two from-a-setting in-a-list "
        "innocent-text also-innocent not-a-secret ?pin=1234&q"
    )
    masked = secrets.mask(shown)
    assert masked.split() == [
        MASK,
        "short",
        *[MASK] * 8,
        "innocent-text",
        "also-innocent",
        "not-a-secret",
        f"?pin={MASK}&q",
    ]


async def test_malformed_field_does_not_prevent_other_masking() -> None:
    found: list[str] = []

    def get(self: Any) -> None:
        self.request.headers["Authorization"] = "Basic not base64"
        found.append(Redactor.of(self).mask("a-secret-that-is-long, not base64"))

    await ask(handler_of(get=get), cookie_secret="a-secret-that-is-long")
    assert found == [f"{MASK}, {MASK}"]


def test_encodings_of_binary_secrets() -> None:
    secret = bytes(range(128, 160))
    for form in (
        repr(secret)[2:-1],
        secret.hex(),
        base64.b64encode(secret).decode(),
        base64.urlsafe_b64encode(secret).decode().rstrip("="),
    ):
        assert Redactor([secret]).mask(f"<{form}>").startswith(f"<{MASK}")
    assert Redactor(["a secret text"]).mask(b"a secret text".hex()) == MASK


def test_encodings_in_json_and_html() -> None:
    secret = 'it\'s "kéy"'
    for shown in (json.dumps(secret), json.dumps(secret, ensure_ascii=False), repr(json.dumps(secret))):
        masked = Redactor([secret]).mask(shown)
        assert MASK in masked
        assert "y" not in masked
    assert Redactor([secret]).mask(xhtml_escape(secret)) == MASK
    assert Redactor([secret]).mask(repr(f"say {secret}")) == f"'say {MASK}'"


async def test_secrets_in_path_query_body_and_referer() -> None:
    found: list[Redactor] = []

    def post(self: Any, token: str = "") -> None:
        found.append(Redactor.of(self))

    routes = [("/reset/(?P<token>[^/]+)", handler_of(post=post))]
    await ask(
        routes,
        "Referer: http://h/reset?token=referred&page=shown",
        "Content-Type: application/json",
        path="/reset/in-path%2F1",
        method="POST",
        body=b'{"user": {"password": "hunt", "name": "Ann"}, "tokens": ["a1b2", true]}',
    )
    await ask(
        routes,
        "Content-Type: application/x-www-form-urlencoded",
        path="/reset/x?pin=9876&page=2",
        method="POST",
        body=b"password=hu%6eter&a=shown",
    )
    first, second = found
    assert first.mask("referred hunt Ann a1b2 in-path/1 in-path%2F1 shown") == (
        f"{MASK} {MASK} Ann {MASK} {MASK} {MASK} shown"
    )
    assert second.mask("9876 hunter password=hu%6eter& page=2 shown") == (
        f"{MASK} {MASK} password={MASK}& page=2 shown"
    )


async def test_common_words_are_not_masked() -> None:
    found: list[Redactor] = []
    await ask(
        handler_of(get=lambda self: found.append(Redactor.of(self))),
        "Cookie: theme=dark; sid=abcd",
        path="/?token=true&secret=null",
    )
    assert found[0].mask("true null dark abcd theme=dark") == f"true null dark {MASK} theme={MASK}"
