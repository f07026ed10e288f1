"""Child processes: forked copies, and other programs."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap

import pytest

from tornado import process
from tornado.process import CalledProcessError, Subprocess, cpu_count, fork_processes, task_id

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes here are Unix's")


def run(program: str) -> subprocess.CompletedProcess[str]:
    """Run a program that forks, in a process of its own."""
    prelude = "import logging, os, signal, sys; from tornado.process import fork_processes, task_id\n"
    prelude += "logging.basicConfig(level=logging.INFO, format='%(message)s')\n"
    return subprocess.run(
        [sys.executable, "-c", prelude + textwrap.dedent(program)], capture_output=True, text=True, timeout=60
    )


def test_cpu_count():
    assert 1 <= cpu_count() <= (os.cpu_count() or 1)


def test_task_id_of_a_process_that_did_not_fork():
    assert task_id() is None


def test_children_get_their_numbers():
    done = run("number = fork_processes(3); assert number == task_id(); os.write(1, b'%d ' % number)")
    assert sorted(done.stdout.split()) == ["0", "1", "2"]
    assert "Starting 3 processes" in done.stderr
    assert done.stderr.count("exited normally") == 3
    assert done.returncode == 0


def test_failed_children_are_started_again():
    done = run("""
        import tempfile
        marks = tempfile.mkdtemp()
        number = fork_processes(2)
        try:
            os.mkdir(f"{marks}/{number}")
        except FileExistsError:
            os.rmdir(f"{marks}/{number}")
            sys.exit(0)
        if number:
            os.kill(os.getpid(), signal.SIGKILL)
        sys.exit(3)
    """)
    assert "child 0 (pid " in done.stderr
    assert "exited with status 3, restarting" in done.stderr
    assert "killed by signal 9, restarting" in done.stderr
    assert done.stderr.count("exited normally") == 2
    assert done.returncode == 0


def test_too_many_restarts():
    done = run("fork_processes(1, max_restarts=2); sys.exit(1)")
    assert done.stderr.count("restarting") == 3
    assert "Too many child restarts" in done.stderr
    assert done.returncode == 1


def test_children_draw_different_random_numbers():
    done = run("import random; fork_processes(2); os.write(1, b'%d ' % random.getrandbits(60))")
    assert len(set(done.stdout.split())) == 2


def test_no_grandchildren():
    done = run("""
        fork_processes(1)
        try:
            fork_processes(1)
        except RuntimeError as error:
            os.write(1, str(error).encode())
    """)
    assert "called in a child" in done.stdout


async def test_no_fork_of_a_running_loop():
    with pytest.raises(RuntimeError, match="fork first"):
        fork_processes(2)


async def test_pipes(loop_kind):
    child = Subprocess(["cat"], stdin=Subprocess.STREAM, stdout=Subprocess.STREAM)
    await child.stdin.write(b"through")
    child.stdin.close()
    assert await child.stdout.read_until_close() == b"through"
    assert await child.wait_for_exit() == 0
    assert child.returncode == 0
    assert child.pid == child.proc.pid
    assert child.stderr is None


async def test_stderr():
    child = Subprocess([sys.executable, "-Sc", "import os; os.write(2, b'oops')"], stderr=Subprocess.STREAM)
    assert await child.stderr.read_until_close() == b"oops"
    await child.wait_for_exit()


async def test_a_program_that_does_not_exist_leaves_no_descriptors():
    before = os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd") else []
    with pytest.raises(FileNotFoundError):
        Subprocess(["/no/such/program"], stdin=Subprocess.STREAM, stdout=Subprocess.STREAM)
    if before:
        assert len(os.listdir("/proc/self/fd")) == len(before)


async def test_failure_is_raised():
    with pytest.raises(CalledProcessError) as caught:
        await Subprocess(["sh", "-c", "exit 3"]).wait_for_exit()
    assert caught.value.returncode == 3
    assert await Subprocess(["sh", "-c", "exit 4"]).wait_for_exit(raise_error=False) == 4


async def test_signal():
    child = Subprocess(["sleep", "60"])
    os.kill(child.pid, signal.SIGTERM)
    assert await child.wait_for_exit(raise_error=False) == -signal.SIGTERM


async def test_exit_callback_set_after_the_end():
    child = Subprocess(["true"])
    await child.wait_for_exit()
    codes: asyncio.Queue[int] = asyncio.Queue()
    child.set_exit_callback(codes.put_nowait)
    assert await codes.get() == 0


async def test_without_pidfd(loop_kind, monkeypatch):
    """Older kernels and other systems: a thread waits."""
    monkeypatch.delattr(os, "pidfd_open", raising=False)
    assert await Subprocess(["sh", "-c", "exit 5"]).wait_for_exit(raise_error=False) == 5


async def test_uninitialize_forgets():
    Subprocess.initialize()
    child = Subprocess(["sleep", "60"])
    child.set_exit_callback(lambda code: pytest.fail("called"))
    Subprocess.uninitialize()
    assert not Subprocess._watched
    child.proc.kill()
    child.proc.wait()
    await asyncio.sleep(0)


def test_reseeding_without_random(monkeypatch):
    monkeypatch.delitem(sys.modules, "random")
    process._reseed_random()
