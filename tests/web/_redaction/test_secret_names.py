"""Recognition of names that suggest a secret."""

from __future__ import annotations

from typing import Any

import pytest

from tornado.web._redaction._secret_names import is_secret_name


@pytest.mark.parametrize(
    "name",
    """password PASSWORD old_passwd passphrase client_secret cookie_secret access_token Cookie Set-Cookie
    Authorization Proxy-Authorization X-Xsrftoken _xsrf csrf session_id credentials api_key apiKey API_KEY
    aws-secret-key pwd jwt private_key signature key""".split(),
)
def test_names_that_suggest_a_secret_are_recognised(name: str) -> None:
    assert is_secret_name(name)
    assert is_secret_name(name.encode())


@pytest.mark.parametrize(
    "name", ["monkey", "author", "authors", "keyboard", "passenger", "pinned", "title", "", None, 3]
)
def test_other_names_are_not_secret(name: Any) -> None:
    assert not is_secret_name(name)


def test_key_is_secret_except_as_variable() -> None:
    assert is_secret_name("key")
    assert not is_secret_name("key", variable=True)
    assert is_secret_name("api_key", variable=True)


@pytest.mark.parametrize(
    "name",
    """xsrf_cookie_name xsrf_cookie_kwargs XSRF_COOKIE_VERSION auth_backend token_url token_algorithm
    private_path secret_name token-url""".split(),
)
def test_names_of_information_about_secrets_are_not_secret(name: str) -> None:
    assert not is_secret_name(name)


def test_names_of_exceptions_are_not_secret() -> None:
    for name in ("KeyError", "InvalidTokenError", "SessionException", "TokenWarning"):
        assert not is_secret_name(name, variable=True)
    assert is_secret_name("token_on_error")
