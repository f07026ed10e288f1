"""Validation of redirect targets from requests."""

from __future__ import annotations

import pytest

from tornado.auth._redirect_targets import is_local_path


@pytest.mark.parametrize("target", ["/", "/a/b?c=d#e", "/a//b", "/%2f/x", "/ä"])
def test_paths_on_this_site_pass(target: str) -> None:
    assert is_local_path(target)


@pytest.mark.parametrize(
    "target",
    [
        "",
        "a",
        "//example.com",
        "/\\example.com",
        "/a\\b",
        "\\\\example.com",
        "https://example.com",
        "javascript:alert(1)",
        "/\t/example.com",
        "/\n/example.com",
        " /a",
        "/a b",
        "/a\x7f",
    ],
)
def test_targets_on_other_sites_are_rejected(target: str) -> None:
    assert not is_local_path(target)
