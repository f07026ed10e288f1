"""Passwords, stored as scrypt hashes that are computed in a bounded number of threads."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import os
import threading
import unicodedata
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from tornado.web import HTTPError

R, P = 8, 5
SALT_SIZE = 16
HASH_SIZE = 32
#: The maximum memory of one computation in bytes: slightly more than 128 * N * r with the largest N.
MAX_MEMORY = 160 * 1024 * 1024
#: The range of the cost, which is log2(N): 2**14 takes 16 MiB and about 0.2 s.
MIN_COST, MAX_COST = 10, 17

T = TypeVar("T")


class Overloaded(HTTPError):
    """Raised when the queue of password computations is full. In a handler it causes a 503 response."""

    def __init__(self) -> None:
        super().__init__(
            503, "the queue of password hashing is full", public_message="Too busy, try again in a moment."
        )


class PasswordHasher:
    """Hashes and verifies passwords without blocking the event loop.

    Each computation is slow on purpose, so that the passwords in a stolen database are hard to guess. The
    number of threads bounds the CPU time and the memory that logins use; the queue bounds the waiting time.

    :param cost: log2 of scrypt's N. Hashes that were made with another cost remain valid.
    :param threads: the maximum number of concurrent computations.
    :param queue: the maximum number of computations that are running or waiting.
    """

    def __init__(self, cost: int = 14, threads: int = 2, queue: int = 32) -> None:
        if not MIN_COST <= cost <= MAX_COST:
            raise ValueError(f"the cost must be from {MIN_COST} to {MAX_COST}, got {cost}")
        self._cost = cost
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="scrypt")
        self._capacity = threading.BoundedSemaphore(queue)
        # A hash that no password matches, used for unknown users.
        self._unknown = _format(cost, os.urandom(SALT_SIZE), os.urandom(HASH_SIZE))

    async def hash(self, password: str) -> str:
        """Return the hash to store for a password.

        :raises Overloaded: if the queue is full.
        """
        return await self._run(lambda: _hash(password, self._cost))

    async def verify(self, password: str, stored: str | None) -> bool:
        """Whether the password is the stored one.

        :param stored: the value that `hash` returned, or None for an unknown user. For None, the result is
            False after an equal computation, so that the duration does not reveal which names exist.
        :raises Overloaded: if the queue is full.
        """
        known = self._unknown if stored is None else stored
        return await self._run(lambda: _verify(password, known)) and stored is not None

    def is_outdated(self, stored: str) -> bool:
        """Whether the hash was made with a cost other than the current one."""
        return _parse(stored)[0] != self._cost

    def close(self) -> None:
        """Cancel waiting computations, and wait for running ones."""
        self._executor.shutdown(cancel_futures=True)

    async def _run(self, compute: Callable[[], T]) -> T:
        if not self._capacity.acquire(blocking=False):
            raise Overloaded
        future: Future[T] = self._executor.submit(compute)
        # The callback runs when the thread has finished, even if the waiting handler was cancelled earlier.
        future.add_done_callback(lambda _: self._capacity.release())
        return await asyncio.wrap_future(future)


def _scrypt(password: str, salt: bytes, cost: int) -> bytes:
    # Different systems encode the same typed password with different code points (RFC 8265 section 4.2).
    data = unicodedata.normalize("NFC", password).encode()
    return hashlib.scrypt(data, salt=salt, n=2**cost, r=R, p=P, maxmem=MAX_MEMORY, dklen=HASH_SIZE)


def _hash(password: str, cost: int) -> str:
    salt = os.urandom(SALT_SIZE)
    return _format(cost, salt, _scrypt(password, salt, cost))


def _verify(password: str, stored: str) -> bool:
    cost, salt, expected = _parse(stored)
    return hmac.compare_digest(_scrypt(password, salt, cost), expected)


def _format(cost: int, salt: bytes, digest: bytes) -> str:
    return "$".join(["scrypt", str(cost), *(base64.b64encode(each).decode() for each in (salt, digest))])


def _parse(stored: str) -> tuple[int, bytes, bytes]:
    _, cost, salt, digest = stored.split("$")
    return int(cost), base64.b64decode(salt), base64.b64decode(digest)
