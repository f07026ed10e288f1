"""The parent of `fork_processes`: signals to it, its exit status, its death, and its work as process 1."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from typing import IO

import pytest

from tests.support.program import output_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems lack F_SETSIG or sigtimedwait")

TIMEOUT = 30.0

#: Each child prints its process ID when it is ready, and ends with a status after SIGTERM.
PRELUDE = """
import logging, os, signal, sys, time
from tornado.process import fork_processes
logging.basicConfig(level=logging.INFO, format='%(message)s')

def serve(status=0, handle=True):
    ended = []
    if handle:
        signal.signal(signal.SIGTERM, lambda *_: ended.append("TERM"))
    os.write(1, b"%d\\n" % os.getpid())
    try:
        while not ended:
            time.sleep(0.01)
    except KeyboardInterrupt:
        ended.append("INT")
    os.write(1, b"ended by %s\\n" % ended[0].encode())
    sys.exit(status)
"""

Start = Callable[..., "Program"]


class Program:
    """A running program that forks."""

    def __init__(self, source: str, *command: str) -> None:
        self.process = subprocess.Popen(
            [*command, sys.executable, "-c", PRELUDE + textwrap.dedent(source)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    @property
    def output(self) -> IO[str]:
        assert self.process.stdout is not None
        return self.process.stdout

    def lines(self, count: int) -> list[str]:
        """Return the next lines of the standard output."""
        return [self.output.readline().strip() for _ in range(count)]

    def end(self, *numbers: int) -> tuple[int, list[str], str]:
        """Send signals to the parent. Return its exit status, and the rest of the output."""
        for number in numbers:
            self.process.send_signal(number)
        output, errors = self.process.communicate(timeout=TIMEOUT)
        return self.process.returncode, sorted(output.split("\n")[:-1]), errors

    def kill(self) -> None:
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.communicate()


@pytest.fixture
def start() -> Iterator[Start]:
    """Start programs, and kill what is left of them after the test."""
    started: list[Program] = []

    def start_one(source: str, *command: str) -> Program:
        started.append(Program(source, *command))
        return started[-1]

    yield start_one
    for program in started:
        program.kill()


@pytest.mark.parametrize(("status", "expected"), [(0, 0), (3, -signal.SIGTERM)])
def test_sigterm_is_forwarded_and_the_parent_waits(start, status, expected):
    program = start(f"fork_processes(2); serve({status})")
    program.lines(2)
    code, output, errors = program.end(signal.SIGTERM)
    assert (code, output) == (expected, ["ended by TERM"] * 2)
    assert "waiting for 2 children" in errors
    assert "restarting" not in errors


def test_sigint_to_the_parent_is_forwarded(start):
    program = start("fork_processes(2); serve()")
    program.lines(2)
    code, output, errors = program.end(signal.SIGINT)
    assert (code, output) == (-signal.SIGINT, ["ended by INT"] * 2)
    assert "Traceback" not in errors


def test_children_with_default_actions_end_by_the_signal(start):
    program = start("fork_processes(2); serve(handle=False)")
    program.lines(2)
    code, output, errors = program.end(signal.SIGTERM)
    assert (code, output) == (-signal.SIGTERM, [])
    assert errors.count("killed by signal 15") == 2


def test_second_signal_kills_the_children(start):
    program = start("""
        fork_processes(2)
        signal.signal(signal.SIGTERM, lambda *_: os.write(1, b"TERM\\n"))
        serve(handle=False)
    """)
    children = [int(line) for line in program.lines(2)]
    program.process.send_signal(signal.SIGTERM)
    assert program.lines(2) == ["TERM", "TERM"]
    code, output, errors = program.end(signal.SIGTERM)
    assert (code, output) == (-signal.SIGTERM, [])
    assert errors.count("killed by signal 9") == 2
    for child in children:
        with pytest.raises(ProcessLookupError):
            os.kill(child, 0)


def test_child_that_fails_after_sigterm_is_not_restarted(start):
    program = start("fork_processes(1, max_restarts=0); serve(1)")
    program.lines(1)
    code, _, errors = program.end(signal.SIGTERM)
    assert code == -signal.SIGTERM
    assert "Too many" not in errors


def test_own_handler_of_the_program_wins(start):
    """It is called in the parent, and the children inherit it."""
    program = start("""
        parent = os.getpid()
        def handler(*_):
            os.write(1, b"parent\\n" if os.getpid() == parent else b"child\\n")
            sys.exit(5)
        signal.signal(signal.SIGTERM, handler)
        fork_processes(1)
        serve(handle=False)
    """)
    program.lines(1)
    code, output, _ = program.end(signal.SIGTERM)
    # The parent has exited without forwarding the signal; the child has received it at the parent's end.
    assert (code, output) == (5, ["child", "parent"])


def test_ignored_sigterm_stays_ignored(start):
    program = start("signal.signal(signal.SIGTERM, signal.SIG_IGN); fork_processes(1); serve(handle=False)")
    program.lines(1)
    code, output, _ = program.end(signal.SIGTERM, signal.SIGINT)
    assert (code, output) == (-signal.SIGINT, ["ended by INT"])


@pytest.mark.parametrize("handle", [True, False])
def test_children_end_when_their_parent_is_killed(start, handle):
    program = start(f"fork_processes(3); serve(handle={handle})")
    children = [int(line) for line in program.lines(3)]
    watched = [os.pidfd_open(child) for child in children]
    program.process.kill()
    for descriptor in watched:
        assert select.select([descriptor], [], [], TIMEOUT)[0]
        os.close(descriptor)
    assert program.end()[1] == (["ended by TERM"] * 3 if handle else [])


def test_restarted_child_ends_with_its_parent_too(start):
    program = start("fork_processes(2); serve()")
    first, second = [int(line) for line in program.lines(2)]
    os.kill(first, signal.SIGKILL)
    (third,) = [int(line) for line in program.lines(1)]
    assert third not in (first, second)
    program.process.kill()
    assert program.end()[1] == ["ended by TERM"] * 2


def test_child_starts_with_the_signal_mask_and_handlers_of_the_program(start):
    program = start("""
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
        before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        fork_processes(1)
        print(signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before)
        print(signal.getsignal(signal.SIGCHLD) is signal.SIG_DFL)
    """)
    assert program.end()[:2] == (0, ["True", "True"])


def test_signals_of_the_parent_are_restored_after_too_many_restarts(start):
    program = start("""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        try:
            fork_processes(1, max_restarts=0)
            os._exit(1)
        except RuntimeError:
            print(signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before)
    """)
    assert program.end()[:2] == (0, ["True"])


def test_sigchld_handler_of_the_program_is_called(start):
    program = start("""
        signal.signal(signal.SIGCHLD, lambda *_: os.write(1, b"SIGCHLD\\n"))
        fork_processes(1)
    """)
    assert program.end()[:2] == (0, ["SIGCHLD"])


def _can_unshare() -> bool:
    command = ["unshare", "-pf", "--mount-proc", "true"]
    return (
        shutil.which("unshare") is not None and subprocess.run(command, capture_output=True).returncode == 0
    )


@pytest.mark.parametrize(("status", "expected"), [(0, 0), (3, 128 + signal.SIGTERM)])
def test_as_process_1_sigterm_ends_everything(start, status, expected):
    if not _can_unshare():
        pytest.skip("creating a PID namespace is not permitted")
    # The grandchild of the first child becomes a child of process 1, which reaps it.
    program = start(
        f"""
        import subprocess
        if fork_processes(2) == 0:
            subprocess.run(["sh", "-c", "sleep 0 &"])
        serve({status})
        """,
        "unshare",
        "-pf",
        "--mount-proc",
    )
    program.lines(2)
    parent = int(
        subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(program.process.pid)], capture_output=True, text=True
        ).stdout
    )
    os.kill(parent, signal.SIGTERM)
    code, output, errors = program.end()
    assert (code, output) == (expected, ["ended by TERM"] * 2)
    assert errors.count("child ") == 2


@pytest.mark.skipif(sys.version_info < (3, 12), reason="Python 3.11 does not warn")
def test_warning_about_threads_that_is_an_exception_leaves_no_child():
    printed = output_of(
        """
        import os, threading
        from tornado._forked_children import fork_process

        done = threading.Event()
        thread = threading.Thread(target=done.wait)
        thread.start()
        try:
            if fork_process() == 0:
                os._exit(1)
        except DeprecationWarning as error:
            print("multi-threaded" in str(error))
        done.set()
        thread.join()
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            print("no child")
        """
    )
    assert printed.split("\n") == ["True", "no child", ""]
