"""The session as a mapping, its states, and the saving of changes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.web._sessions.conftest import WallClock
from tornado import web
from tornado.web import MemorySessionStore, Session
from tornado.web._sessions.session import run_synchronously
from tornado.web._sessions.settings import SessionSettings


class Recording(MemorySessionStore):
    """A store that records the names of changed and removed values."""

    def __init__(self) -> None:
        super().__init__()
        self.updates: list[tuple[list[str], list[str]]] = []

    def update(self, token: str, record: Any, changed: Any, removed: Any, seconds: float) -> str | None:
        self.updates.append((list(changed), list(removed)))
        return super().update(token, record, changed, removed, seconds)


@pytest.fixture
def policy() -> SessionSettings:
    return SessionSettings({"session_store": Recording()})


def saved(policy: SessionSettings, **values: Any) -> str:
    """Store a session with these values, and return its token."""
    session = Session(policy, None, None)
    session.update(values)
    run_synchronously(session.save())
    assert session.cookie_change is not None
    assert session.cookie_change.token is not None
    return session.cookie_change.token


def loaded(policy: SessionSettings, token: str) -> Session:
    record: Any = policy.store.load(token)
    return Session(policy, token, record)


def test_session_is_a_mapping(policy: SessionSettings) -> None:
    session = Session(policy, None, None)
    session["a"] = 1
    session.setdefault("b", []).append(2)
    assert dict(session) == {"a": 1, "b": [2]}
    assert (len(session), "a" in session, "c" in session, session.get("c")) == (2, True, False, None)
    assert session.pop("a") == 1
    with pytest.raises(KeyError):
        session["a"]
    with pytest.raises(KeyError):
        del session["a"]
    session.clear()
    assert not session


def test_public_names_have_public_module() -> None:
    for name in (
        "CookieSessionStore",
        "MemorySessionStore",
        "RedisSessionStore",
        "Session",
        "SessionRecord",
        "SessionStore",
        "SessionStoreError",
        "SessionTooLargeError",
    ):
        assert getattr(web, name).__module__ == "tornado.web"
        assert name in web.__all__


@pytest.mark.parametrize(
    "value",
    [object(), b"bytes", {1, 2}, float("nan"), float("inf"), lambda: None, {"a": {"b": 1j}}, {(1, 2): 3}],
)
def test_value_that_is_not_json(policy: SessionSettings, value: Any) -> None:
    session = Session(policy, None, None)
    with pytest.raises(TypeError, match=r"session\['a'\] cannot be stored"):
        session["a"] = value
    assert "a" not in session


def test_value_that_contains_itself(policy: SessionSettings) -> None:
    session = Session(policy, None, None)
    value: list[Any] = []
    session["a"] = value
    value.append(value)
    with pytest.raises(TypeError, match=r"session\['a'\] cannot be stored"):
        run_synchronously(session.save())
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(TypeError, match="cannot be stored"):
        session["b"] = deep
    while isinstance(deep, list):
        deep = deep.pop()  # free the values level by level


@pytest.mark.parametrize("name", [1, None, b"a", ("a",)])
def test_name_that_is_not_text(policy: SessionSettings, name: Any) -> None:
    with pytest.raises(TypeError, match="names in a session must be str"):
        Session(policy, None, None)[name] = 1


def test_name_that_is_not_unicode(policy: SessionSettings) -> None:
    with pytest.raises(UnicodeEncodeError):
        Session(policy, None, None)["\ud800"] = 1


def test_only_changed_values_are_saved(policy: SessionSettings) -> None:
    token = saved(policy, a=1, b=[1], c=3, d=4)
    session = loaded(policy, token)
    session["a"] = 1
    session["b"].append(2)
    del session["c"]
    session["e"] = 5
    run_synchronously(session.save())
    store: Any = policy.store
    assert store.updates == [(["b", "e"], ["c"])]
    run_synchronously(session.save())
    assert len(store.updates) == 1
    assert dict(loaded(policy, token)) == {"a": 1, "b": [1, 2], "d": 4, "e": 5}


def test_repr_shows_no_values(policy: SessionSettings) -> None:
    session = Session(policy, None, None)
    session["password"] = "secret"
    assert repr(session) == "<Session new open 1 values>"
    token = saved(policy, a=1)
    session = loaded(policy, token)
    session.seal()
    assert repr(session) == "<Session stored sent 1 values>"
    assert token not in repr(session)


def test_sealed_session_cannot_be_changed(policy: SessionSettings) -> None:
    session = loaded(policy, saved(policy, a=1))
    session.seal()
    for change in (
        lambda: session.__setitem__("a", 2),
        lambda: session.__delitem__("a"),
        session.clear,
        session.regenerate,
        session.invalidate,
    ):
        with pytest.raises(RuntimeError, match="after the head of the response was sent"):
            change()
    assert dict(session) == {"a": 1}


def test_regenerated_session_keeps_values_and_is_new(policy: SessionSettings, wall_clock: WallClock) -> None:
    token = saved(policy, a=1)
    begun = wall_clock.now
    wall_clock.now += 5
    session = loaded(policy, token)
    assert (session.new, session.created) == (False, begun)
    session.regenerate()
    assert (session.new, session.created, dict(session)) == (True, begun + 5, {"a": 1})
    run_synchronously(session.save())
    assert session.cookie_change is not None
    assert session.cookie_change.token != token
    assert policy.store.load(token) is None
    assert len(policy.store) == 1  # type: ignore[arg-type]


def test_values_set_after_invalidate_belong_to_a_new_session(policy: SessionSettings) -> None:
    token = saved(policy, a=1)
    session = loaded(policy, token)
    session.invalidate()
    session["b"] = 2
    run_synchronously(session.save())
    assert session.cookie_change is not None
    assert session.cookie_change.token not in (None, token)
    assert policy.store.load(token) is None
    assert dict(session) == {"b": 2}


def test_session_that_ended_elsewhere_is_not_saved(policy: SessionSettings) -> None:
    token = saved(policy, a=1)
    session = loaded(policy, token)
    policy.store.delete(token)
    session["b"] = 2
    run_synchronously(session.save())
    assert session.cookie_change is None
    run_synchronously(session.save())
    assert len(policy.store) == 0  # type: ignore[arg-type]
    # A login in the same request begins a new session.
    session.regenerate()
    run_synchronously(session.save())
    assert session.cookie_change is not None
    assert len(policy.store) == 1  # type: ignore[arg-type]


def test_plain_store_method_that_returns_awaitable() -> None:
    class Wrong(MemorySessionStore):
        def create(self, record: Any, seconds: float) -> Any:
            import asyncio

            return asyncio.sleep(0)

    session = Session(SessionSettings({"session_store": Wrong()}), None, None)
    session["a"] = 1
    with pytest.raises(TypeError, match="define it with `async def`"):
        run_synchronously(session.save())
