"""Threads for internal work."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.threads import in_threads
from tornado.web._internal_threads import InternalThreads


def test_threads_are_started_once_and_named() -> None:
    workers = InternalThreads("mine", 1)
    pool = workers.executor()
    assert workers.executor() is pool
    assert pool.submit(lambda: threading.current_thread().name).result() == "mine_0"
    pool.shutdown()


def test_new_threads_are_started_after_a_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    workers = InternalThreads("mine")
    pool = workers.executor()
    monkeypatch.setattr(os, "getpid", lambda: -1)  # as in a child process
    other = workers.executor()
    assert other is not pool
    assert workers.executor() is other
    pool.shutdown()
    other.shutdown()


def test_each_object_has_its_own_executor() -> None:
    one, other = InternalThreads("one"), InternalThreads("other")
    assert isinstance(one.executor(), ThreadPoolExecutor)
    assert one.executor() is not other.executor()


def test_event_loops_in_threads_share_one_executor() -> None:
    for _ in range(50):
        workers = InternalThreads("mine")
        assert len({id(pool) for pool in in_threads(lambda _, found=workers: found.executor())}) == 1
