"""Access tokens: JSON Web Tokens (RFC 7519, RFC 9068), valid for minutes and verified without a database."""

from __future__ import annotations

import dataclasses
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

#: The type of an access token, so that other tokens of this issuer are not accepted (RFC 9068 section 2.1).
TOKEN_TYPE = "at+jwt"
#: The claims that every token must have.
REQUIRED = ("iss", "aud", "exp", "nbf", "iat", "sub", "sid", "jti")
#: The maximum difference between the clocks of several servers in seconds.
LEEWAY = 10
#: The maximum length of a token in characters. Longer tokens are rejected without being parsed.
MAX_LENGTH = 4096
MIN_SECRET = 32
MIN_RSA_BITS = 2048

ALGORITHMS = ("EdDSA", "RS256", "HS256")


class TokenError(Exception):
    """The access token is malformed, expired, or not signed by this program."""


@dataclasses.dataclass(frozen=True, slots=True)
class Identity:
    """The verified claims of an access token.

    :ivar user_id: the user's number.
    :ivar session_id: the session that the token was issued in.
    """

    user_id: int
    session_id: str


@dataclasses.dataclass(frozen=True, slots=True)
class Key:
    """A pair of keys; for HS256 both are the same secret."""

    algorithm: str
    signing: Any = dataclasses.field(repr=False)
    verifying: Any = dataclasses.field(repr=False)


class AccessTokens:
    """Issues and verifies access tokens.

    The key, and not the ``alg`` in a token's header, determines which algorithm is accepted (RFC 8725 section
    3.1).

    :param issuer: ``iss`` of the tokens.
    :param audience: ``aud`` of the tokens, which identifies the API.
    :param lifetime: the time in seconds until a token expires.
    """

    def __init__(
        self, key: Key, issuer: str, audience: str, lifetime: int, clock: Callable[[], float] = time.time
    ) -> None:
        self._key = key
        self._issuer = issuer
        self._audience = audience
        self.lifetime = lifetime
        self._clock = clock

    def issue(self, user_id: int, session_id: str) -> str:
        """Return a token for a user's session."""
        now = int(self._clock())
        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": str(user_id),
            "sid": session_id,
            "iat": now,
            "nbf": now,
            "exp": now + self.lifetime,
            "jti": secrets.token_urlsafe(12),
        }
        return jwt.encode(claims, self._key.signing, self._key.algorithm, headers={"typ": TOKEN_TYPE})

    def verify(self, token: str) -> Identity:
        """Verify a token and return its claims.

        :raises TokenError: if it is not valid.
        """
        if len(token) > MAX_LENGTH:
            raise TokenError(f"the token is longer than {MAX_LENGTH} characters")
        try:
            decoded = jwt.decode_complete(
                token,
                self._key.verifying,
                algorithms=[self._key.algorithm],
                issuer=self._issuer,
                audience=self._audience,
                leeway=LEEWAY,
                options={"require": list(REQUIRED)},
            )
            claims = decoded["payload"]
            if decoded["header"].get("typ") != TOKEN_TYPE:
                raise TokenError("the token is not an access token")
            return Identity(int(claims["sub"]), str(claims["sid"]))
        except (jwt.PyJWTError, ValueError) as error:
            raise TokenError(str(error)) from error


def generate_key(algorithm: str) -> Key:
    """Return a new key, for one run of the program."""
    if algorithm == "EdDSA":
        return _pair(algorithm, ed25519.Ed25519PrivateKey.generate())
    if algorithm == "RS256":
        return _pair(algorithm, rsa.generate_private_key(public_exponent=65537, key_size=MIN_RSA_BITS))
    if algorithm == "HS256":
        secret = secrets.token_bytes(MIN_SECRET)
        return Key(algorithm, secret, secret)
    raise ValueError(f"unknown algorithm {algorithm!r}; expected one of {', '.join(ALGORITHMS)}")


def load_key(algorithm: str, path: Path) -> Key:
    """Read the key from a file: a private key in PEM, or for HS256 a secret of 32 bytes or more.

    :raises ValueError: if the file does not contain a key for this algorithm, or the key is too short.
    :raises OSError: if the file cannot be read.
    """
    data = path.read_bytes()
    if algorithm == "HS256":
        secret = data.strip()
        if len(secret) < MIN_SECRET:
            raise ValueError(f"{path}: HS256 needs a secret of {MIN_SECRET} bytes or more, got {len(secret)}")
        return Key(algorithm, secret, secret)
    try:
        private = serialization.load_pem_private_key(data, password=None)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: expected a private key in PEM without a password") from error
    if algorithm == "EdDSA" and isinstance(private, ed25519.Ed25519PrivateKey):
        return _pair(algorithm, private)
    if algorithm == "RS256" and isinstance(private, rsa.RSAPrivateKey):
        if private.key_size < MIN_RSA_BITS:
            raise ValueError(
                f"{path}: RS256 needs a key of {MIN_RSA_BITS} bits or more, got {private.key_size}"
            )
        return _pair(algorithm, private)
    raise ValueError(f"{path}: the key does not fit --algorithm={algorithm}")


def _pair(algorithm: str, private: ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey) -> Key:
    return Key(algorithm, private, private.public_key())
