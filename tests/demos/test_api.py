"""The REST API, through http.client and curl."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hmac
import importlib.util
import itertools
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any

import pytest

from tests.seeds.client import Answer
from tests.support.program import ROOT, Program

jwt = pytest.importorskip("jwt")
pytest.importorskip("aiosqlite")

SECRET = b"a secret for the tests, of 32 bytes or more"
PASSWORD = "correct horse"
ISSUER, AUDIENCE = "https://api.example", "the tests"
#: A low password cost, and limits that only the tests of limits reach.
CHEAP = ("--password-cost=10", "--login-attempts=1000", "--guest-attempts=1000")
names = (f"user{number}" for number in itertools.count(1))


def load(name: str) -> ModuleType:
    """Return a module of the demo, one that imports no other module of the demo."""
    specification = importlib.util.spec_from_file_location(f"api_{name}", ROOT / f"demos/api/{name}.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module
    specification.loader.exec_module(module)
    return module


@contextlib.contextmanager
def running(*arguments: str) -> Iterator[Program]:
    """Run the demo; afterwards the log must contain no error or resource warning."""
    with Program("demos/api/main.py", ["--port={port}", *arguments]) as program:
        yield program
        program.stop()
        output = program.output()
    assert "Traceback" not in output
    assert "Warning" not in output


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """The demo, with a known database and key."""
    folder = tmp_path_factory.mktemp("api")
    (folder / "key").write_bytes(SECRET)
    settings = (
        f"--issuer={ISSUER}",
        f"--audience={AUDIENCE}",
        "--algorithm=HS256",
        f"--key={folder / 'key'}",
    )
    with running(f"--database={folder / 'api.sqlite'}", *settings, *CHEAP) as program:
        yield program


class Client:
    """A client of the API, with the tokens of one session.

    :param registered: whether the user is registered first.
    """

    def __init__(self, api: Program, name: str = "", registered: bool = True) -> None:
        self.api = api
        self.name = name or next(names)
        self.access_token = self.refresh_token = ""
        if registered:
            answer = self.call("POST", "/v1/users", {"username": self.name, "password": PASSWORD})
            assert answer.code == 201, answer.text
            assert self.login().code == 201

    def call(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        data = None
        if body is not None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            fields.setdefault("Content-Type", "application/json")
        if self.access_token and "Authorization" not in fields:
            fields["Authorization"] = f"Bearer {self.access_token}"
        with contextlib.closing(self.api.connect()) as connection:
            connection.request(method, path, data, fields)
            return Answer(connection.getresponse())

    def login(self, password: str = PASSWORD) -> Answer:
        answer = self.call("POST", "/v1/sessions", {"username": self.name, "password": password})
        self._keep(answer)
        return answer

    def refresh(self, token: str = "") -> Answer:
        answer = self.call("POST", "/v1/sessions/refresh", {"refresh_token": token or self.refresh_token})
        self._keep(answer)
        return answer

    def _keep(self, answer: Answer) -> None:
        if answer.code < 300:
            self.access_token, self.refresh_token = answer.json["access_token"], answer.json["refresh_token"]

    def add(self, url: str = "https://example.org/", **fields: Any) -> Answer:
        return self.call("POST", "/v1/bookmarks", {"url": url, "title": "a title", **fields})


@pytest.fixture
def ann(api: Program) -> Client:
    """A logged-in user."""
    return Client(api)


def assert_error(answer: Answer, code: int, text: str = "") -> None:
    """Check an error response: each is JSON with a message, and must not be cached."""
    assert answer.code == code
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert text in answer.json["error"]


def test_root_links_to_the_resources(api):
    client = Client(api, registered=False)
    answer = client.call("GET", "/")
    assert answer.code == 200
    links = {link["rel"]: link["href"] for link in answer.json["links"]}
    assert links["bookmarks"] == "/v1/bookmarks"
    for path in links.values():
        assert client.call("GET", path).code in (401, 405)


def test_registration_login_and_profile(api):
    client = Client(api, "ann.b-c_d", registered=False)
    answer = client.call("POST", "/v1/users", {"username": client.name, "password": PASSWORD})
    assert (answer.code, answer.headers["Location"]) == (201, "/v1/users/me")
    assert PASSWORD not in answer.text
    taken = client.call("POST", "/v1/users", {"username": client.name, "password": PASSWORD})
    assert_error(taken, 409, "user with this name already exists")
    answer = client.login()
    assert answer.code == 201
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json["token_type"] == "Bearer"
    assert answer.json["expires_in"] == 300
    me = client.call("GET", "/v1/users/me")
    assert me.json == {"id": me.json["id"], "username": "ann.b-c_d"}


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"username": "is missing", "password": "is missing"}),
        ({"username": "Ann", "password": PASSWORD}, {"username": "must consist of 3 to 32"}),
        ({"username": "ann", "password": "short"}, {"password": "must have 8 to 256 characters"}),
        ({"username": "ann", "password": "x" * 257}, {"password": "must have 8 to 256 characters"}),
        ({"username": "ann", "password": 12345678}, {"password": "must be a string"}),
        ({"username": "ann", "password": PASSWORD, "admin": True}, {"admin": "is not an accepted field"}),
    ],
)
def test_registration_with_invalid_fields(api, body, fields):
    answer = Client(api, registered=False).call("POST", "/v1/users", body)
    assert_error(answer, 422, "Validation failed.")
    assert set(answer.json["fields"]) == set(fields)
    for name, text in fields.items():
        assert text in answer.json["fields"][name]


def test_wrong_password_and_unknown_user_look_the_same(ann):
    nobody = Client(ann.api, "nobody", registered=False)
    ann.access_token = ""
    wrong, unknown = ann.login("wrong horse"), nobody.login()
    for answer in (wrong, unknown, ann.login("x" * 60_000)):
        assert_error(answer, 401, "Wrong username or password.")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert wrong.body == unknown.body


def test_password_in_other_code_points(api):
    client = Client(api, registered=False)
    composed, decomposed = "caf\u00e9 au lait", "cafe\u0301 au lait"
    assert client.call("POST", "/v1/users", {"username": client.name, "password": composed}).code == 201
    assert client.login(decomposed).code == 201


def test_request_without_token(api):
    answer = Client(api, registered=False).call("GET", "/v1/bookmarks")
    assert_error(answer, 401)
    # RFC 6750 section 3.1: a request without a token gets no error code.
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="bookmarks"'


def forged(changes: dict[str, Any], key: Any = SECRET, algorithm: str = "HS256", typ: str = "at+jwt") -> str:
    """Return a token that is valid except for `changes`; None removes a claim."""
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "1", "sid": "x", "iat": now, "nbf": now, "exp": now + 60}
    claims |= {"jti": "1", **changes}
    claims = {name: value for name, value in claims.items() if value is not None}
    token: str = jwt.encode(claims, key, algorithm, headers={"typ": typ})
    return token


def unsigned() -> str:
    head, claims, _ = forged({}).split(".")
    none = base64.urlsafe_b64encode(b'{"alg":"none","typ":"at+jwt"}').rstrip(b"=").decode()
    assert head
    return f"{none}.{claims}."


PAST, FUTURE = int(time.time()) - 1000, int(time.time()) + 1000


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(forged({"exp": PAST}), id="expired"),
        pytest.param(forged({"nbf": FUTURE}), id="not yet valid"),
        pytest.param(forged({"iss": "https://evil.example"}), id="other issuer"),
        pytest.param(forged({"aud": "others"}), id="other audience"),
        *(
            pytest.param(forged({name: None}), id=f"no {name}")
            for name in ("iss", "aud", "exp", "nbf", "iat", "sub", "sid", "jti")
        ),
        pytest.param(forged({"sub": "ann"}), id="subject that is not a number"),
        pytest.param(forged({}, key=b"another secret of 32 bytes or more"), id="other key"),
        pytest.param(forged({}, key=SECRET * 2, algorithm="HS512"), id="other algorithm"),
        pytest.param(forged({}, typ="JWT"), id="other type"),
        pytest.param(unsigned(), id="unsigned"),
        pytest.param(forged({})[:-4] + "AAAA", id="other signature"),
        pytest.param(forged({"pad": "x" * 4000}), id="too long"),
        pytest.param("a.b.c", id="not a token"),
        pytest.param("x", id="one part"),
    ],
)
def test_invalid_access_token_is_refused(ann, token):
    assert ann.call("GET", "/v1/users/me", Authorization=f"Bearer {forged({})}").code == 200
    answer = ann.call("GET", "/v1/users/me", Authorization=f"Bearer {token}")
    assert_error(answer, 401)
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize("algorithm", ["EdDSA", "RS256", "HS256"])
def test_token_of_each_algorithm(algorithm):
    with running(f"--algorithm={algorithm}", "--database=:memory:", *CHEAP) as api:
        client = Client(api)
        assert client.call("GET", "/v1/users/me").code == 200
        header = jwt.get_unverified_header(client.access_token)
        assert header == {"alg": algorithm, "typ": "at+jwt"}


@pytest.mark.parametrize("algorithm", ["EdDSA", "RS256"])
def test_public_key_is_not_accepted_as_hmac_secret(algorithm):
    """A token signed by HMAC with the public key as the secret (RFC 8725 section 2.1)."""
    serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")
    tokens = load("tokens")
    key = tokens.generate_key(algorithm)
    access = tokens.AccessTokens(key, ISSUER, AUDIENCE, 300)
    genuine = access.issue(1, "x")
    assert access.verify(genuine) == tokens.Identity(1, "x")
    public = key.verifying.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"at+jwt"}').rstrip(b"=").decode()
    signed = f"{head}.{genuine.split('.')[1]}"
    digest = hmac.digest(public, signed.encode(), "sha256")
    with pytest.raises(tokens.TokenError):
        access.verify(f"{signed}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}")


async def test_cancelled_transaction_leaves_the_connection_usable():
    storage_module = load("storage")
    async with storage_module.open_storage(":memory:") as storage:
        insert = "INSERT INTO users (name, password, created) VALUES (?, '', 0) RETURNING id"

        async def add(name: str) -> None:
            async with storage.transaction() as connection:
                await connection.execute_fetchall(insert, (name,))
                await asyncio.Event().wait()

        for run_loop_iterations in range(12):  # cancel the request at each step, and while it waits
            task = asyncio.ensure_future(add(f"ann{run_loop_iterations}"))
            for _ in range(run_loop_iterations):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
        assert await storage.fetch("SELECT name FROM users") == []
        assert len(await storage.execute(insert, "bob")) == 1


def test_wrong_kind_of_key_file_is_reported_in_one_line(tmp_path):
    (tmp_path / "key").write_bytes(SECRET)
    short = tmp_path / "short"
    short.write_bytes(b"too short")
    for arguments, message in (
        (
            ["--algorithm=EdDSA", f"--key={tmp_path / 'key'}"],
            "expected a private key in PEM without a password",
        ),
        (["--algorithm=HS256", f"--key={short}"], "HS256 needs a secret of 32 bytes or more, got 9"),
        (["--algorithm=none"], "unknown algorithm 'none'; expected one of EdDSA, RS256, HS256"),
        (["--password-cost=9"], "the cost must be from 10 to 17, got 9"),
        ([f"--database={tmp_path}"], "unable to open database file"),
    ):
        program = Program("demos/api/main.py", ["--database=:memory:", *arguments])
        status, output = program.run_to_its_end()
        assert status == 1
        assert re.fullmatch(rf"api: .*{re.escape(message)}\n", output)


def test_refresh_gives_new_tokens(ann):
    old_access, old_refresh = ann.access_token, ann.refresh_token
    answer = ann.refresh()
    assert answer.code == 200
    assert ann.access_token != old_access
    assert ann.refresh_token != old_refresh
    assert ann.call("GET", "/v1/users/me").code == 200
    assert ann.refresh().code == 200


def test_replayed_refresh_token_ends_the_session(ann):
    stolen = ann.refresh_token
    assert ann.refresh().code == 200
    other = Client(ann.api, ann.name, registered=False)
    assert other.login().code == 201
    assert_error(ann.refresh(stolen), 401, "log in again")
    # The session has ended for both clients, and its access token is refused.
    assert_error(ann.refresh(), 401)
    assert ann.call("GET", "/v1/users/me").code == 401
    # The other session of the user is not affected.
    assert other.call("GET", "/v1/users/me").code == 200
    assert other.refresh().code == 200


def test_refresh_token_at_the_same_time_works_once(ann):
    token = ann.refresh_token
    clients = [Client(ann.api, registered=False) for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        codes = list(threads.map(lambda client: client.refresh(token).code, clients))
    assert sorted(codes) == [200, 401, 401, 401]


def test_unknown_refresh_token(api):
    assert_error(Client(api, registered=False).refresh("x" * 43), 401)


def test_logout_ends_the_session(ann):
    other = Client(ann.api, ann.name, registered=False)
    assert other.login().code == 201
    assert ann.call("DELETE", "/v1/sessions/current").code == 204
    assert ann.call("GET", "/v1/users/me").code == 401
    assert ann.refresh().code == 401
    assert other.call("GET", "/v1/users/me").code == 200


def test_password_change_ends_all_sessions(ann):
    other = Client(ann.api, ann.name, registered=False)
    other.login()
    change = {"old_password": "wrong horse", "new_password": "battery staple"}
    answer = ann.call("PUT", "/v1/users/me/password", change)
    assert_error(answer, 422)
    assert set(answer.json["fields"]) == {"old_password"}
    assert ann.call("PUT", "/v1/users/me/password", {**change, "old_password": PASSWORD}).code == 204
    for client in (ann, other):
        assert client.call("GET", "/v1/users/me").code == 401
        assert client.refresh().code == 401
        client.access_token = ""
    assert ann.login().code == 401
    assert ann.login("battery staple").code == 201


def test_restart_keeps_sessions_and_logouts(tmp_path):
    (tmp_path / "key").write_bytes(SECRET)
    arguments = (f"--database={tmp_path / 'api.sqlite'}", "--algorithm=HS256", f"--key={tmp_path / 'key'}")
    with running(*arguments, *CHEAP) as api:
        ann, bob = Client(api), Client(api)
        assert bob.call("DELETE", "/v1/sessions/current").code == 204
        api.restart()
        assert ann.call("GET", "/v1/users/me").code == 200
        assert ann.refresh().code == 200
        assert bob.call("GET", "/v1/users/me").code == 401
        assert bob.refresh().code == 401
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("api.sqlite*"))
    for secret in (PASSWORD, ann.refresh_token, ann.access_token):
        assert secret.encode() not in stored


def test_login_attempts_are_limited():
    arguments = ("--database=:memory:", "--password-cost=10", "--login-attempts=3", "--guest-attempts=7")
    with running(*arguments) as api:
        ann, bob = Client(api), Client(api)  # registrations count; successful logins do not
        for _ in range(3):
            assert_error(Client(api, ann.name, registered=False).login("wrong horse"), 401)
        refused = Client(api, ann.name, registered=False).login()
        assert_error(refused, 429, "Too many attempts")
        assert 1 <= int(refused.headers["Retry-After"]) <= 20
        # Other users and open sessions are not affected.
        assert bob.login().code == 201
        assert ann.refresh().code == 200
        # The address is also limited, independently of the names tried.
        for name in ("eve", "mallory"):
            assert_error(Client(api, name, registered=False).login(), 401)
        assert_error(Client(api, "trent", registered=False).login(), 429)
        assert_error(ann.call("POST", "/v1/users", {"username": "oscar", "password": PASSWORD}), 429)


def test_successful_logins_do_not_reset_the_limit_of_the_address():
    arguments = ("--database=:memory:", "--password-cost=10", "--login-attempts=100", "--guest-attempts=5")
    with running(*arguments) as api:
        ann = Client(api)
        codes = []
        for number in range(6):
            codes.append(Client(api, f"guess{number}", registered=False).login().code)
            ann.login()
        assert codes == [401, 401, 401, 401, 429, 429]


def test_bookmark_is_created_read_replaced_changed_and_deleted(ann):
    created = ann.add("https://example.org/a", title=" A ", tags=["web", "python", "web"])
    assert created.code == 201
    path = created.headers["Location"]
    assert created.json["href"] == path
    assert {name: created.json[name] for name in ("url", "title", "tags", "unread")} == {
        "url": "https://example.org/a",
        "title": "A",
        "tags": ["web", "python"],
        "unread": True,
    }
    read = ann.call("GET", path)
    assert (read.code, read.json, read.headers["Etag"]) == (200, created.json, created.headers["Etag"])
    changed = ann.call("PATCH", path, {"unread": False})
    assert changed.code == 200
    assert changed.json == {**created.json, "unread": False, "updated": changed.json["updated"]}
    replaced = ann.call("PUT", path, {"url": "https://example.org/b", "title": "B"})
    assert replaced.code == 200
    assert (replaced.json["tags"], replaced.json["unread"]) == ([], True)
    assert ann.call("GET", path).json == replaced.json
    assert ann.call("HEAD", path).headers["Content-Length"] == str(len(replaced.body))
    deleted = ann.call("DELETE", path)
    assert (deleted.code, deleted.body) == (204, b"")
    assert_error(ann.call("GET", path), 404)
    assert_error(ann.call("DELETE", path), 404)


def test_bookmarks_of_others_are_not_found(ann):
    path = ann.add().headers["Location"]
    bob = Client(ann.api)
    for method, body in (("GET", None), ("PUT", {}), ("PATCH", {}), ("DELETE", None)):
        assert_error(bob.call(method, path, body), 404)
    assert bob.call("GET", "/v1/bookmarks").json == []
    assert bob.add().code == 201
    assert len(ann.call("GET", "/v1/bookmarks").json) == 1


def test_duplicate_url_is_a_conflict(ann):
    first, second = ann.add("https://example.org/1"), ann.add("https://example.org/2")
    assert_error(ann.add("https://example.org/1"), 409, "bookmark with this URL already exists")
    path = second.headers["Location"]
    assert_error(ann.call("PATCH", path, {"url": "https://example.org/1"}), 409)
    assert ann.call("GET", path).json == second.json
    assert ann.call("PATCH", first.headers["Location"], {"url": "https://example.org/1"}).code == 200


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"url": "is missing", "title": "is missing"}),
        ({"url": "javascript:alert(1)", "title": "x"}, {"url": "must be an http or https URL"}),
        ({"url": "https://", "title": "x"}, {"url": "must be an http or https URL"}),
        ({"url": "https://[", "title": "x"}, {"url": ""}),
        ({"url": "https://example.org/ü", "title": "x"}, {"url": "must be a URL in ASCII"}),
        ({"url": "https://example.org/" + "x" * 2000, "title": "x"}, {"url": "at most 2000"}),
        ({"url": "https://example.org", "title": "  "}, {"title": "not blank"}),
        ({"url": "https://example.org", "title": "x" * 301}, {"title": "at most 300"}),
        ({"url": "https://example.org", "title": "x", "tags": ["A"]}, {"tags": "lower-case"}),
        ({"url": "https://example.org", "title": "x", "tags": "a"}, {"tags": "array"}),
        ({"url": "https://example.org", "title": "x", "tags": ["a"] * 21}, {"tags": "array"}),
        ({"url": "https://example.org", "title": "x", "unread": 0}, {"unread": "true or false"}),
        ({"url": "https://example.org", "title": "x", "id": 3}, {"id": "is not a field"}),
        ({"url": None, "title": None}, {"url": "", "title": ""}),
    ],
)
def test_invalid_bookmark(ann, body, fields):
    answer = ann.call("POST", "/v1/bookmarks", body)
    assert_error(answer, 422)
    assert set(answer.json["fields"]) == set(fields)
    for name, text in fields.items():
        assert text in answer.json["fields"][name]


def test_bodies_that_are_not_json_objects(ann):
    path = "/v1/bookmarks"
    assert_error(ann.call("POST", path, b"{"), 400)
    assert_error(ann.call("POST", path, b'{"url": 1, "url": 2}'), 400)
    assert_error(ann.call("POST", path, b"[]"), 400, "expected a JSON object")
    assert_error(ann.call("POST", path), 400)
    assert_error(ann.call("POST", path, b"url=x", Content_Type="application/x-www-form-urlencoded"), 415)
    assert_error(ann.call("POST", path, b'"' + b"x" * 70_000 + b'"'), 413)


def test_unsupported_method(ann):
    for path, allowed in (
        ("/v1/bookmarks", {"GET", "HEAD", "POST"}),
        ("/v1/bookmarks/1", {"GET", "HEAD", "PUT", "PATCH", "DELETE"}),
        ("/v1/sessions", {"POST"}),
        ("/v1/sessions/current", {"DELETE"}),
        ("/v1/users/me/password", {"PUT"}),
    ):
        answer = ann.call("OPTIONS", path)
        assert_error(answer, 405)
        assert set(answer.headers["Allow"].split(", ")) == allowed


@pytest.mark.parametrize("path", ["/v2", "/v1/bookmarks/x", "/v1/bookmarks/" + "9" * 19, "/v1/bookmarks/1/2"])
def test_paths_without_a_resource(ann, path):
    assert_error(ann.call("GET", path), 404, "Not Found")


def test_lost_update_is_refused(ann):
    created = ann.add()
    path, old = created.headers["Location"], created.headers["Etag"]
    new = ann.call("PATCH", path, {"title": "first"}, If_Match=old).headers["Etag"]
    assert new != old
    for answer in (
        ann.call("PATCH", path, {"title": "second"}, If_Match=old),
        ann.call("PUT", path, {"url": "https://example.org", "title": "second"}, If_Match=f"W/{new}"),
        ann.call("DELETE", path, If_Match=old),
    ):
        assert_error(answer, 412, "changed in the meantime")
    assert ann.call("GET", path).json["title"] == "first"
    assert ann.call("PATCH", path, {"title": "third"}, If_Match=f'"other", {new}').code == 200
    assert ann.call("DELETE", path, If_Match="*").code == 204


def test_if_none_match_of_unchanged_bookmark_gives_304(ann):
    created = ann.add()
    path, etag = created.headers["Location"], created.headers["Etag"]
    answer = ann.call("GET", path, If_None_Match=etag)
    assert (answer.code, answer.body) == (304, b"")
    ann.call("PATCH", path, {"title": "other"})
    assert ann.call("GET", path, If_None_Match=etag).code == 200


def test_changes_at_the_same_time_are_not_lost(ann):
    path = ann.add(tags=["t0"]).headers["Location"]

    def append(number: int) -> int:
        """Add a tag like a careful client: start again if another client was faster."""
        for attempt in itertools.count(1):
            read = ann.call("GET", path)
            tags = [*read.json["tags"], f"t{number}"]
            changed = ann.call("PATCH", path, {"tags": tags}, If_Match=read.headers["Etag"])
            if changed.code == 200:
                return attempt
            assert_error(changed, 412)
        raise AssertionError

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(append, range(1, 9)))
    assert sorted(ann.call("GET", path).json["tags"]) == [f"t{number}" for number in range(9)]


def follow(client: Client, path: str, rel: str = "next") -> list[Answer]:
    """Return a page and all pages that its links lead to."""
    pages = [client.call("GET", path)]
    while found := re.search(rf'<([^>]+)>; rel="{rel}"', pages[-1].headers["Link"]):
        pages.append(client.call("GET", found[1]))
    return pages


def test_pages_link_to_each_other(ann):
    urls = [f"https://example.org/{number}" for number in range(7)]
    for url in urls:
        ann.add(url)
    pages = follow(ann, "/v1/bookmarks?per_page=3&order=asc")
    assert [[each["url"] for each in page.json] for page in pages] == [urls[:3], urls[3:6], urls[6:]]
    assert {page.headers["X-Total-Count"] for page in pages} == {"7"}
    assert 'rel="prev"' not in pages[0].headers["Link"]
    last = pages[-1].headers["Link"]
    assert '</v1/bookmarks?per_page=3&order=asc&page=3>; rel="last"' in last
    back = follow(ann, "/v1/bookmarks?per_page=3&order=asc&page=3", "prev")
    assert [page.body for page in back] == [page.body for page in reversed(pages)]
    # A page with a number beyond the last is empty, and has a link to the last page.
    beyond = ann.call("GET", "/v1/bookmarks?per_page=3&page=99")
    assert beyond.json == []
    assert '?per_page=3&page=3>; rel="prev"' in beyond.headers["Link"]


def test_lists_are_filtered_and_sorted(ann):
    ann.add("https://example.org/1", title="Beta 100%", tags=["web", "x-y"])
    ann.add("https://example.org/2", title="alpha", tags=["web"], unread=False)
    ann.add("https://example.com/3", title="Gamma_1")

    def found(arguments: str) -> list[str]:
        return [each["url"][-1] for each in ann.call("GET", f"/v1/bookmarks?{arguments}").json]

    assert found("") == ["3", "2", "1"]
    assert found("sortby=title&order=asc") == ["2", "1", "3"]
    assert found("sortby=url") == ["2", "1", "3"]
    assert found("tag=web") == ["2", "1"]
    assert found("tag=web&unread=true") == ["1"]
    assert found("unread=false") == ["2"]
    assert found("q=EXAMPLE.ORG") == ["2", "1"]
    # The search text is not a pattern.
    assert found("q=%25") == ["1"]
    assert found("q=_") == ["3"]
    assert found("tag=' OR 1=1 --".replace(" ", "%20")) == []
    pages = follow(ann, "/v1/bookmarks?tag=web&per_page=1")
    assert [page.json[0]["url"][-1] for page in pages] == ["2", "1"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("page=0", "page must be from 1 to 100000."),
        ("page=x", "argument 'page' is not an integer"),
        ("per_page=101", "per_page must be from 1 to 100."),
        ("sortby=password", "sortby must be one of created, updated, title, url."),
        ("order=up", "order must be one of desc, asc."),
        ("unread=maybe", "unread"),
        ("tags=web", "Unknown argument 'tags'; expected order, page, per_page, q, sortby, tag, unread."),
    ],
)
def test_invalid_query(ann, arguments, message):
    assert_error(ann.call("GET", f"/v1/bookmarks?{arguments}"), 400, message)


def test_requests_of_the_readme(tmp_path):
    """Each command of the README's session, in order, run by a shell with curl."""
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    text = (ROOT / "demos/api/README.md").read_text()
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    assert len(blocks) >= 5
    with running(f"--database={tmp_path / 'api.sqlite'}", *CHEAP) as api:
        script = "set -e\n" + "\n".join(blocks).replace("http://localhost:8888", api.url(""))
        done = subprocess.run(
            ["sh", "-c", script], capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path
        )
    assert done.returncode == 0, done.stderr
    codes = re.findall(r"^HTTP/1.1 (\d+)", done.stdout, re.MULTILINE)
    wanted = re.findall(r"^# -> (\d+)", "\n".join(blocks), re.MULTILINE)
    assert codes == wanted


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_attempts_recover_one_at_a_time():
    clock = Clock()
    limit = load("attempts").AttemptLimit(3, 60, clock=clock)
    assert [limit.take("a") for _ in range(3)] == [0, 0, 0]
    assert limit.take("a") == pytest.approx(20)
    assert limit.take("b") == 0
    clock.now += 19
    assert limit.take("a") == pytest.approx(1)
    clock.now += 1
    assert limit.take("a") == 0
    assert limit.take("a") == pytest.approx(20)
    limit.give_back("a")
    assert limit.take("a") == 0
    limit.forget("a")
    assert [limit.take("a") > 0 for _ in range(4)] == [False, False, False, True]
    clock.now += 60
    assert [limit.take("a") > 0 for _ in range(4)] == [False, False, False, True]


def test_table_of_attempts_is_bounded():
    limit = load("attempts").AttemptLimit(1, 60, max_keys=3, clock=Clock())
    for key in ("a", "b", "c"):
        assert limit.take(key) == 0
    assert limit.take("a") > 0
    assert limit.take("d") == 0
    assert len(limit) == 3
    assert limit.take("c") > 0
    assert limit.take("a") == 0  # the least recently used entry was removed


async def test_password_hashes_are_verified():
    passwords = load("passwords")
    with contextlib.closing(passwords.PasswordHasher(10)) as hasher:
        stored = await hasher.hash(PASSWORD)
        assert PASSWORD not in stored
        assert await hasher.hash(PASSWORD) != stored
        assert await hasher.verify(PASSWORD, stored)
        assert not await hasher.verify("wrong horse", stored)
        assert not hasher.is_outdated(stored)
    with contextlib.closing(passwords.PasswordHasher(11)) as hasher:
        assert await hasher.verify(PASSWORD, stored)
        assert hasher.is_outdated(stored)


async def test_unknown_user_costs_as_much_as_a_known_one(monkeypatch):
    passwords = load("passwords")
    costs: list[tuple[int, int]] = []
    scrypt = passwords.hashlib.scrypt

    def counting(data: bytes, **arguments: Any) -> bytes:
        costs.append((arguments["n"], arguments["p"]))
        result: bytes = scrypt(data, **arguments)
        return result

    monkeypatch.setattr(passwords.hashlib, "scrypt", counting)
    with contextlib.closing(passwords.PasswordHasher(10)) as hasher:
        stored = await hasher.hash(PASSWORD)
        costs.clear()
        assert not await hasher.verify("wrong horse", stored)
        assert not await hasher.verify("wrong horse", None)
    assert costs[0] == costs[1] == (1024, 5)


async def test_queue_of_passwords_is_bounded(monkeypatch):
    passwords = load("passwords")
    go_on = passwords.threading.Event()
    scrypt = passwords.hashlib.scrypt

    def held(data: bytes, **arguments: Any) -> bytes:
        assert go_on.wait(30)
        result: bytes = scrypt(data, **arguments)
        return result

    monkeypatch.setattr(passwords.hashlib, "scrypt", held)
    with contextlib.closing(passwords.PasswordHasher(10, threads=1, queue=3)) as hasher:
        waiting = [asyncio.ensure_future(hasher.hash(PASSWORD)) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(passwords.Overloaded):
            await hasher.hash(PASSWORD)
        # A client that disconnects frees its place in the queue, but not the running thread.
        waiting[2].cancel()
        await asyncio.wait([waiting[2]])
        waiting[2] = asyncio.ensure_future(hasher.hash(PASSWORD))
        await asyncio.sleep(0)
        with pytest.raises(passwords.Overloaded):
            await hasher.hash(PASSWORD)
        go_on.set()
        assert len(set(await asyncio.gather(*waiting))) == 3
        assert await hasher.hash(PASSWORD)


def test_readme_lists_every_option():
    text = (ROOT / "demos/api/README.md").read_text()
    source = (ROOT / "demos/api/main.py").read_text()
    for name in re.findall(r'define\(\s*"(\w+)"', source):
        assert f"--{name.replace('_', '-')}" in text, name
