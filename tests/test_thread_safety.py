"""Objects that the threads of a process share, and event loops in several threads."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator

import pytest

from compliance.threads.run import run
from tests.support.modules import public_modules
from tests.support.observation import restored_process
from tests.support.program import ROOT
from tests.support.threads import SWITCH_INTERVAL, in_threads
from tornado._thread_safety import FREE_THREADED, WeakRegistry, atomic
from tornado.web._observation._message_counts import MessageCounts

IS_FREE_THREADED_BUILD = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))


@pytest.fixture(autouse=True)
def _process() -> Iterator[None]:
    with restored_process():
        yield


class Number:
    value = 0


@pytest.mark.parametrize("free_threaded", [False, True])
def test_atomic_function_loses_no_addition(free_threaded: bool) -> None:
    if FREE_THREADED and not free_threaded:
        pytest.skip("without a GIL, the lock is needed")
    number = Number()

    def add(amount: int) -> int:
        """Add."""
        number.value += amount
        return number.value

    add_in_turn = atomic(add, free_threaded)
    assert (add_in_turn is add) == (not free_threaded)
    assert add_in_turn.__doc__ == "Add."

    def count(_: int) -> None:
        for _ in range(5000):
            add_in_turn(1)

    in_threads(count)
    assert add_in_turn(0) == 20_000


def test_atomic_function_may_be_called_by_a_finalizer_of_its_own_call() -> None:
    calls: list[bool] = []

    def call(again: bool) -> None:
        calls.append(again)
        if again:
            in_turn(False)

    in_turn = atomic(call, True)
    in_turn(True)
    assert calls == [True, False]


def test_registry_lists_living_objects_in_order() -> None:
    registry: WeakRegistry[Number] = WeakRegistry()
    first, second, third = Number(), Number(), Number()
    for each in (first, second, third, first):
        registry.add(each)
    assert registry.snapshot() == [first, second, third]
    registry.discard(second)
    registry.discard(second)
    del first, each
    gc.collect()
    assert registry.snapshot() == [third]


def test_registry_is_listed_while_other_threads_add() -> None:
    registry: WeakRegistry[Number] = WeakRegistry()

    def add_and_list(_: int) -> int:
        kept = []
        for _ in range(300):
            kept.append(Number())
            registry.add(kept[-1])
            assert set(map(id, kept)) <= set(map(id, registry.snapshot()))
        return len(kept)

    assert in_threads(add_and_list) == [300] * 4


@pytest.mark.deadline(60)
def test_four_event_loops_serve_and_fetch() -> None:
    outcome = run(4, rounds=2, switch_interval=SWITCH_INTERVAL)
    assert outcome.errors == []
    assert set(outcome.done.values()) == {8}
    assert outcome.requests == {200: 160, 304: 40, 206: 16, 101: 8, 404: 8}


_WRONG_TEXT = """
import sys
from compliance.threads import __main__, client
client.text_of = lambda number: "something else"
sys.exit(__main__.main())
"""


def test_wrong_response_in_one_thread_ends_all() -> None:
    command = [sys.executable, "-c", _WRONG_TEXT, "--threads", "2"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert "AssertionError" in done.stdout


def test_missing_message_in_the_metrics_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MessageCounts, "add_sent", lambda counts: None)
    outcome = run(1, rounds=1)
    assert outcome.errors == ["sent WebSocket messages: 0, expected 16"]


_IMPORTS = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
    assert not sys._is_gil_enabled(), name
"""


@pytest.mark.skipif(not IS_FREE_THREADED_BUILD, reason="this build has a GIL")
def test_no_module_enables_the_gil() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHON_GIL"}
    command = [sys.executable, "-W", "error", "-c", _IMPORTS, *public_modules()]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
