"""Versions of static files: hashes of the content, computed once for each state of a file.

A state is identified by `_static_paths.identity`. File systems record times coarsely, so a file that was just
modified may change again without a change of its identity. The version of such a file is used but not cached.

For the entity tag of a response, a large file is hashed in a thread. `static_url` is synchronous, so the file
is hashed in the event loop thread the first time.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import os
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from tornado.iostream._file_segment import read_at
from tornado.web._files._static_paths import Identity, OpenFile, identity
from tornado.web._internal_threads import InternalThreads

#: The identity and the version of each file, by path.
Hashes = dict[str, tuple[tuple[int, ...] | None, str | None]]
#: The maximum size, in bytes, of a file that is hashed in the event loop thread. Hashing a file of this size
#: takes half a millisecond.
_MAX_SYNC_SIZE = 256 * 1024
_READ_SIZE = 256 * 1024
#: The time in nanoseconds after a change during which a second change may leave the modification time
#: unchanged: a few ticks of the kernel's clock, or more for file systems that record whole seconds (FAT: two
#: seconds).
_TICK = 50_000_000
_COARSE_TICK = 2_000_000_000

_workers = InternalThreads("static-version")
_pending_hashes: dict[tuple[Any, Identity], asyncio.Future[str | None]] = {}


class Limits(Protocol):
    """The attributes of a `StaticFileHandler` class that limit hashing."""

    @property
    def MAX_CACHED_VERSIONS(self) -> int: ...
    @property
    def MAX_VERSION_CONTENT_SIZE(self) -> int: ...


def version_of_large_file(found: os.stat_result) -> str:
    """Return the version of a file that is too large to be hashed: its modification time and size."""
    return f"{found.st_mtime_ns:x}-{found.st_size:x}"


def weak_etag(file: OpenFile) -> str:
    """Return an entity tag for a file that is being modified; weak, so that clients do not combine ranges."""
    return f'W/"{version_of_large_file(file.stat)}"'


def is_settled(modified: int, now: int | None = None) -> bool:
    """Whether a further change of a file would change its modification time.

    :param modified: the modification time in nanoseconds since the epoch.
    """
    age = (time.time_ns() if now is None else now) - modified
    tick = _TICK if modified % 1_000_000_000 else _COARSE_TICK
    return not -tick < age < tick


class VersionCache:
    """The most recently used versions, by path, for one or more `StaticFileHandler` classes.

    :param hashes: stores the identity and the version of each file, the least recently used one first. It
        may belong to a program, so only the operations of a plain dict are used.
    :param lock: held during each change.
    """

    __slots__ = ("_hashes", "_lock")

    def __init__(self, hashes: Hashes, lock: threading.Lock) -> None:
        self._hashes = hashes
        self._lock = lock

    def clear(self) -> None:
        """Remove all versions."""
        with self._lock:
            self._hashes.clear()

    def get(self, path: str, state: tuple[int, ...] | None) -> tuple[str | None] | None:
        """Return the cached version of a file, in a tuple because it may be None; None if not cached.

        :param state: the identity of the file.
        """
        with self._lock:
            known = self._hashes.get(path)
            if known is None or known[0] != state:
                return None
            self._hashes[path] = self._hashes.pop(path)  # it is now the most recently used one
            return (known[1],)

    def store(
        self,
        path: str,
        state: tuple[int, ...] | None,
        version: str | None,
        max_versions: int,
        always: bool = False,
    ) -> None:
        """Cache a version, unless the file may change without a change of its identity.

        :param max_versions: the number of versions to keep.
        :param always: whether to cache the version in any case.
        """
        with self._lock:
            if not always and state is not None and not is_settled(state[3]):
                self._hashes.pop(path, None)
                return
            self._hashes[path] = (state, version)
            while len(self._hashes) > max_versions:
                del self._hashes[next(iter(self._hashes))]

    async def version_of(self, file: OpenFile, limits: Limits) -> str | None:
        """Return the version of an open file, or None if it is modified while it is hashed.

        :raises OSError: if the file cannot be read.
        """
        state = identity(file.stat)
        known = self._without_hashing(file, state, limits)
        if known is not None:
            return known[0]
        if file.stat.st_size <= _MAX_SYNC_SIZE:
            version = _hash(file.fd, state)
        else:
            store = functools.partial(self._store_hash, file.path, state, limits.MAX_CACHED_VERSIONS)
            version = await _hash_in_thread(file.fd, state, store)
        self.store(file.path, state, version, limits.MAX_CACHED_VERSIONS)
        return version

    def _store_hash(self, path: str, state: Identity, max_versions: int, version: str | None) -> None:
        self.store(path, state, version, max_versions)

    def version_of_sync(self, file: OpenFile, limits: Limits) -> str | None:
        """Return the version as `version_of` does, without a thread, for synchronous callers."""
        state = identity(file.stat)
        known = self._without_hashing(file, state, limits)
        if known is not None:
            return known[0]
        version = _hash(file.fd, state)
        self.store(file.path, state, version, limits.MAX_CACHED_VERSIONS)
        return version

    def _without_hashing(self, file: OpenFile, state: Identity, limits: Limits) -> tuple[str | None] | None:
        """Return the version of a large file, or the cached version, in a tuple because it may be None.

        :returns: None if the file must be hashed.
        """
        found = file.stat
        if found.st_size > limits.MAX_VERSION_CONTENT_SIZE:
            # Shortly after a modification, another one may leave time and size unchanged.
            return (version_of_large_file(found) if is_settled(found.st_mtime_ns) else None,)
        return self.get(file.path, state)


def _hash(fd: int, state: Identity) -> str | None:
    hasher = hashlib.sha512()
    done, size = 0, state[2]
    while done < size:
        part = read_at(fd, min(_READ_SIZE, size - done), done)
        if not part:
            return None
        hasher.update(part)
        done += len(part)
        if identity(os.fstat(fd)) != state:
            return None  # the file is being modified, and the parts read may belong to different states
    return hasher.hexdigest()


async def _hash_in_thread(fd: int, state: Identity, store: Callable[[str | None], None]) -> str | None:
    """Hash a file in a thread. Concurrent requests for the same state of a file share one result.

    :param store: called with the result, also if the caller has been cancelled.
    """
    loop = asyncio.get_running_loop()
    key = (loop, state)
    future = _pending_hashes.get(key)
    if future is None:
        own = os.dup(fd)  # the caller may be cancelled and close its descriptor

        def work() -> str | None:
            try:
                return _hash(own, state)
            finally:
                os.close(own)

        future = _pending_hashes[key] = loop.run_in_executor(_workers.executor(), work)

        def done(future: asyncio.Future[str | None]) -> None:
            # The result is stored before the waiters resume: a request that arrives between hashes nothing.
            _pending_hashes.pop(key, None)
            if not future.cancelled() and future.exception() is None:
                store(future.result())

        future.add_done_callback(done)
    return await asyncio.shield(future)
