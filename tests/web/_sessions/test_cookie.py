"""The store in signed cookies."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tornado.web import CookieSessionStore, SessionRecord, SessionTooLargeError, create_signed_value

SETTINGS: dict[str, Any] = {"cookie_secret": {1: "one" * 11, 2: "two" * 11}, "key_version": 2}
RECORD = SessionRecord({"a": "1", "Zo\xeb": '{"b":[null,2.5]}'}, 1000.0, 2000.0)


def store(**settings: Any) -> CookieSessionStore:
    return CookieSessionStore().bind({**SETTINGS, **settings})


def test_stored_record_is_loaded() -> None:
    token = store().create(RECORD, 60)
    assert store().load(token) == RECORD
    assert store().update(token, RECORD, [], [], 60) == token
    store().delete(token)
    assert store().load(token) == RECORD, "signed cookies cannot be revoked"


def test_value_is_invalid_after_removal_of_its_key() -> None:
    token = store(key_version=1).create(RECORD, 60)
    assert store().load(token) == RECORD
    assert store(cookie_secret={2: "two" * 11}).load(token) is None


def test_applications_with_one_secret_do_not_share_sessions() -> None:
    token = store(session_cookie_name="admin").create(RECORD, 60)
    assert store().load(token) is None


def test_one_store_may_serve_several_applications() -> None:
    unbound = CookieSessionStore()
    first = unbound.bind({"cookie_secret": "first" * 8})
    second = unbound.bind({"cookie_secret": "second" * 8})
    token = first.create(RECORD, 60)
    assert (first.load(token), second.load(token)) == (RECORD, None)


def test_value_signed_under_another_name() -> None:
    text = json.dumps([1000, 2000, {"a": 1}])
    for name in ("session", "tornado", "tornado.session2"):
        token = create_signed_value(SETTINGS["cookie_secret"], name, text, key_version=2).decode()
        assert store().load(token) is None


def test_old_format_of_signatures_is_not_accepted() -> None:
    secret = "one" * 11
    text = json.dumps([1000, 2000, {"a": 1}])
    token = create_signed_value(secret, "tornado.session", text, version=1).decode()
    assert store(cookie_secret=secret).load(token) is None


@pytest.mark.parametrize("length", [2600, 2700, 2800, 4000])
def test_size_is_limited(length: int) -> None:
    record = SessionRecord({"a": json.dumps("x" * length)}, 1000.0, 2000.0)
    if length <= 2700:
        assert store().load(store().create(record, 60)) == record
    else:
        with pytest.raises(SessionTooLargeError, match="store sessions on the server with the setting"):
            store().create(record, 60)


def test_missing_secret_is_explained() -> None:
    for settings in ({}, {"cookie_secret": ""}):
        with pytest.raises(Exception, match="You must define the 'cookie_secret' setting"):
            CookieSessionStore().bind(settings).create(RECORD, 60)
