"""Servers with one process, and with several processes on one port."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.seeds.client import Visitor
from tests.seeds.conftest import PROGRAMS
from tests.support.program import Program

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def test_single_process(start):
    program = start("single_process.py")
    assert Visitor(program).get().json == {"pid": program.pid, "task": None}


def children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.fixture(params=["several_processes.py", "sockets_first.py"])
def family(request) -> Iterator[tuple[Program, list[int]]]:
    """A program, and its child processes after they have started."""
    if not Path(f"/proc/self/task/{os.getpid()}/children").exists():
        reason = "needs /proc/PID/task/TID/children"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    with Program(PROGRAMS / request.param, ["{port}"]) as program:
        # A response shows that one child has started; the other may not have started yet.
        Visitor(program).get()
        while len(found := children(program.pid)) < 2:
            Visitor(program).get()
        try:
            yield program, found
        finally:
            found = children(program.pid)
            os.kill(
                program.pid, signal.SIGKILL
            )  # end the parent first, because it would replace its children
            for pid in found:
                os.kill(pid, signal.SIGKILL)


def test_each_child_handles_requests(family):
    program, pids = family
    seen = set()
    for asleep in pids:
        os.kill(asleep, signal.SIGSTOP)
        try:
            answer = Visitor(program).get().json
        finally:
            os.kill(asleep, signal.SIGCONT)
        seen.add((answer["pid"], answer["task"]))
    assert {pid for pid, _ in seen} == set(pids)
    assert {task for _, task in seen} == {0, 1}


def test_exited_child_is_replaced(family):
    program, pids = family
    os.kill(pids[0], signal.SIGKILL)
    while pids[0] in (now := children(program.pid)) or len(now) < 2:
        Visitor(program).get()
    os.kill(pids[1], signal.SIGSTOP)
    try:
        assert Visitor(program).get().json["pid"] not in pids
    finally:
        os.kill(pids[1], signal.SIGCONT)
    assert "killed by signal 9, restarting" in program.output()
