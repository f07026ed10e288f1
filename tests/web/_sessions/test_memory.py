"""The store in memory."""

from __future__ import annotations

import pytest

from tests.support.threads import in_threads, let_others_run
from tests.web._sessions.conftest import WallClock
from tornado.web import MemorySessionStore, SessionRecord, SessionStore, SessionTooLargeError
from tornado.web._sessions import memory


def record(**values: str) -> SessionRecord:
    return SessionRecord(values, 1.0, 2.0)


def test_record_is_stored_updated_and_deleted() -> None:
    store = MemorySessionStore()
    token = store.create(record(a="1", b="2"), 60)
    assert store.load(token) == record(a="1", b="2")
    assert store.update(token, record(a="3", c="4"), ["a", "c"], ["b"], 60) == token
    assert store.load(token) == record(a="3", c="4")
    store.delete(token)
    store.delete(token)
    assert store.load(token) is None
    assert store.update(token, record(a="3"), ["a"], [], 60) is None
    assert len(store) == 0


def test_changes_are_merged() -> None:
    store = MemorySessionStore()
    token = store.create(record(a="1"), 60)
    store.update(token, record(a="1", b="2"), ["b"], [], 60)
    store.update(token, record(a="1", c="3"), ["c"], [], 60)
    assert store.load(token) == record(a="1", b="2", c="3")


def test_merged_size_is_limited() -> None:
    store = MemorySessionStore(max_size=20)
    token = store.create(record(a="1"), 60)
    store.update(token, record(a="1", b="2" * 9), ["b"], [], 60)
    with pytest.raises(SessionTooLargeError, match="MemorySessionStore accepts at most 20"):
        store.update(token, record(a="1", c="3" * 9), ["c"], [], 60)


def test_session_expires_after_its_lifetime(wall_clock: WallClock) -> None:
    store = MemorySessionStore()
    token = store.create(record(a="1"), 60)
    wall_clock.now += 59
    assert store.load(token) is not None
    wall_clock.now += 1
    assert store.load(token) is None
    assert len(store) == 0


def test_new_session_replaces_least_recently_used_one() -> None:
    store = MemorySessionStore(max_sessions=2)
    first, second = store.create(record(a="1"), 60), store.create(record(a="2"), 60)
    assert store.load(first) is not None
    third = store.create(record(a="3"), 60)
    assert store.load(second) is None
    assert store.load(first) is not None
    assert store.load(third) is not None
    with pytest.raises(ValueError, match="max_sessions must be at least 1, got 0"):
        MemorySessionStore(max_sessions=0)


def test_tokens_are_not_stored() -> None:
    store = MemorySessionStore()
    token = store.create(record(a="1"), 60)
    assert token not in repr(vars(store))


@pytest.mark.parametrize("token", ["", "x", "A" * 42, "A" * 44, "A" * 42 + "=", "A" * 42 + "\n", "\xe4" * 43])
def test_malformed_tokens_are_ignored(token: str) -> None:
    store = MemorySessionStore()
    assert SessionStore.key(token) is None
    assert store.load(token) is None
    assert store.update(token, record(a="1"), ["a"], [], 60) is None
    store.delete(token)


def test_tokens_have_256_bits() -> None:
    tokens = {SessionStore.new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert {len(token) for token in tokens} == {43}
    assert len({SessionStore.key(token) for token in tokens}) == 100


def test_threads_share_a_full_store(monkeypatch: pytest.MonkeyPatch) -> None:
    def now() -> float:
        let_others_run()
        return 0.0

    monkeypatch.setattr(memory, "time", now)
    store = MemorySessionStore(max_sessions=2)

    def use(number: int) -> None:
        for _ in range(500):
            token = store.create(SessionRecord({"a": "1"}, 0, 0), 60)
            store.load(token)
            store.update(token, SessionRecord({"a": "2"}, 0, 0), {"a"}, (), 60)
            store.load(token)
            if number % 2:
                store.delete(token)

    in_threads(use)
    assert len(store) <= 2
