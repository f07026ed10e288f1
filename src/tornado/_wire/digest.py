"""Digest authentication, the client's side (RFC 7616, and servers of RFC 2617 and RFC 2069).

Theory of operation
-------------------
`DigestAuth` belongs to one user name and password at one origin, or at one proxy. It is given the challenges
of 401 (or 407) responses and then makes the value of Authorization (or Proxy-Authorization) for each request,
with a rising nonce count, so that further requests need no new challenge. `Authentication-Info` may bring the
next nonce.

`DigestAuth.receive_challenge` decides whether a request is worth repeating: yes if it carried no answer, if
the server calls the nonce stale, or if the nonce worked before; no if the answer was fresh, because then the
password is wrong. The number of challenges in a row is bounded, as a server may call every nonce stale.

Among the challenges of a response the first one that can be answered is used (RFC 7616 section 3.7).
Algorithms are MD5, SHA-256 and SHA-512-256, each also in its session variant; ``qop`` is ``auth`` where
offered, else ``auth-int``, else that of RFC 2069. A challenge with another algorithm, without realm or nonce,
or with nothing but unknown ``qop`` values is passed over.

Names and passwords are normalised to NFC and encoded in UTF-8, whatever ``charset`` says. The client nonce is
an argument: this layer has no randomness. It is the same for all answers to one challenge, which makes the
session variants unambiguous; the nonce count keeps answers distinct.
"""

from __future__ import annotations

import dataclasses
import hashlib
import unicodedata
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import quote

from tornado._wire.challenges import Challenge, parse_auth_params, parse_challenges

__all__ = ["MAX_CHALLENGES_IN_A_ROW", "DigestAuth", "DigestChallenge", "choose_challenge"]

#: The number of consecutive challenges that are answered.
MAX_CHALLENGES_IN_A_ROW: Final = 3

# RFC 7616 section 6.1: the algorithm's name -> hashlib's
_HASHES = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}


@dataclasses.dataclass(frozen=True, slots=True)
class DigestChallenge:
    """A challenge that can be answered.

    :ivar algorithm: the name as the server wrote it, or None.
    :ivar qop: the quality of protection to use: ``auth``, ``auth-int``, or None for RFC 2069.
    :ivar stale: whether the server says that only the nonce was wrong.
    """

    realm: str
    nonce: str
    algorithm: str | None
    qop: str | None
    opaque: str | None
    stale: bool
    userhash: bool
    utf8: bool

    @property
    def hash_name(self) -> str:
        """The name of the hash, without the session suffix."""
        return _hash_name(self.algorithm)

    @property
    def session(self) -> bool:
        """Whether the algorithm is a session variant."""
        return self.algorithm is not None and self.algorithm.upper().endswith("-SESS")


def choose_challenge(challenges: Iterable[Challenge]) -> DigestChallenge | None:
    """Return the first Digest challenge that can be answered, or None.

    >>> choose_challenge(parse_challenges(['Digest realm="a", nonce="b", algorithm=SHA-256'])).hash_name
    'SHA-256'
    """
    for challenge in challenges:
        params = challenge.params
        if challenge.scheme != "digest" or "realm" not in params or "nonce" not in params:
            continue
        algorithm = params.get("algorithm")
        if not _available(_hash_name(algorithm)):
            continue
        qop: str | None = None
        if "qop" in params:
            offered = [word.strip(" \t").lower() for word in params["qop"].split(",")]
            qop = next((word for word in ("auth", "auth-int") if word in offered), None)
            if qop is None:
                continue
        return DigestChallenge(
            realm=params["realm"],
            nonce=params["nonce"],
            algorithm=algorithm,
            qop=qop,
            opaque=params.get("opaque"),
            stale=params.get("stale", "").lower() == "true",
            userhash=params.get("userhash", "").lower() == "true",
            utf8=params.get("charset", "").upper() == "UTF-8",
        )
    return None


class DigestAuth:
    """The credentials of one user at one origin or proxy, and the state of the exchange with it.

    :arg username: must not contain a colon.
    :arg password: any text.
    :raises ValueError: if the user name contains a colon, which would make the digest ambiguous.

    >>> auth = DigestAuth("Mufasa", "Circle of Life")
    >>> auth.receive_challenge(['Digest realm="r", nonce="n", qop="auth"'], "c", answered=False)
    True
    >>> auth.authorize("GET", "/")[:45]
    'Digest username="Mufasa", realm="r", nonce="n'
    """

    __slots__ = (
        "_accepted",
        "_challenge",
        "_cnonce",
        "_count",
        "_key",
        "_nonce",
        "_password",
        "_row",
        "_username",
    )

    def __init__(self, username: str, password: str) -> None:
        if ":" in username:
            raise ValueError(f"a user name for digest authentication must not contain a colon: {username!r}")
        self._username = unicodedata.normalize("NFC", username)
        self._password = unicodedata.normalize("NFC", password)
        self._challenge: DigestChallenge | None = None
        self._nonce = self._cnonce = ""
        self._key = b""  # the hash of A1, in hexadecimal digits
        self._count = 0
        self._row = 0
        self._accepted = False

    @property
    def ready(self) -> bool:
        """Whether a challenge is known, so that requests can be answered in advance."""
        return self._challenge is not None

    @property
    def needs_body(self) -> bool:
        """Whether `authorize` needs the whole body, because the server protects it by ``auth-int``."""
        return self._challenge is not None and self._challenge.qop == "auth-int"

    def receive_challenge(self, fields: Iterable[str], cnonce: str, *, answered: bool) -> bool:
        """Take the challenges of a 401 or 407 response.

        :arg fields: the values of WWW-Authenticate or Proxy-Authenticate.
        :arg cnonce: a random token of at least 64 bits.
        :arg answered: whether the refused request carried credentials made by `authorize`.
        :returns: whether the request should be repeated, with new credentials.
        """
        challenge = choose_challenge(parse_challenges(fields))
        if challenge is None:
            return False
        expired = challenge.stale or self._accepted
        self._accepted = False
        self._row += 1
        if answered and (not expired or self._row > MAX_CHALLENGES_IN_A_ROW):
            return False
        self._challenge = challenge
        self._nonce, self._cnonce, self._count = challenge.nonce, cnonce, 0
        self._key = self._hash(self._username.encode(), _octets(challenge.realm), self._password.encode())
        if challenge.session:
            self._key = self._hash(self._key, _octets(challenge.nonce), cnonce.encode())
        return True

    def receive_success(self, authentication_info: str | None = None) -> None:
        """Take note that credentials were accepted: the response was neither 401 nor 407.

        :arg authentication_info: the field Authentication-Info or Proxy-Authentication-Info; its
            ``nextnonce`` is used from the next request on.
        """
        self._accepted = True
        self._row = 0
        if authentication_info is not None:
            following = parse_auth_params(authentication_info).get("nextnonce")
            if following and following != self._nonce:
                self._nonce, self._count = following, 0

    def authorize(self, method: str, target: str, body: bytes | None = b"") -> str:
        """Return the credentials for a request, as the value of a field that is sent in latin-1.

        :arg method: the request's method.
        :arg target: its request target, exactly as sent.
        :arg body: its body, which only ``auth-int`` looks at; None for a body that is not in memory.
        :raises ValueError: if the server demands ``auth-int`` and the body is not in memory.
        :raises RuntimeError: before the first challenge.
        """
        challenge = self._challenge
        if challenge is None:
            raise RuntimeError("authorize() before receive_challenge()")
        ha2 = self._hash_request(method, target, body)
        params = [
            *self._user_params(challenge),
            f'realm="{_escape(challenge.realm)}"',
            f'nonce="{_escape(self._nonce)}"',
            f'uri="{_escape(target)}"',
        ]
        if challenge.algorithm is not None:
            params.append(f"algorithm={challenge.algorithm}")
        if challenge.qop is None:
            response = self._hash(self._key, _octets(self._nonce), ha2)
        else:
            self._count += 1
            count = f"{self._count:08x}"
            middle = f"{self._nonce}:{count}:{self._cnonce}:{challenge.qop}"
            response = self._hash(self._key, _octets(middle), ha2)
            params += [f"qop={challenge.qop}", f"nc={count}", f'cnonce="{self._cnonce}"']
        params.append(f'response="{response.decode()}"')
        if challenge.opaque is not None:
            params.append(f'opaque="{_escape(challenge.opaque)}"')
        if challenge.userhash:
            params.append("userhash=true")
        return "Digest " + ", ".join(params)

    def _hash_request(self, method: str, target: str, body: bytes | None) -> bytes:
        """Return the hash of A2 (RFC 7616 section 3.4.3)."""
        if not self.needs_body:
            return self._hash(method.encode(), _octets(target))
        if body is None:
            raise ValueError(
                "the server demands digest authentication with qop=auth-int, which needs the body in memory: "
                "pass the body as bytes"
            )
        return self._hash(method.encode(), _octets(target), self._hash(body))

    def _user_params(self, challenge: DigestChallenge) -> list[str]:
        """Return the user name in one of its three forms (RFC 7616 sections 3.4 and 3.4.4)."""
        name = self._username
        if challenge.userhash:
            return [f'username="{self._hash(name.encode(), _octets(challenge.realm)).decode()}"']
        if challenge.utf8 and not name.isascii():
            return [f"username*=UTF-8''{quote(name, safe='')}"]
        return [f'username="{_escape(name.encode().decode("latin-1"))}"']

    def _hash(self, *parts: bytes) -> bytes:
        """Return the hash of the parts, joined by colons, in hexadecimal digits."""
        assert self._challenge is not None
        digest: str = _new_hash(self._challenge.hash_name, b":".join(parts)).hexdigest()
        return digest.encode()


def _hash_name(algorithm: str | None) -> str:
    name = "MD5" if algorithm is None else algorithm.upper()
    return name.removesuffix("-SESS")


def _available(name: str) -> bool:
    """Whether a hash is known, and present in this build of OpenSSL."""
    if name not in _HASHES:
        return False
    try:
        _new_hash(name, b"")
    except ValueError:
        return False
    return True


def _new_hash(name: str, data: bytes) -> Any:
    # MD5 is not a protection here, but what the server demands.
    return hashlib.new(_HASHES[name], data, usedforsecurity=False)


def _octets(text: str) -> bytes:
    """Return text from a header field as the octets it was received as."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode()  # from a program rather than from the wire


def _escape(text: str) -> str:
    """Escape the content of a quoted string (RFC 9110 section 5.6.4)."""
    return text.replace("\\", "\\\\").replace('"', '\\"')
