"""Client side of digest authentication (RFC 7616; servers of RFC 2617 and RFC 2069 are supported too).

Theory of operation
-------------------
`DigestAuth` stores one user name and password for one origin or one proxy. It receives the challenges of 401
(or 407) responses, and then computes the value of Authorization (or Proxy-Authorization) for each request,
with an increasing nonce count, so further requests do not need another challenge. `Authentication-Info` may
contain the next nonce.

`DigestAuth.receive_challenge` decides whether to repeat a request. The request is repeated if it had no
credentials, if the server declares the nonce stale, or if the nonce was accepted before. It is not repeated
if the nonce was new, because in that case the password is wrong. The number of consecutive challenges is
limited, because a server may declare every nonce stale.

The first supported challenge of a response is used (RFC 7616 section 3.7). The supported algorithms are MD5,
SHA-256 and SHA-512-256, each also in its session variant. ``qop`` is ``auth`` if offered, else ``auth-int``;
without a ``qop`` parameter the rules of RFC 2069 apply. A challenge with another algorithm, without realm or
nonce, or with only unknown ``qop`` values is ignored.

Names and passwords are normalized to NFC and encoded in UTF-8, regardless of ``charset``. The client nonce is
an argument, because this layer has no source of randomness. All requests after one challenge use the same
client nonce, because the key of the session variants depends on it. The nonce count makes the credentials of
each request distinct.
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

#: The maximum number of consecutive challenges to respond to.
MAX_CHALLENGES_IN_A_ROW: Final = 3

# RFC 7616 section 6.1: the name of the algorithm -> its name in hashlib
_HASHES = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}


@dataclasses.dataclass(frozen=True, slots=True)
class DigestChallenge:
    """A supported challenge.

    :ivar realm: the realm.
    :ivar nonce: the server's nonce.
    :ivar algorithm: the name of the algorithm as sent by the server, or None.
    :ivar qop: the quality of protection to use: ``auth``, ``auth-int``, or None for RFC 2069.
    :ivar opaque: a value to send back, or None.
    :ivar stale: whether the request was rejected only because of its nonce.
    :ivar userhash: whether the user name must be hashed.
    :ivar utf8: whether the server has declared that it uses UTF-8.
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
    """Return the first supported Digest challenge, or None.

    >>> choose_challenge(parse_challenges(['Digest realm="a", nonce="b", algorithm=SHA-256'])).hash_name
    'SHA-256'
    """
    for challenge in challenges:
        params = challenge.params
        if challenge.scheme != "digest" or "realm" not in params or "nonce" not in params:
            continue
        algorithm = params.get("algorithm")
        if not _is_available(_hash_name(algorithm)):
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
    """The credentials of one user for one origin or proxy, and the state of the authentication.

    :param username: the user name, which must not contain a colon.
    :param password: the password.
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
        "_consecutive_challenges",
        "_count",
        "_key",
        "_nonce",
        "_password",
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
        self._consecutive_challenges = 0
        self._accepted = False

    @property
    def ready(self) -> bool:
        """Whether a challenge has been received, so `authorize` can be called."""
        return self._challenge is not None

    @property
    def needs_body(self) -> bool:
        """Whether `authorize` requires the whole body, because the server uses ``auth-int``."""
        return self._challenge is not None and self._challenge.qop == "auth-int"

    def receive_challenge(self, fields: Iterable[str], cnonce: str, *, answered: bool) -> bool:
        """Process the challenges of a 401 or 407 response.

        :param fields: the values of WWW-Authenticate or Proxy-Authenticate.
        :param cnonce: a random token of at least 64 bits.
        :param answered: whether the rejected request had credentials from `authorize`.
        :returns: whether the request should be repeated with new credentials.
        """
        challenge = choose_challenge(parse_challenges(fields))
        if challenge is None:
            return False
        expired = challenge.stale or self._accepted
        self._accepted = False
        self._consecutive_challenges += 1
        if answered and (not expired or self._consecutive_challenges > MAX_CHALLENGES_IN_A_ROW):
            return False
        self._challenge = challenge
        self._nonce, self._cnonce, self._count = challenge.nonce, cnonce, 0
        self._key = self._hash(self._username.encode(), _octets(challenge.realm), self._password.encode())
        if challenge.session:
            self._key = self._hash(self._key, _octets(challenge.nonce), cnonce.encode())
        return True

    def receive_success(self, authentication_info: str | None = None) -> None:
        """Process a response with a status other than 401 and 407, which means that the server accepted the
        credentials.

        :param authentication_info: the field Authentication-Info or Proxy-Authentication-Info, or None. Its
            ``nextnonce`` is used from the next request on.
        """
        self._accepted = True
        self._consecutive_challenges = 0
        if authentication_info is not None:
            following = parse_auth_params(authentication_info).get("nextnonce")
            if following and following != self._nonce:
                self._nonce, self._count = following, 0

    def authorize(self, method: str, target: str, body: bytes | None = b"") -> str:
        """Return the credentials for a request, as the value of a field that is sent in Latin-1.

        :param method: the request's method.
        :param target: the request target, exactly as sent.
        :param body: the request's body, which is used only for ``auth-int``; None for a body that is not in
            memory.
        :raises ValueError: if the server requires ``auth-int`` and the body is not in memory.
        :raises RuntimeError: if no challenge has been received.
        """
        challenge = self._challenge
        if challenge is None:
            raise RuntimeError("authorize() called before receive_challenge()")
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
                "the server requires digest authentication with qop=auth-int, for which the body must be in "
                "memory: pass the body as bytes"
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


def _is_available(name: str) -> bool:
    """Whether this module and this build of OpenSSL support a hash."""
    if name not in _HASHES:
        return False
    try:
        _new_hash(name, b"")
    except ValueError:
        return False
    return True


def _new_hash(name: str, data: bytes) -> Any:
    # The server chooses the algorithm. OpenSSL in FIPS mode must not reject MD5 for this use.
    return hashlib.new(_HASHES[name], data, usedforsecurity=False)


def _octets(text: str) -> bytes:
    """Return the octets of a header field's text, as they were received."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode()  # the text was not received, but set by a program


def _escape(text: str) -> str:
    """Escape the content of a quoted string (RFC 9110 section 5.6.4)."""
    return text.replace("\\", "\\\\").replace('"', '\\"')
