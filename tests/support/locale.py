"""The internals of `tornado.locale` that tests access."""

from __future__ import annotations

import pytest

from tornado.locale import Locale


def clear_cache() -> None:
    """Remove all locales from the cache."""
    Locale._cache.clear()


def replace_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the class an empty cache for the duration of a test."""
    monkeypatch.setattr(Locale, "_cache", {})


def delete_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """Delete the cache, as programs do that load new translations."""
    monkeypatch.delattr(Locale, "_cache")
