"""Versions of static files: a hash of the content, computed once for each state of a file.

A state is told by the file's identity (`_static_paths.identity`). Clocks of file systems tick coarsely, so a
file that was changed a moment ago may change again without showing it: what was computed of such a one is
used, but not kept.

A large file is hashed in a thread where somebody can wait for it, that is for the entity tag of a response. A
static address has to be made at once: its file is hashed on the loop, the first time.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from typing import TYPE_CHECKING, Any

from tornado.iostream._file_segment import read_at
from tornado.web._static_paths import Identity, OpenFile, identity
from tornado.web._worker_threads import Workers

if TYPE_CHECKING:
    from tornado.web._static import StaticFileHandler

#: Bytes up to which a file is hashed in place: half a millisecond's work.
_AT_ONCE = 256 * 1024
_PART = 256 * 1024
#: Nanoseconds after a change in which another one may not show: some ticks of the kernel's clock, and for
#: file systems that know whole seconds only (FAT even two) more.
_TICK = 50_000_000
_COARSE_TICK = 2_000_000_000

_workers = Workers("static-version")
_under_way: dict[tuple[Any, Identity], asyncio.Future[str | None]] = {}


def of_large(found: os.stat_result) -> str:
    """The version of a file that is too large to be hashed: its time and size."""
    return f"{found.st_mtime_ns:x}-{found.st_size:x}"


def weak_tag(file: OpenFile) -> str:
    """The entity tag of an open file that is being changed: none of its bytes can be relied on."""
    return f'W/"{of_large(file.stat)}"'


def is_settled(modified: int, now: int | None = None) -> bool:
    """Whether a file that was changed at `modified` (in nanoseconds) would show another change."""
    age = (time.time_ns() if now is None else now) - modified
    tick = _TICK if modified % 1_000_000_000 else _COARSE_TICK
    return not -tick < age < tick


def recall(
    handler: type[StaticFileHandler], path: str, state: tuple[int, ...] | None
) -> tuple[str | None] | None:
    """The version kept for a state of the file at `path`, in a tuple as it may be None; None: not kept."""
    hashes = handler._static_hashes
    with handler._lock:
        known = hashes.get(path)
        if known is None or known[0] != state:
            return None
        hashes.move_to_end(path)
        return (known[1],)


def keep(
    handler: type[StaticFileHandler],
    path: str,
    state: tuple[int, ...] | None,
    version: str | None,
    always: bool = False,
) -> None:
    """Remember a version, unless the file may change unseen; with `always` even then."""
    hashes = handler._static_hashes
    with handler._lock:
        if not always and state is not None and not is_settled(state[3]):
            hashes.pop(path, None)
            return
        hashes[path] = (state, version)
        while len(hashes) > handler.MAX_CACHED_VERSIONS:
            hashes.popitem(last=False)


async def of_open(handler: type[StaticFileHandler], file: OpenFile) -> str | None:
    """The version of an open file; None if it is being changed meanwhile.

    :raises OSError: if it cannot be read.
    """
    state = identity(file.stat)
    known = _without_hashing(handler, file, state)
    if known is not None:
        return known[0]
    if file.stat.st_size <= _AT_ONCE:
        version = _hash(file.fd, state)
    else:
        version = await _hash_elsewhere(file.fd, state)
    keep(handler, file.path, state, version)
    return version


def of_open_at_once(handler: type[StaticFileHandler], file: OpenFile) -> str | None:
    """As `of_open`, for who cannot wait."""
    state = identity(file.stat)
    known = _without_hashing(handler, file, state)
    if known is not None:
        return known[0]
    version = _hash(file.fd, state)
    keep(handler, file.path, state, version)
    return version


def _without_hashing(
    handler: type[StaticFileHandler], file: OpenFile, state: Identity
) -> tuple[str | None] | None:
    """The version of a large file, or one that was kept, in a tuple as it may be None; None: neither."""
    found = file.stat
    if found.st_size > handler.MAX_VERSION_CONTENT_SIZE:
        # A change that does not show yet would leave time and size as they are.
        return (of_large(found) if is_settled(found.st_mtime_ns) else None,)
    return recall(handler, file.path, state)


def _hash(fd: int, state: Identity) -> str | None:
    hasher = hashlib.sha512()
    done, size = 0, state[2]
    while done < size:
        part = read_at(fd, min(_PART, size - done), done)
        if not part:
            return None
        hasher.update(part)
        done += len(part)
        if identity(os.fstat(fd)) != state:
            return None  # it is being changed; whatever was read by now is of no state
    return hasher.hexdigest()


async def _hash_elsewhere(fd: int, state: Identity) -> str | None:
    """Hash in a thread; those who ask for the same file meanwhile wait for the same result."""
    loop = asyncio.get_running_loop()
    key = (loop, state)
    future = _under_way.get(key)
    if future is None:
        own = os.dup(fd)  # whoever waits may give up, and close his

        def work() -> str | None:
            try:
                return _hash(own, state)
            finally:
                os.close(own)

        future = _under_way[key] = loop.run_in_executor(_workers.executor(), work)

        def done(future: asyncio.Future[str | None]) -> None:
            _under_way.pop(key, None)
            if not future.cancelled():
                future.exception()  # seen, even if nobody waits any more

        future.add_done_callback(done)
    return await asyncio.shield(future)
