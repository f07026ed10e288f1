"""A session store in the memory of the process."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection
from time import time

from tornado.web._sessions.store import SessionRecord, SessionStore


class MemorySessionStore(SessionStore):
    """A store in memory, for tests and for single-process programs that may lose their sessions on restart.

    :param max_sessions: the maximum number of sessions. When it is reached, a new session replaces the least
        recently used one.
    :param max_size: the maximum size of a session in bytes.
    """

    __module__ = "tornado.web"  # the module that exports this class

    def __init__(self, max_sessions: int = 10_000, max_size: int = 65536) -> None:
        if max_sessions < 1:
            raise ValueError(f"max_sessions must be at least 1, got {max_sessions!r}")
        self.max_sessions = max_sessions
        self.max_size = max_size
        #: The sessions and the times at which they expire, by key. The most recently used one is the last.
        self._entries: OrderedDict[str, tuple[SessionRecord, float]] = OrderedDict()
        #: Several event loops may use one store.
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    def load(self, token: str) -> SessionRecord | None:
        key = self.key(token)
        with self._lock:
            return None if key is None else self._find(key)

    def _find(self, key: str) -> SessionRecord | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        record, end = entry
        if end <= time():
            del self._entries[key]
            return None
        self._entries.move_to_end(key)
        return record

    def create(self, record: SessionRecord, seconds: float) -> str:
        self.check_size(record)
        token = self.new_token()
        key = self.key(token)
        assert key is not None
        with self._lock:
            while len(self._entries) >= self.max_sessions:
                self._entries.popitem(last=False)
            self._entries[key] = record, time() + seconds
        return token

    def update(
        self,
        token: str,
        record: SessionRecord,
        changed: Collection[str],
        removed: Collection[str],
        seconds: float,
    ) -> str | None:
        self.check_size(record)
        key = self.key(token)
        with self._lock:
            before = None if key is None else self._find(key)
            if key is None or before is None:
                return None
            values = {name: text for name, text in before.values.items() if name not in removed}
            values.update({name: record.values[name] for name in changed})
            merged = SessionRecord(values, record.created, record.used)
            self.check_size(merged)
            self._entries[key] = merged, time() + seconds
        return token

    def delete(self, token: str) -> None:
        key = self.key(token)
        if key is not None:
            with self._lock:
                self._entries.pop(key, None)
