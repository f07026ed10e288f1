"""Digest authentication: the examples of the RFCs, real servers, and supported challenges."""

from __future__ import annotations

import hashlib
import http.client
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.support.auth_servers import PASSWORD, USER, running_apache, running_lighttpd
from tornado._wire.challenges import parse_auth_params, parse_challenges
from tornado._wire.digest import MAX_CHALLENGES_IN_A_ROW, DigestAuth, choose_challenge

# RFC 7616 section 3.9.1
_COMMON = (
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", '
    'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)
RFC_7616 = [
    f'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={algorithm}, {_COMMON}'
    for algorithm in ("SHA-256", "MD5")
]
CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"


def params_of(authorization: str) -> dict[str, str]:
    scheme, _, rest = authorization.partition(" ")
    assert scheme == "Digest"
    params = parse_auth_params(rest)
    assert params
    return params


def challenged(challenge: str | list[str], user: str = "user", password: str = "password") -> DigestAuth:
    auth = DigestAuth(user, password)
    fields = [challenge] if isinstance(challenge, str) else challenge
    assert auth.receive_challenge(fields, "cnonce", answered=False)
    return auth


@pytest.mark.parametrize(
    ("fields", "response"),
    [
        (RFC_7616, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        (RFC_7616[::-1], "8ca523f5e9506fed4657c9700eebdbec"),
    ],
)
def test_examples_of_rfc_7616(fields: list[str], response: str) -> None:
    auth = DigestAuth("Mufasa", "Circle of Life")
    assert auth.receive_challenge(fields, CNONCE, answered=False)
    assert params_of(auth.authorize("GET", "/dir/index.html")) == {
        "username": "Mufasa",
        "realm": "http-auth@example.org",
        "uri": "/dir/index.html",
        "algorithm": "SHA-256" if len(response) == 64 else "MD5",
        "nonce": "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
        "nc": "00000001",
        "cnonce": CNONCE,
        "qop": "auth",
        "response": response,
        "opaque": "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS",
    }


def test_example_of_rfc_7616_with_user_hash_and_charset() -> None:
    # Section 3.9.2, with the values of erratum 4897, because the values in the RFC are not SHA-512/256
    # hashes.
    auth = DigestAuth("J\u00e4s\u00f8n Doe", "Secret, or not?")
    challenge = (
        'Digest realm="api@example.org", qop="auth", algorithm=SHA-512-256, '
        'nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK", '
        'opaque="HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS", charset=UTF-8, userhash=true'
    )
    assert auth.receive_challenge([challenge], "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v", answered=False)
    params = params_of(auth.authorize("GET", "/doe.json"))
    assert params["username"] == "793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b"
    assert params["response"] == "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5"
    assert params["userhash"] == "true"


def test_example_of_rfc_2617() -> None:
    auth = DigestAuth("Mufasa", "Circle Of Life")
    challenge = (
        'Digest realm="testrealm@host.com", qop="auth,auth-int", '
        'nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"'
    )
    assert auth.receive_challenge([challenge], "0a4f113b", answered=False)
    params = params_of(auth.authorize("GET", "/dir/index.html"))
    assert params["response"] == "6629fae49393a05397450978507c4ef1"
    assert "algorithm" not in params


def test_example_of_rfc_2069() -> None:
    # The expected response is that of erratum 749 to the RFC.
    auth = DigestAuth("Mufasa", "CircleOfLife")
    challenge = (
        'Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", '
        'opaque="5ccc069c403ebaf9f0171e9517f40e41"'
    )
    assert auth.receive_challenge([challenge], "unused", answered=False)
    params = params_of(auth.authorize("GET", "/dir/index.html"))
    assert params["response"] == "1949323746fe6a43ef61f9606e7febea"
    assert not {"qop", "nc", "cnonce"} & params.keys()


def reference(params: dict[str, str], hash_name: str, password: str, method: str, body: bytes) -> str:
    """Compute the response by the formulas of RFC 7616 section 3.4, independently."""

    def h(text: str) -> str:
        return hashlib.new(hash_name, text.encode()).hexdigest()

    a1 = f"{params['username']}:{params['realm']}:{password}"
    if params["algorithm"].endswith("-sess"):
        a1 = f"{h(a1)}:{params['nonce']}:{params['cnonce']}"
    a2 = f"{method}:{params['uri']}"
    if params["qop"] == "auth-int":
        a2 += ":" + hashlib.new(hash_name, body).hexdigest()
    middle = f"{params['nonce']}:{params['nc']}:{params['cnonce']}:{params['qop']}"
    return h(f"{h(a1)}:{middle}:{h(a2)}")


@pytest.mark.parametrize(
    "algorithm", ["MD5", "MD5-sess", "SHA-256", "SHA-256-sess", "SHA-512-256", "SHA-512-256-sess"]
)
@pytest.mark.parametrize("qop", ["auth", "auth-int"])
def test_responses_of_every_algorithm_agree_with_the_formulas(algorithm: str, qop: str) -> None:
    auth = challenged(f'Digest realm="r", nonce="n", qop="{qop}", algorithm={algorithm}')
    hash_name = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}[
        algorithm.removesuffix("-sess")
    ]
    for count in range(1, 4):
        params = params_of(auth.authorize("POST", "/a?b", b"body"))
        assert params["nc"] == f"{count:08x}"
        assert params["response"] == reference(params, hash_name, "password", "POST", b"body")


@pytest.mark.parametrize(
    ("params", "chosen"),
    [
        ({}, True),
        ({"algorithm": "md5"}, True),
        ({"algorithm": "SHA-1"}, False),
        ({"algorithm": "sha-256-SESS"}, True),
        ({"qop": '"auth-int"'}, True),
        ({"qop": '"x, AUTH"'}, True),
        ({"qop": "x"}, False),
        ({"qop": '""'}, False),
        ({"realm": None}, False),
        ({"nonce": None}, False),
    ],
)
def test_only_supported_challenges_are_chosen(params: dict[str, str | None], chosen: bool) -> None:
    whole = {"realm": "r", "nonce": "n", **params}
    field = "Digest " + ", ".join(f"{name}={value}" for name, value in whole.items() if value is not None)
    challenge = choose_challenge(parse_challenges([field]))
    assert (challenge is not None) is chosen


def test_first_supported_challenge_is_used() -> None:
    fields = [
        'Basic realm="a", Digest realm=b, nonce=c, algorithm=X, Digest realm=d, nonce=e',
        "Digest realm=f, nonce=g",
    ]
    challenge = choose_challenge(parse_challenges(fields))
    assert challenge is not None
    assert challenge.realm == "d"
    assert choose_challenge(parse_challenges(['Basic realm="a"'])) is None


def test_hash_missing_from_openssl_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    real = hashlib.new

    def limited(name: str, *args: object, **kwargs: object) -> object:
        if name == "sha512_256":
            raise ValueError("unsupported hash type sha512_256")
        return real(name, *args, **kwargs)  # type: ignore[call-overload]

    monkeypatch.setattr(hashlib, "new", limited)
    fields = ["Digest realm=a, nonce=b, algorithm=SHA-512-256, Digest realm=a, nonce=b, algorithm=SHA-256"]
    challenge = choose_challenge(parse_challenges(fields))
    assert challenge is not None
    assert challenge.hash_name == "SHA-256"


def test_auth_is_preferred_to_auth_int() -> None:
    auth = challenged('Digest realm=a, nonce=b, qop="auth-int, auth"')
    assert not auth.needs_body
    assert params_of(auth.authorize("POST", "/", None))["qop"] == "auth"


def test_auth_int_needs_the_body() -> None:
    auth = challenged("Digest realm=a, nonce=b, qop=auth-int")
    assert auth.needs_body
    with pytest.raises(ValueError, match="the body must be in memory"):
        auth.authorize("POST", "/", None)


def test_wrong_password_is_not_retried() -> None:
    auth = DigestAuth("user", "wrong")
    assert not auth.ready
    assert auth.receive_challenge(["Digest realm=a, nonce=b"], "c", answered=False)
    assert auth.ready
    auth.authorize("GET", "/")
    assert not auth.receive_challenge(["Digest realm=a, nonce=d"], "c", answered=True)


def test_stale_nonce_is_replaced() -> None:
    auth = challenged("Digest realm=a, nonce=b, qop=auth")
    auth.authorize("GET", "/")
    assert auth.receive_challenge(["Digest realm=a, nonce=d, qop=auth, stale=TRUE"], "c", answered=True)
    params = params_of(auth.authorize("GET", "/"))
    assert (params["nonce"], params["nc"]) == ("d", "00000001")


def test_rejected_nonce_that_was_accepted_before_is_stale() -> None:
    """Some servers send a challenge with a new nonce, but without ``stale``."""
    auth = challenged("Digest realm=a, nonce=b")
    auth.receive_success()
    assert auth.receive_challenge(["Digest realm=a, nonce=d"], "c", answered=True)
    assert not auth.receive_challenge(["Digest realm=a, nonce=e"], "c", answered=True)


def test_server_that_calls_every_nonce_stale() -> None:
    auth = DigestAuth("user", "password")
    repeats = 0
    while auth.receive_challenge(["Digest realm=a, nonce=b, stale=true"], "c", answered=repeats > 0):
        repeats += 1
        assert repeats < 10
    assert repeats == MAX_CHALLENGES_IN_A_ROW


def test_response_without_a_usable_challenge() -> None:
    auth = DigestAuth("user", "password")
    assert not auth.receive_challenge(["Basic realm=a"], "c", answered=False)
    assert not auth.receive_challenge([], "c", answered=False)
    with pytest.raises(RuntimeError, match="before receive_challenge"):
        auth.authorize("GET", "/")


def test_next_nonce_of_a_response_is_used() -> None:
    auth = challenged("Digest realm=a, nonce=b, qop=auth")
    auth.authorize("GET", "/")
    auth.receive_success('nextnonce="n2", qop=auth')
    assert 'nonce="n2", uri="/", qop=auth, nc=00000001,' in auth.authorize("GET", "/")
    for same in ('nextnonce="n2"', "qop=auth", 'nextnonce=""', "nextnonce", ""):
        auth.receive_success(same)
    assert 'nonce="n2", uri="/", qop=auth, nc=00000002,' in auth.authorize("GET", "/")


def test_session_key_is_kept_with_the_next_nonce() -> None:
    auth = challenged("Digest realm=r, nonce=n, qop=auth, algorithm=MD5-sess")
    auth.receive_success("nextnonce=n2")
    params = params_of(auth.authorize("GET", "/"))

    def h(text: str) -> str:
        return hashlib.md5(text.encode()).hexdigest()

    key = h(f"{h('user:r:password')}:n:cnonce")
    assert params["response"] == h(f"{key}:n2:00000001:cnonce:auth:{h('GET:/')}")


def test_three_forms_of_user_names() -> None:
    plain = 'Digest realm="r", nonce="n"'
    user = "J\u00e4s\u00f8n \u4e2d"
    assert 'username="a \\"b\\" \\\\c"' in challenged(plain, 'a "b" \\c').authorize("GET", "/")
    # The name consists of the octets of UTF-8, because field values are serialized in Latin-1.
    assert f'username="{user.encode().decode("latin-1")}"' in challenged(plain, user).authorize("GET", "/")
    extended = challenged(plain + ", charset=utf-8", user).authorize("GET", "/")
    assert "username*=UTF-8''J%C3%A4s%C3%B8n%20%E4%B8%AD, " in extended
    assert 'username="ascii"' in challenged(plain + ", charset=utf-8", "ascii").authorize("GET", "/")
    # Names in decomposed and composed characters are equal.
    assert challenged(plain, "a\u0308").authorize("GET", "/") == challenged(plain, "\u00e4").authorize(
        "GET", "/"
    )
    with pytest.raises(ValueError, match="must not contain a colon: 'a:b'"):
        DigestAuth("a:b", "c")


def test_non_ascii_realm_is_hashed_as_received() -> None:
    received = "r\u00e9alm".encode().decode("latin-1")
    params = params_of(challenged(f'Digest realm="{received}", nonce="n"').authorize("GET", "/"))
    ha1 = hashlib.md5("user:r\u00e9alm:password".encode()).hexdigest()
    ha2 = hashlib.md5(b"GET:/").hexdigest()
    assert params["response"] == hashlib.md5(f"{ha1}:n:{ha2}".encode()).hexdigest()
    # This text cannot occur in a header field; only a program can pass it.
    assert challenged('Digest realm="\u4e2d", nonce="n"').authorize("GET", "/")


# -- real servers


@pytest.fixture(scope="module", params=[running_lighttpd, running_apache], ids=["lighttpd", "apache"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, int]]:
    start: Callable[[Path], AbstractContextManager[int]] = request.param
    with start(tmp_path_factory.mktemp("server")) as port:
        yield start.__name__, port


def get(port: int, path: str, authorization: str | None = None) -> tuple[int, list[str], bytes, str | None]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path, headers={"Authorization": authorization} if authorization else {})
    response = connection.getresponse()
    body = response.read()
    connection.close()
    challenges = response.headers.get_all("WWW-Authenticate") or []
    return response.status, challenges, body, response.headers.get("Authentication-Info")


@pytest.mark.parametrize("path", ["/md5", "/sha256", "/both"])
def test_real_servers_accept_the_credentials(server: tuple[str, int], path: str) -> None:
    name, port = server
    if name == "running_apache" and path != "/md5":
        path = "/md5?" + path
    status, challenges, _, _ = get(port, path)
    assert status == 401
    auth = DigestAuth(USER, PASSWORD)
    assert auth.receive_challenge(challenges, "0123456789abcdef", answered=False)
    for _ in range(3):  # the nonce count increases, the nonce does not change
        status, challenges, body, info = get(port, path, auth.authorize("GET", path))
        assert status == 200, challenges
        assert body.startswith(b"the content of ")
        auth.receive_success(info)
    # The server rejects an unknown nonce, and accepts the credentials for its new challenge.
    invalid = re.sub(r'nonce="[^"]*"', 'nonce="AAAA"', auth.authorize("GET", path), count=1)
    status, challenges, _, _ = get(port, path, invalid)
    assert status in (400, 401)
    if status == 401:
        assert auth.receive_challenge(challenges, "fedcba9876543210", answered=True)
        assert get(port, path, auth.authorize("GET", path))[0] == 200


def test_real_servers_refuse_wrong_passwords(server: tuple[str, int]) -> None:
    _, port = server
    auth = DigestAuth(USER, "wrong")
    assert auth.receive_challenge(get(port, "/md5")[1], "0123456789abcdef", answered=False)
    status, challenges, _, _ = get(port, "/md5", auth.authorize("GET", "/md5"))
    assert status == 401
    assert not auth.receive_challenge(challenges, "0123456789abcdef", answered=True)
