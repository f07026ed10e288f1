"""What a debug page may not show."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.support.server import ask, handler_of
from tornado.web._debug_secrets import MASK, Secrets, is_secret_name


@pytest.mark.parametrize(
    "name",
    """password PASSWORD old_passwd passphrase client_secret cookie_secret access_token Cookie Set-Cookie
    Authorization Proxy-Authorization X-Xsrftoken _xsrf csrf session_id credentials api_key apiKey API_KEY
    aws-secret-key pwd jwt private_key signature key""".split(),
)
def test_secret_names(name: str) -> None:
    assert is_secret_name(name)
    assert is_secret_name(name.encode())


@pytest.mark.parametrize(
    "name", ["monkey", "author", "authors", "keyboard", "passenger", "pinned", "title", "", None, 3]
)
def test_innocent_names(name: Any) -> None:
    assert not is_secret_name(name)


def test_the_loop_variable_of_everyday() -> None:
    assert is_secret_name("key")
    assert not is_secret_name("key", variable=True)
    assert is_secret_name("api_key", variable=True)


@pytest.mark.parametrize("value", [None, True, False, "", b"", len, str])
def test_what_can_be_no_secret_is_shown(value: Any) -> None:
    assert not Secrets().hide("token", value)
    assert Secrets().hide("token", "x")


@pytest.mark.parametrize(
    "text",
    [
        "it is %s.",
        "%s",
        "%s%s",
    ],
)
def test_values_are_masked_wherever_they_stand(text: str) -> None:
    secret = "pa'ss wörd\\1/2"
    forms = [
        secret,
        repr(secret)[1:-1],
        repr(secret.encode())[2:-1],
        "pa%27ss%20w%C3%B6rd%5C1%2F2",
        "pa%27ss+w%C3%B6rd%5C1%2F2",
    ]
    for form in forms:
        shown = text.replace("%s", form)
        assert Secrets([secret]).mask(shown) == text.replace("%s", MASK)


def test_of_two_the_longer_one_is_masked_first() -> None:
    assert Secrets(["secret", "secret-longer"]).mask("secret-longer") == MASK


def test_passwords_in_addresses() -> None:
    mask = Secrets().mask
    assert mask("postgres://ann:hunter2@db/x") == f"postgres://ann:{MASK}@db/x"
    assert mask("http://example.com/a:b@c") == "http://example.com/a:b@c"
    assert mask("redis://:hunter2@db") == f"redis://:{MASK}@db"


def test_literals_in_a_source() -> None:
    mask = Secrets().mask_source
    assert mask("password = 'correct horse'") == f"password = '{MASK}'"
    assert mask('{"api_key": b"it\'s \\" me", "n": "x"}') == f'{{"api_key": b"{MASK}", "n": "x"}}'
    assert mask("title = 'correct horse'") == "title = 'correct horse'"


def test_a_long_text_is_masked_before_it_is_cut() -> None:
    text = Secrets(["secret"]).mask("x" * (2**20 - 3) + "secret")
    assert len(text) == 2**20


async def test_where_secrets_are_found() -> None:
    found: list[Secrets] = []

    def post(self: Any) -> None:
        found.append(Secrets.of(self))

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
        cookie_secret={1: "first-key", 2: "second-key"},
        google_oauth={"key": "an-id-of-us", "secret": "from-a-setting"},
        servers=[{"name": "not-a-secret", "password": "in-a-list"}],
    )
    (secrets,) = found
    shown = (
        f"from-the-cookie short {basic} opensesame from-the-header from-the-form first-key second-key "
        "from-a-setting in-a-list innocent-text also-innocent not-a-secret ?pin=1234&q"
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


async def test_a_request_that_cannot_be_read_hides_what_can() -> None:
    found: list[str] = []

    def get(self: Any) -> None:
        self.request.headers["Authorization"] = "Basic not base64"
        found.append(Secrets.of(self).mask("a-long-secret, not base64"))

    await ask(handler_of(get=get), cookie_secret="a-long-secret")
    assert found == [f"{MASK}, {MASK}"]
