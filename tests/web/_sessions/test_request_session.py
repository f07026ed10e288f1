"""Sessions in complete requests, with each kind of store."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest

from tests.support.server import ExpectLog, ask, raised, serving
from tests.support.visitor import Visitor
from tests.web._sessions.conftest import SECRET, AwaitedStore, MakeStore, WallClock
from tornado import web
from tornado.http1connection import HTTP1Connection


class Values(web.RequestHandler):
    """A handler that shows, changes and removes values as specified by the query."""

    def get(self) -> None:
        for name, texts in self.request.query_arguments.items():
            self.session[name] = json.loads(texts[0])
        self.write({"values": dict(self.session), "new": self.session.new})

    def delete(self) -> None:
        for name in self.request.query_arguments:
            del self.session[name]
        self.write({"values": dict(self.session)})


class Login(web.RequestHandler):
    """A handler that redirects, so the response is finished within the method."""

    def post(self) -> None:
        self.session.regenerate()
        self.session["user"] = "me"
        self.redirect("/")


class Logout(web.RequestHandler):
    async def post(self) -> None:
        self.session.invalidate()
        await self.finish("bye")


class Untouched(web.RequestHandler):
    def get(self) -> None:
        self.write("untouched")


class Nested(web.RequestHandler):
    def get(self) -> None:
        self.session.setdefault("cart", {"items": []})["items"].append(len(self.session["cart"]["items"]))
        self.write(json.dumps(self.session["cart"]))


ROUTES: Any = [
    ("/", Values),
    ("/login", Login),
    ("/logout", Logout),
    ("/untouched", Untouched),
    ("/nested", Nested),
]


def application(store: Any, *routes: Any, **settings: Any) -> web.Application:
    return web.Application([*routes, *ROUTES], cookie_secret=SECRET, session_store=store, **settings)


def values(response: Any) -> Any:
    assert response.code == 200
    return json.loads(response.body)["values"]


async def test_values_are_kept_per_visitor(make_store: MakeStore) -> None:
    async with make_store() as store, serving(application(store)) as server:
        one, other = Visitor(server), Visitor(server)
        first = await one.fetch('/?name="Zo%C3%AB"&list=[1,null,{"a":2.5}]')
        assert json.loads(first.body)["new"] is True
        await other.fetch("/?name=2")
        again = json.loads((await one.fetch("/")).body)
        assert again == {"values": {"name": "Zo\xeb", "list": [1, None, {"a": 2.5}]}, "new": False}
        assert values(await one.fetch("/?name", method="DELETE")) == {"list": [1, None, {"a": 2.5}]}
        assert values(await one.fetch("/")) == {"list": [1, None, {"a": 2.5}]}
        assert values(await other.fetch("/")) == {"name": 2}


async def test_cookie_is_secure_by_default(make_store: MakeStore, certificates: Any) -> None:
    async with make_store() as store:
        async with serving(application(store)) as server:
            line = (await server.fetch("/?a=1")).get("set-cookie")
            assert re.fullmatch(r"session=[^;]+; HttpOnly; Max-Age=1209600; Path=/; SameSite=Lax", line)
        async with serving(application(store), tls=certificates) as server:
            line = (await server.fetch("/?a=1")).get("set-cookie")
            assert re.fullmatch(
                r"__Host-session=[^;]+; HttpOnly; Max-Age=1209600; Path=/; SameSite=Lax; Secure", line
            )
            visitor = Visitor(server)
            await visitor.fetch("/?a=1")
            assert values(await visitor.fetch("/")) == {"a": 1}


async def test_responses_that_use_the_session_vary_by_cookie(make_store: MakeStore) -> None:
    async with make_store() as store, serving(application(store)) as server:
        visitor = Visitor(server)
        changed = await visitor.fetch("/?a=1")
        assert (changed.get("vary"), changed.get("cache-control")) == ("Cookie", "private")
        read = await visitor.fetch("/")
        assert (read.get("vary"), read.get("cache-control"), read.get("set-cookie")) == ("Cookie", None, None)
        untouched = await visitor.fetch("/untouched")
        assert (untouched.get("vary"), untouched.get("set-cookie")) == (None, None)


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("max-age=60", "max-age=60, private"),
        ("Public, max-age=60", "max-age=60, private"),
        ('no-cache="X-A, X-B"', 'no-cache="X-A, X-B", private'),
        ("max-age=60, Private", "max-age=60, Private"),
        ("no-store", "no-store"),
        ("", "private"),
    ],
)
async def test_response_with_session_cookie_is_private(given: str, sent: str) -> None:
    class Cached(web.RequestHandler):
        def get(self) -> None:
            self.set_header("Cache-Control", given)
            if self.get_argument("a", None):
                self.session["a"] = 1

    async with serving(application(None, ("/cached", Cached))) as server:
        assert (await server.fetch("/cached?a=1")).get("cache-control") == sent
        assert (await server.fetch("/cached")).get("cache-control") == given


async def test_session_without_values_is_not_stored(make_store: MakeStore) -> None:
    async with make_store() as store, serving(application(store)) as server:
        visitor = Visitor(server)
        assert (await visitor.fetch("/")).get("set-cookie") is None
        await visitor.fetch("/?a=1")
        cleared = await visitor.fetch("/?a", method="DELETE")
        assert 'session=""; expires=' in cleared.get("set-cookie")
        assert visitor.cookies == {}


async def test_change_inside_a_value_is_saved(make_store: MakeStore) -> None:
    async with make_store() as store, serving(application(store)) as server:
        visitor = Visitor(server)
        for expected in ({"items": [0]}, {"items": [0, 1]}, {"items": [0, 1, 2]}):
            assert json.loads((await visitor.fetch("/nested")).body) == expected


async def test_login_changes_the_token(make_store: MakeStore) -> None:
    async with make_store() as store, serving(application(store)) as server:
        visitor = Visitor(server)
        await visitor.fetch("/?cart=1")
        attacker = visitor.copy()
        response = await visitor.fetch("/login", method="POST", body=b"")
        assert (response.code, response.get("location")) == (302, "/")
        assert visitor.cookies != attacker.cookies
        assert values(await visitor.fetch("/")) == {"cart": 1, "user": "me"}
        assert "user" not in values(await attacker.fetch("/"))


async def test_planted_token_is_not_reused(make_store: MakeStore) -> None:
    async with make_store() as store, serving(application(store)) as server:
        visitor = Visitor(server)
        planted = visitor.cookies["session"] = web.SessionStore.new_token()
        assert json.loads((await visitor.fetch("/?a=1")).body)["new"] is True
        assert visitor.cookies["session"] != planted


async def test_logout_ends_the_session(make_store: MakeStore) -> None:
    async with make_store() as store, serving(application(store)) as server:
        visitor = Visitor(server)
        await visitor.fetch("/login", method="POST", body=b"")
        replayed = visitor.copy()
        response = await visitor.fetch("/logout", method="POST", body=b"")
        assert (response.body, visitor.cookies) == (b"bye", {})
        # A signed cookie cannot be revoked; see CookieSessionStore.
        kept = {"user": "me"} if isinstance(store, web.CookieSessionStore) else {}
        assert values(await replayed.fetch("/")) == kept


HOSTILE = [
    "x",
    "A" * 43,
    "A" * 42 + "\xff",
    "../../etc/passwd",
    "*",
    '"' + "\\073" * 20 + '"',
    "2|1:0|10:1800000000|15:tornado.session|8:e30=|" + "0" * 64,
    "2|99:0",
    "1|2|3",
    "9" * 60_000,
    "A" * 4097,
    "2|" * 2000,
]


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
async def test_malformed_cookie_is_ignored(value: str, make_store: MakeStore) -> None:
    async with make_store() as store, serving(application(store)) as server:
        response = await server.fetch("/?a=1", f"Cookie: session={value}")
        assert json.loads(response.body) == {"values": {"a": 1}, "new": True}


async def test_modified_cookie_is_ignored(make_store: MakeStore) -> None:
    async with make_store() as store, serving(application(store)) as server:
        visitor = Visitor(server)
        await visitor.fetch("/?a=1")
        value = visitor.cookies["session"].strip('"')
        peer = await server.connect()
        for position in range(0, len(value), 7):
            other = "A" if value[position] != "A" else "B"
            wrong = value[:position] + other + value[position + 1 :]
            response = await peer.fetch("/", f"Cookie: session={wrong}")
            assert values(response) == {}, position


async def test_cookie_signed_for_another_purpose_is_ignored() -> None:
    class Signing(web.RequestHandler):
        def get(self) -> None:
            self.set_signed_cookie("session", '[1,99999999999,{"user":"me"}]')

    async with serving(application(None, ("/sign", Signing))) as server:
        visitor = Visitor(server)
        await visitor.fetch("/sign")
        assert values(await visitor.fetch("/")) == {}


# -- time limits --


@pytest.mark.parametrize("used_after", [[], [50], [50, 100, 150]])
async def test_use_extends_the_idle_timeout(
    used_after: list[int], make_store: MakeStore, wall_clock: WallClock
) -> None:
    async with make_store() as store:
        begun = wall_clock.now
        async with serving(application(store, session_idle_timeout=100)) as server:
            visitor = Visitor(server)
            await visitor.fetch("/?a=1")
            for seconds in used_after:
                wall_clock.now = begun + seconds
                response = await visitor.fetch("/")
                assert values(response) == {"a": 1}
                assert "Max-Age=100;" in response.get("set-cookie")
            wall_clock.now += 99
            assert values(await visitor.copy().fetch("/")) == {"a": 1}


@pytest.mark.parametrize("make_store", ["cookie", "memory", "awaited"], indirect=True)
async def test_session_ends_after_idle_timeout(make_store: MakeStore, wall_clock: WallClock) -> None:
    async with make_store() as store, serving(application(store, session_idle_timeout=100)) as server:
        visitor = Visitor(server)
        await visitor.fetch("/?a=1")
        wall_clock.now += 100
        assert values(await visitor.fetch("/")) == {}


async def test_use_within_a_tenth_of_the_idle_timeout_saves_nothing(wall_clock: WallClock) -> None:
    store = AwaitedStore()
    async with serving(application(store, session_idle_timeout=100)) as server:
        visitor = Visitor(server)
        await visitor.fetch("/?a=1")
        wall_clock.now += 9
        assert (await visitor.fetch("/")).get("set-cookie") is None
        assert store.calls == ["create", "load"]
        wall_clock.now += 1
        assert (await visitor.fetch("/")).get("set-cookie") is not None
        assert store.calls == ["create", "load", "load", "update"]


async def test_lifetime_ends_a_session_in_use(make_store: MakeStore, wall_clock: WallClock) -> None:
    settings = {"session_idle_timeout": 100, "session_lifetime": 250}
    async with make_store() as store, serving(application(store, **settings)) as server:
        visitor = Visitor(server)
        await visitor.fetch("/?a=1")
        for left in (100, 100, 70, 10):
            wall_clock.now += 60
            response = await visitor.fetch("/")
            assert f"Max-Age={left};" in response.get("set-cookie")
        wall_clock.now += 10
        assert values(await visitor.fetch("/")) == {}


async def test_login_restarts_the_lifetime(make_store: MakeStore, wall_clock: WallClock) -> None:
    async with make_store() as store, serving(application(store, session_lifetime=100)) as server:
        visitor = Visitor(server)
        await visitor.fetch("/?a=1")
        wall_clock.now += 60
        assert "Max-Age=100;" in (await visitor.fetch("/login", method="POST", body=b"")).get("set-cookie")
        wall_clock.now += 60
        assert values(await visitor.fetch("/")) == {"a": 1, "user": "me"}


# -- loading and saving --


async def test_store_is_used_only_if_needed() -> None:
    class Rare(web.RequestHandler):
        session_autoload = False

        async def get(self) -> None:
            if self.get_argument("use", None):
                self.write(dict(await self.get_session()))

    store = AwaitedStore()
    async with serving(application(store, ("/rare", Rare))) as server:
        visitor = Visitor(server)
        await visitor.fetch("/untouched")
        await visitor.fetch("/")
        assert store.calls == []
        await visitor.fetch("/?a=1")
        await visitor.fetch("/rare")
        assert store.calls == ["create"]
        assert json.loads((await visitor.fetch("/rare?use=1")).body) == {"a": 1}
        assert store.calls == ["create", "load"]


async def test_access_to_session_that_is_not_loaded_raises(expect_log: ExpectLog) -> None:
    class Rare(Values):
        session_autoload = False

    store = AwaitedStore()
    async with serving(application(store, ("/rare", Rare))) as server:
        visitor = Visitor(server)
        await visitor.fetch("/?a=1")
        with expect_log("tornado.application", "Uncaught exception") as expected:
            assert (await visitor.fetch("/rare")).code == 500
    assert "await self.get_session()" in str(raised(expected))


async def test_get_session_returns_the_same_object(make_store: MakeStore) -> None:
    class Twice(web.RequestHandler):
        async def get(self) -> None:
            session = await self.get_session()
            session["a"] = 1
            self.write({"same": session is self.session is await self.get_session()})

    async with make_store() as store, serving(application(store, ("/twice", Twice))) as server:
        visitor = Visitor(server)
        for _ in range(2):
            assert (await visitor.fetch("/twice")).body == b'{"same": true}'


async def test_session_is_loaded_before_prepare(make_store: MakeStore) -> None:
    class User(web.RequestHandler):
        def get_current_user(self) -> Any:
            return self.session.get("user")

        def prepare(self) -> None:
            self.seen = self.current_user

        @web.authenticated
        def get(self) -> None:
            self.write(self.seen)

        @web.authenticated
        async def post(self) -> None:
            self.write(self.seen)

    @web.stream_request_body
    class Streaming(User):
        def data_received(self, chunk: bytes) -> None:
            assert self.seen == "me"

    routes = [("/user", User), ("/streaming", Streaming)]
    async with make_store() as store:
        async with serving(application(store, *routes, login_url="/login")) as server:
            visitor = Visitor(server)
            assert (await visitor.fetch("/user")).get("location") == "/login?next=%2Fuser"
            await visitor.fetch("/login", method="POST", body=b"")
            assert (await visitor.fetch("/user")).body == b"me"
            assert (await visitor.fetch("/user", method="POST", body=b"x")).body == b"me"
            assert (await visitor.fetch("/streaming", method="POST", body=b"x")).body == b"me"


async def test_overridden_execute_sees_the_session(make_store: MakeStore) -> None:
    seen = []

    class Traced(Values):
        async def _execute(self, transforms: Any, *args: Any, **kwargs: Any) -> None:
            seen.append(dict(self.session))
            await super()._execute(transforms, *args, **kwargs)

    async with make_store() as store, serving(application(store, ("/traced", Traced))) as server:
        visitor = Visitor(server)
        await visitor.fetch("/traced?a=1")
        assert values(await visitor.fetch("/traced")) == {"a": 1}
    assert seen == [{}, {"a": 1}]


async def test_response_is_not_sent_before_the_session_is_saved() -> None:
    store = AwaitedStore()
    async with serving(application(store)) as server:
        peer = await server.connect()
        store.gate.clear()
        peer.get("/?a=1")
        while not store.calls:
            await asyncio.sleep(0)
        assert len(store.inner) == 0
        read = asyncio.ensure_future(peer.response())
        for _ in range(20):
            await asyncio.sleep(0)
        assert not read.done()
        store.gate.set()
        assert (await read).code == 200
        assert len(store.inner) == 1


async def test_failed_save_leads_to_503(expect_log: ExpectLog) -> None:
    store = AwaitedStore()
    async with serving(application(store)) as server:
        visitor = Visitor(server)
        await visitor.fetch("/?a=1")
        for path, method in (("/?a=2", "GET"), ("/login", "POST"), ("/logout", "POST")):
            store.failure = None
            store.calls.clear()
            loaded = store.load

            async def load(token: str, loaded: Any = loaded) -> Any:
                record = await loaded(token)
                store.failure = web.SessionStoreError("no room on %s", "disk 1")
                return record

            store.load = load  # type: ignore[method-assign]
            with expect_log("tornado.general", "503 .*no room on disk 1"):
                response = await visitor.fetch(path, method=method, body=b"" if method == "POST" else None)
            assert (response.code, response.get("set-cookie")) == (503, None)
            store.load = loaded  # type: ignore[method-assign]
        store.failure = None
        assert values(await visitor.fetch("/")) == {"a": 1}


async def test_error_page_after_failed_save_does_not_save_again(expect_log: ExpectLog) -> None:
    class Own(Values):
        def write_error(self, status_code: int, **kwargs: Any) -> None:
            self.set_status(200)
            self.finish("shown")

    store = AwaitedStore()
    store.failure = web.SessionStoreError("gone")
    async with serving(application(store, ("/own", Own))) as server:
        with expect_log("tornado.general", "503"):
            assert (await server.fetch("/own?a=1")).body == b"shown"
    assert store.calls == ["create"]


async def test_failed_load_affects_only_handlers_that_use_the_session(expect_log: ExpectLog) -> None:
    store = AwaitedStore()
    async with serving(application(store)) as server:
        visitor = Visitor(server)
        await visitor.fetch("/?a=1")
        store.failure = web.SessionStoreError("gone")
        assert (await visitor.fetch("/untouched")).body == b"untouched"
        with expect_log("tornado.general", "503"):
            assert (await visitor.fetch("/")).code == 503


async def test_any_error_of_a_store_is_reported(expect_log: ExpectLog) -> None:
    store = AwaitedStore()
    async with serving(application(store)) as server:
        visitor = Visitor(server)
        await visitor.fetch("/?a=1")
        store.failure = ZeroDivisionError()
        with expect_log("tornado.application", "Uncaught exception") as expected:
            assert (await visitor.fetch("/")).code == 500
        assert isinstance(raised(expected), ZeroDivisionError)
        with expect_log("tornado.application", "Uncaught exception") as expected:
            assert (await server.fetch("/?a=1")).code == 500


@pytest.mark.parametrize("failure", [asyncio.CancelledError(), BaseException("of the store")])
async def test_save_cancelled_by_the_store_leads_to_500(
    failure: BaseException, expect_log: ExpectLog
) -> None:
    class Awaiting(web.RequestHandler):
        async def get(self) -> None:
            self.session["a"] = 1
            await self.finish("lost")
            ended.set()

    ended = asyncio.Event()
    store = AwaitedStore()
    store.failure = failure
    async with serving(application(store, ("/awaiting", Awaiting))) as server:
        with expect_log("tornado.application", "Uncaught exception"):
            assert (await server.fetch("/awaiting")).code == 500
        await ended.wait()


async def test_load_cancelled_by_the_store_leads_to_500(expect_log: ExpectLog) -> None:
    store = AwaitedStore()
    async with serving(application(store)) as server:
        visitor = Visitor(server)
        await visitor.fetch("/?a=1")
        store.failure = asyncio.CancelledError()
        assert (await visitor.fetch("/untouched")).body == b"untouched"
        with expect_log("tornado.application", "Uncaught exception"):
            assert (await visitor.fetch("/")).code == 500


async def test_request_is_cancelled_while_session_is_loaded() -> None:
    store = AwaitedStore()
    async with serving(application(store, cancel_on_disconnect=True)) as server:
        visitor = Visitor(server)
        await visitor.fetch("/?a=1")
        store.gate.clear()
        store.calls.clear()
        peer = await server.connect()
        peer.get("/?a=2", f"Cookie: session={visitor.cookies['session']}")
        while not store.calls:
            await asyncio.sleep(0)
        await peer.close()
        store.gate.set()
        assert values(await visitor.fetch("/")) == {"a": 1}
    assert "update" not in store.calls


async def test_handler_timeout_limits_saving(expect_log: ExpectLog) -> None:
    store = AwaitedStore()
    store.gate.clear()
    async with serving(application(store, handler_timeout=1e-3)) as server:
        with expect_log(
            "tornado.general", "AwaitedStore did not save the session within the handler_timeout"
        ):
            assert (await server.fetch("/?a=1")).code == 503


async def test_timeout_error_of_store_is_reported_unchanged(expect_log: ExpectLog) -> None:
    store = AwaitedStore()
    store.failure = TimeoutError("of the store")
    async with serving(application(store, handler_timeout=20)) as server:
        with expect_log("tornado.application", "Uncaught exception") as expected:
            assert (await server.fetch("/?a=1")).code == 500
        assert str(raised(expected)) == "of the store"


@pytest.mark.parametrize(
    ("change", "log"),
    [
        ("set_header('X-Late', '1')", "set_header.* was ignored"),
        ("set_status(404)", "set_status.* was ignored"),
        ("set_cookie('late', '1')", "set_cookie.* was ignored"),
        ("send_error(500)", "Cannot send error response after headers written"),
        ("clear()", None),
        ("flush()", None),
    ],
)
async def test_changes_during_saving_do_not_reach_the_response(
    change: str, log: str | None, expect_log: ExpectLog
) -> None:
    class Late(web.RequestHandler):
        def get(self) -> None:
            self.session["a"] = 1
            self.set_header("X-Early", "1")
            self.finish("whole")
            eval(f"self.{change}")

    async with serving(application(AwaitedStore(), ("/late", Late))) as server:
        if log is None:
            response = await server.fetch("/late")
        else:
            with expect_log("tornado", log):
                response = await server.fetch("/late")
    assert (response.code, response.body, response.get("x-early")) == (200, b"whole", "1")
    assert response.get("x-late") is None
    assert (response.get("set-cookie") or "").startswith("session=")


@pytest.mark.parametrize("flag", ["_finished", "_headers_written"])
@pytest.mark.parametrize("value", [True, False])
async def test_flags_set_during_saving_do_not_lose_the_response(flag: str, value: bool) -> None:
    class Late(web.RequestHandler):
        async def get(self) -> None:
            self.session["a"] = 1
            finished = self.finish("whole")
            setattr(self, flag, value)
            await finished

    async with serving(application(AwaitedStore(), ("/late", Late))) as server:
        response = await server.fetch("/late")
    assert (response.code, response.body) == (200, b"whole")


@pytest.mark.parametrize("method", ["redirect", "write", "finish"])
async def test_response_is_finished_during_saving(method: str) -> None:
    class Late(web.RequestHandler):
        def get(self) -> None:
            self.session["a"] = 1
            self.finish("whole")
            with pytest.raises(RuntimeError):
                getattr(self, method)("/")

    async with serving(application(AwaitedStore(), ("/late", Late))) as server:
        assert (await server.fetch("/late")).body == b"whole"


async def test_session_is_read_only_during_saving() -> None:
    class Late(web.RequestHandler):
        async def get(self) -> None:
            self.session["a"] = [1]
            finished = self.finish()
            with pytest.raises(RuntimeError, match="after the response was finished"):
                self.session["b"] = 1
            await asyncio.sleep(0)
            self.session["a"].append(2)
            await self.session.save()
            await finished

    store = AwaitedStore()
    async with serving(application(store, ("/late", Late))) as server:
        visitor = Visitor(server)
        assert (await visitor.fetch("/late")).code == 200
        assert values(await visitor.fetch("/")) == {"a": [1]}
    assert store.calls == ["create", "load"]


async def test_session_is_not_saved_with_a_server_error(make_store: MakeStore, expect_log: ExpectLog) -> None:
    class Failing(web.RequestHandler):
        def get(self) -> None:
            self.session["a"] = 2
            raise web.HTTPError(int(self.get_argument("status")))

    async with make_store() as store, serving(application(store, ("/failing", Failing))) as server:
        visitor = Visitor(server)
        await visitor.fetch("/?a=1")
        assert (await visitor.fetch("/failing?status=500")).get("set-cookie") is None
        assert values(await visitor.fetch("/")) == {"a": 1}
        assert (await visitor.fetch("/failing?status=404")).code == 404
        assert values(await visitor.fetch("/")) == {"a": 2}


@pytest.mark.parametrize("status", [204, 304, 404])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_session_is_saved_with_every_status_and_method(
    status: int, method: str, make_store: MakeStore
) -> None:
    class Kind(web.RequestHandler):
        def get(self) -> None:
            self.session["a"] = status
            self.set_status(status)

        head = get

    async with make_store() as store, serving(application(store, ("/kind", Kind))) as server:
        visitor = Visitor(server)
        assert (await visitor.fetch("/kind", method=method)).code == status
        assert values(await visitor.fetch("/")) == {"a": status}


async def test_disconnect_during_saving_is_not_an_error() -> None:
    store = AwaitedStore()
    async with serving(application(store)) as server:
        peer = await server.connect()
        store.gate.clear()
        peer.get("/?a=1")
        while not store.calls:
            await asyncio.sleep(0)
        await peer.close()
        store.gate.set()
        while len(store.inner) == 0:
            await asyncio.sleep(0)
        assert (await server.fetch("/untouched")).code == 200


async def test_session_is_saved_with_timeout_and_cancellation(make_store: MakeStore) -> None:
    settings: Any = {"handler_timeout": 20, "cancel_on_disconnect": True, "compress_response": True}
    async with make_store() as store, serving(application(store, **settings)) as server:
        visitor = Visitor(server)
        await visitor.fetch("/?a=1", "Accept-Encoding: gzip")
        assert values(await visitor.fetch("/")) == {"a": 1}


async def test_pipelined_requests_are_answered_in_order() -> None:
    store = AwaitedStore()
    async with serving(application(store)) as server:
        peer = await server.connect()
        peer.get("/?a=1")
        peer.get("/untouched")
        peer.get("/?b=2")
        assert values(await peer.response()) == {"a": 1}
        assert (await peer.response()).body == b"untouched"
        assert values(await peer.response()) == {"b": 2}


# -- responses in parts, streams and WebSockets --


class InParts(web.RequestHandler):
    async def get(self) -> None:
        if self.get_argument("change", None):
            self.session["a"] = 2
        if self.get_argument("save", None):
            await self.session.save()
        self.write(repr(dict(self.session)))
        await self.flush()
        try:
            self.session["late"] = 1
        except RuntimeError as error:
            self.write(f" {error}")


async def test_session_is_read_only_after_flush(make_store: MakeStore) -> None:
    async with make_store() as store, serving(application(store, ("/parts", InParts))) as server:
        visitor = Visitor(server)
        await visitor.fetch("/?a=1")
        response = await visitor.fetch("/parts")
        assert (
            response.body == b"{'a': 1} the session cannot be changed after the head of the response was sent"
        )
        response = await visitor.fetch("/parts?change=1&save=1")
        assert response.get("set-cookie") is not None
        assert values(await visitor.fetch("/")) == {"a": 2}


async def test_flush_with_unsaved_change(make_store: MakeStore, expect_log: ExpectLog) -> None:
    async with make_store() as store, serving(application(store, ("/parts", InParts))) as server:
        visitor = Visitor(server)
        if not store.is_asynchronous:
            await visitor.fetch("/parts?change=1")
            assert values(await visitor.fetch("/")) == {"a": 2}
            return
        with expect_log("tornado.application", "Uncaught exception") as expected:
            assert (await visitor.fetch("/parts?change=1")).code == 500
        assert "await self.session.save()" in str(raised(expected))


async def test_flush_does_not_require_saving_the_time_of_use(
    make_store: MakeStore, wall_clock: WallClock
) -> None:
    async with make_store() as store, serving(application(store, ("/parts", InParts))) as server:
        visitor = Visitor(server)
        await visitor.fetch("/?a=1")
        wall_clock.now += 86400 * 10
        assert (await visitor.fetch("/parts")).body.startswith(b"{'a': 1}")


async def test_first_use_after_flush_is_read_only(make_store: MakeStore) -> None:
    class Late(web.RequestHandler):
        async def get(self) -> None:
            self.write("head")
            await self.flush()
            session = await self.get_session() if self.get_argument("get", None) else self.session
            self.write(repr(dict(session)))
            try:
                session["a"] = 2
            except RuntimeError:
                self.write(" read only")

    async with make_store() as store, serving(application(store, ("/late", Late))) as server:
        visitor = Visitor(server)
        await visitor.fetch("/?a=1")
        for path in ("/late", "/late?get=1"):
            assert (await visitor.fetch(path)).body == b"head{'a': 1} read only"


async def test_websocket_handler_reads_the_session(make_store: MakeStore) -> None:
    from tornado.httpclient import HTTPRequest
    from tornado.websocket import WebSocketHandler, websocket_connect

    class Socket(WebSocketHandler):
        def get_current_user(self) -> Any:
            return self.session.get("user")

        @web.authenticated
        async def get(self, *args: Any, **kwargs: Any) -> None:
            await super().get(*args, **kwargs)

        async def on_message(self, message: Any) -> None:
            try:
                self.session["a"] = 1
            except RuntimeError:
                await self.write_message(f"{self.session['user']} reads")

    async with make_store() as store:
        app = application(store, ("/socket", Socket), login_url="/login")
        async with serving(app) as server:
            visitor = Visitor(server)
            assert (await visitor.fetch("/socket")).code == 302
            await visitor.fetch("/login", method="POST", body=b"")
            cookie = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
            url = f"ws://127.0.0.1:{server.port}/socket"
            connection = await websocket_connect(HTTPRequest(url, headers={"Cookie": cookie}))
            await connection.write_message("hello")
            assert await connection.read_message() == "me reads"
            connection.close()
            assert await connection.read_message() is None


# -- concurrent requests --


class Meeting(web.RequestHandler):
    """A handler that changes a value after a concurrent request has also loaded the session."""

    barrier: asyncio.Barrier

    async def get(self, name: str) -> None:
        session = self.session
        await self.barrier.wait()
        if name == "logout":
            session.invalidate()
        else:
            session[name] = name
        await self.barrier.wait()


async def test_concurrent_requests_keep_each_others_changes(make_store: MakeStore) -> None:
    async with make_store() as store, serving(application(store, ("/meet/(.*)", Meeting))) as server:
        Meeting.barrier = asyncio.Barrier(2)
        visitor = Visitor(server)
        await visitor.fetch("/?a=1")
        await asyncio.gather(visitor.fetch("/meet/x"), visitor.fetch("/meet/y"))
        found = values(await visitor.fetch("/"))
        if isinstance(store, web.CookieSessionStore):
            assert found in ({"a": 1, "x": "x"}, {"a": 1, "y": "y"})  # the last response replaces the session
        else:
            assert found == {"a": 1, "x": "x", "y": "y"}


@pytest.mark.parametrize("make_store", ["memory", "awaited", "redis"], indirect=True)
async def test_concurrent_request_does_not_restore_an_ended_session(make_store: MakeStore) -> None:
    async with make_store() as store:
        async with serving(application(store, ("/meet/(.*)", Meeting))) as server:
            Meeting.barrier = asyncio.Barrier(2)
            visitor = Visitor(server)
            await visitor.fetch("/?a=1")
            await asyncio.gather(visitor.copy().fetch("/meet/x"), visitor.copy().fetch("/meet/logout"))
            # The order does not matter: a change after the logout is not saved; a change before it is deleted
            # with the session.
            assert values(await visitor.fetch("/")) == {}


async def test_regenerate_does_not_restore_an_ended_session(make_store: MakeStore) -> None:
    class Renewing(web.RequestHandler):
        async def post(self, confirmed: str) -> None:
            self.session.get("user")
            entered.set()
            await ended.wait()
            self.session.regenerate()
            if confirmed:
                self.session["confirmed"] = True

    async with make_store() as store:
        # A session in a signed cookie is not stored on the server, which therefore cannot detect its end.
        revived = {"user": "me"} if isinstance(store, web.CookieSessionStore) else {}
        async with serving(application(store, ("/renew/(.*)", Renewing))) as server:
            for confirmed, kept in (("", {}), ("yes", {"confirmed": True})):
                entered, ended = asyncio.Event(), asyncio.Event()
                visitor = Visitor(server)
                await visitor.fetch("/login", method="POST", body=b"")
                other = visitor.copy()
                path = f"/renew/{confirmed}"
                renewing = asyncio.ensure_future(visitor.fetch(path, method="POST", body=b""))
                await entered.wait()
                await other.fetch("/logout", method="POST", body=b"")
                ended.set()
                assert (await renewing).code == 200
                assert values(await visitor.fetch("/")) == {**revived, **kept}


# -- other uses of the name --


async def test_program_may_use_the_attribute_for_other_purposes() -> None:
    class Assigned(web.RequestHandler):
        def initialize(self) -> None:
            self.session = "a database's"  # type: ignore[assignment]

        def get(self) -> None:
            self.write(self.session)

    class Property(web.RequestHandler):
        @property
        def session(self) -> str:  # type: ignore[override]
            return "a property"

        def get(self) -> None:
            self.write(self.session)

    for handler, body in ((Assigned, b"a database's"), (Property, b"a property")):
        response = await ask(handler, session_store={"engine": "the program's own"})
        assert (response.body, response.get("vary"), response.get("set-cookie")) == (body, None, None)


async def test_responses_without_session_use_the_fast_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """The response of a handler that does not use the session is sent in one call."""
    sent = []
    respond = HTTP1Connection.send_response

    def counted(self: Any, *args: Any) -> Any:
        sent.append(args[0])
        return respond(self, *args)

    monkeypatch.setattr(HTTP1Connection, "send_response", counted)
    async with serving(application(None)) as server:
        await server.fetch("/untouched")
        assert sent == [200]
        await server.fetch("/")
        assert sent == [200]


async def test_missing_secret_is_reported(expect_log: ExpectLog) -> None:
    with expect_log("tornado.application", "Uncaught exception") as expected:
        assert (await ask(Values, path="/?a=1")).code == 500
    assert "You must define the 'cookie_secret' setting" in str(raised(expected))


async def test_value_that_is_not_json_raises_at_assignment(expect_log: ExpectLog) -> None:
    class Wrong(web.RequestHandler):
        def get(self) -> None:
            self.session["user"] = object()

    with expect_log("tornado.application", "Uncaught exception") as expected:
        assert (await ask(Wrong, cookie_secret=SECRET)).code == 500
    assert "session['user'] cannot be stored" in str(raised(expected))


async def test_error_for_too_large_session_names_the_setting(expect_log: ExpectLog) -> None:
    class Large(web.RequestHandler):
        def get(self) -> None:
            self.session["text"] = "x" * 4000

    with expect_log("tornado.application", "Uncaught exception") as expected:
        assert (await ask(Large, cookie_secret=SECRET)).code == 500
    error = raised(expected)
    assert isinstance(error, web.SessionTooLargeError)
    assert "session_store" in str(error)
