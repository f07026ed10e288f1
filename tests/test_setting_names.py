"""Misspelt names of settings."""

from __future__ import annotations

import pytest

from tornado._setting_names import APPLICATION, SERVER, SERVER_ONLY, closest


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("debgu", "debug"),
        ("debu", None),  # too short to be recognised
        ("debut", "debug"),
        ("edbgu", None),
        ("dabag", None),
        ("cokie_secrt", "cookie_secret"),
        ("cookie_ssecrett", "cookie_secret"),
        ("cookie_sec", None),
        ("cookie_secure", None),
        ("cookie_secret2", None),
        ("cookie_secret_2", None),
        ("plugin_url", None),
        ("logout_url", None),
        ("zip", None),
        ("gzipp", None),
    ],
)
def test_closest_name_is_suggested(name: str, known: str | None) -> None:
    assert closest(name, APPLICATION) == known


def test_no_known_name_is_a_misspelling_of_another() -> None:
    for names in (APPLICATION, SERVER):
        for name in names:
            assert closest(name, names - {name}) is None


def test_server_only_settings_are_not_application_settings() -> None:
    assert SERVER_ONLY < SERVER
    assert not SERVER & APPLICATION


def test_closest_ignores_names_that_are_not_text() -> None:
    assert closest(5, APPLICATION) is None  # type: ignore[arg-type]
