"""Child processes: forked copies of the program, and other programs."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading

import pytest

from tests.support.descriptors import descriptors
from tests.support.process import watched_children
from tornado import process
from tornado.process import CalledProcessError, Subprocess, cpu_count, fork_processes, task_id

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork()")


def run(program: str) -> subprocess.CompletedProcess[str]:
    """Run a program that forks, in a separate process."""
    prelude = "import logging, os, signal, sys; from tornado.process import fork_processes, task_id\n"
    prelude += "logging.basicConfig(level=logging.INFO, format='%(message)s')\n"
    return subprocess.run(
        [sys.executable, "-c", prelude + textwrap.dedent(program)], capture_output=True, text=True, timeout=60
    )


def test_cpu_count():
    assert 1 <= cpu_count() <= (os.cpu_count() or 1)


def test_task_id_without_fork():
    assert task_id() is None


def test_children_are_numbered():
    done = run("number = fork_processes(3); assert number == task_id(); os.write(1, b'%d ' % number)")
    assert sorted(done.stdout.split()) == ["0", "1", "2"]
    assert "Starting 3 processes" in done.stderr
    assert done.stderr.count("exited normally") == 3
    assert done.returncode == 0


def test_failed_children_are_restarted():
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


def test_fork_in_a_child_is_rejected():
    done = run("""
        fork_processes(1)
        try:
            fork_processes(1)
        except RuntimeError as error:
            os.write(1, str(error).encode())
    """)
    assert "called in a child" in done.stdout


async def test_fork_in_a_running_loop_is_rejected():
    with pytest.raises(RuntimeError, match="call it before the loop starts"):
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


async def test_missing_program_leaves_no_descriptors():
    before = descriptors()
    with pytest.raises(FileNotFoundError):
        Subprocess(["/no/such/program"], stdin=Subprocess.STREAM, stdout=Subprocess.STREAM)
    assert descriptors() == before


async def test_failed_process_raises():
    with pytest.raises(CalledProcessError) as caught:
        await Subprocess(["sh", "-c", "exit 3"]).wait_for_exit()
    assert caught.value.returncode == 3
    assert await Subprocess(["sh", "-c", "exit 4"]).wait_for_exit(raise_error=False) == 4


async def test_returncode_of_killed_process():
    child = Subprocess(["sleep", "60"])
    os.kill(child.pid, signal.SIGTERM)
    assert await child.wait_for_exit(raise_error=False) == -signal.SIGTERM


async def test_exit_callback_set_after_exit():
    child = Subprocess(["true"])
    await child.wait_for_exit()
    codes: asyncio.Queue[int] = asyncio.Queue()
    child.set_exit_callback(codes.put_nowait)
    assert await codes.get() == 0


async def test_without_pidfd(loop_kind, monkeypatch):
    """Without a pidfd, as on older kernels and other systems, a thread waits for the child."""
    monkeypatch.delattr(os, "pidfd_open", raising=False)
    assert await Subprocess(["sh", "-c", "exit 5"]).wait_for_exit(raise_error=False) == 5


async def test_uninitialize_stops_waiting():
    Subprocess.initialize()
    child = Subprocess(["sleep", "60"])
    child.set_exit_callback(lambda code: pytest.fail("called"))
    Subprocess.uninitialize()
    assert not watched_children()
    child.proc.kill()
    child.proc.wait()
    await asyncio.sleep(0)


def children() -> list[int]:
    """Return the process IDs of the children, including zombies."""
    path = f"/proc/self/task/{os.getpid()}/children"
    if not os.path.exists(path):
        pytest.skip("this system does not list child processes")
    with open(path) as file:
        return [int(number) for number in file.read().split()]


async def test_many_concurrent_children(loop_kind):
    """The children are not confused with each other, and no zombie, descriptor or thread remains."""
    await Subprocess(["true"]).wait_for_exit()  # opens resources that stay open
    open_before, threads_before, children_before = descriptors(), threading.active_count(), children()
    running = [
        Subprocess(["sh", "-c", f"cat; exit {number}"], stdin=Subprocess.STREAM, stdout=Subprocess.STREAM)
        for number in range(100)
    ]
    waiting = [child.wait_for_exit(raise_error=False) for child in running]
    for number, child in reversed(list(enumerate(running))):
        await child.stdin.write(b"%d" % number)
        child.stdin.close()
    assert await asyncio.gather(*waiting) == list(range(100))
    read = [await child.stdout.read_until_close() for child in running]
    assert read == [b"%d" % number for number in range(100)]
    assert descriptors() == open_before
    assert threading.active_count() == threads_before
    assert children() == children_before
    assert not watched_children()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, signal.SIGUSR1])
async def test_each_signal_is_reported(number, loop_kind):
    child = Subprocess(["sh", "-c", "ulimit -c 0; kill -STOP $$; exec sleep 60"])
    await asyncio.to_thread(os.waitid, os.P_PID, child.pid, os.WSTOPPED)  # wait until the child is stopped
    ended = child.wait_for_exit()
    os.kill(child.pid, number)
    os.kill(child.pid, signal.SIGCONT)
    with pytest.raises(CalledProcessError) as caught:
        await ended
    assert caught.value.returncode == child.returncode == -number


async def test_child_inherits_only_its_pipes():
    """A child does not inherit sockets, streams, or the pipes of other children."""
    if not os.path.exists("/proc/self/fd"):
        pytest.skip("this system does not list open descriptors")
    first = Subprocess(["cat"], stdin=Subprocess.STREAM, stdout=Subprocess.STREAM)
    with socket.create_server(("127.0.0.1", 0)):
        listed = "os.listdir('/proc/self/fd')"
        program = f"import os; print(*(fd for fd in {listed} if os.path.exists('/proc/self/fd/' + fd)))"
        command = [sys.executable, "-Sc", program]
        pipes = {"stdin": Subprocess.STREAM, "stdout": Subprocess.STREAM, "stderr": Subprocess.STREAM}
        others = {int(number) for number in os.listdir("/proc/self/fd")}
        others = {number for number in others if os.path.exists(f"/proc/self/fd/{number}")}
        others = {number for number in others if os.get_inheritable(number)}  # from the test runner
        for more, expected in (({}, set()), ({"close_fds": False}, others)):
            second = Subprocess(command, **pipes, **more)
            second.stdin.close()
            seen = {int(number) for number in (await second.stdout.read_until_close()).split()}
            assert seen == {0, 1, 2} | expected
            second.stderr.close()
            await second.wait_for_exit()
    first.stdin.close()  # the only descriptor of this pipe, so the child reads the end of its input
    await first.wait_for_exit()
    first.stdout.close()


def test_child_that_outlives_its_loop():
    """After its loop is closed, the child is not watched; no descriptor is open, and `wait` still works."""

    async def start() -> Subprocess:
        child = Subprocess(["cat"], stdin=subprocess.PIPE)
        child.set_exit_callback(lambda code: pytest.fail("called in a closed loop"))
        return child

    asyncio.run(start()).proc.communicate()  # opens resources that stay open
    Subprocess.uninitialize()
    before = descriptors()
    child = asyncio.run(start())
    assert child.proc.poll() is None

    async def wait() -> int:
        await Subprocess(["true"]).wait_for_exit()
        assert not watched_children()
        return await asyncio.to_thread(child.proc.wait)

    child.proc.stdin.close()
    assert asyncio.run(wait()) == 0
    assert descriptors() == before


async def test_exit_callback_exception_is_logged(expect_log):
    def fail(code: int) -> None:
        raise ZeroDivisionError(code)

    child = Subprocess(["true"])
    with expect_log("tornado.application", "Exception in callback") as log:
        child.set_exit_callback(fail)
        while not log.records:
            await asyncio.sleep(0)
    assert child.returncode == 0


def test_forked_children_restarted_after_signals_and_exit_codes():
    """Children that exit normally are not restarted, and restarted children have the same numbers as
    before.
    """
    done = run("""
        import tempfile
        marks = tempfile.mkdtemp()
        number = fork_processes(20, max_restarts=16)
        first = not os.path.exists(f"{marks}/{number}")
        open(f"{marks}/{number}", "w").close()
        os.write(1, b"%d " % task_id())
        if first and number < 8:
            os.kill(os.getpid(), [signal.SIGKILL, signal.SIGTERM][number % 2])
        if first and number < 16:
            os._exit(number)
    """)
    assert done.returncode == 0
    assert sorted(map(int, done.stdout.split())) == sorted([*range(20), *range(16)])
    assert done.stderr.count("killed by signal 9, restarting") == 4
    assert done.stderr.count("killed by signal 15, restarting") == 4
    assert all(f"child {number} (pid " in done.stderr for number in range(20))
    assert done.stderr.count("exited normally") == 20


def test_unrelated_child_is_reaped_but_not_restarted():
    """A child that existed before the fork is reaped, but not restarted."""
    done = run("""
        pid = os.fork()
        if not pid:
            os._exit(7)
        fork_processes(2)
    """)
    assert done.returncode == 0
    assert "status 7" not in done.stderr
    assert done.stderr.count("exited normally") == 2


def test_reseeding_without_the_random_module(monkeypatch):
    monkeypatch.delitem(sys.modules, "random")
    process._reseed_random()


class LoopWithoutReaders(asyncio.SelectorEventLoop):
    """A loop that cannot watch file descriptors, like the default loop on Windows."""

    add_reader = asyncio.AbstractEventLoop.add_reader
    remove_reader = asyncio.AbstractEventLoop.remove_reader
    add_writer = asyncio.AbstractEventLoop.add_writer
    remove_writer = asyncio.AbstractEventLoop.remove_writer


def test_subprocess_on_loop_without_add_reader():
    async def wait() -> int:
        return await Subprocess(["sh", "-c", "exit 5"]).wait_for_exit(raise_error=False)

    with asyncio.Runner(loop_factory=LoopWithoutReaders) as runner:
        assert runner.run(wait()) == 5


async def test_failure_to_watch_leaves_no_descriptor(monkeypatch):
    child = Subprocess(["true"])
    before = descriptors()

    def refuse(*_):
        raise NotImplementedError

    with monkeypatch.context() as patched:
        patched.setattr(type(asyncio.get_running_loop()), "add_reader", refuse)
        with pytest.raises(NotImplementedError):
            child.wait_for_exit()
    assert descriptors() == before
    assert not watched_children()
    assert await child.wait_for_exit() == 0


async def test_exit_callback_as_coroutine_function(loop_kind):
    codes: asyncio.Queue[int] = asyncio.Queue()

    async def ended(code: int) -> None:
        await asyncio.sleep(0)
        await codes.put(code)

    Subprocess(["sh", "-c", "exit 5"]).set_exit_callback(ended)
    assert await codes.get() == 5


async def test_several_waiters_for_one_exit(loop_kind):
    child = Subprocess(["sh", "-c", "exit 5"])
    codes: asyncio.Queue[int] = asyncio.Queue()
    first = child.wait_for_exit(raise_error=False)
    child.set_exit_callback(codes.put_nowait)
    given_up = child.wait_for_exit(raise_error=False)
    given_up.cancel()
    second = child.wait_for_exit()
    assert await first == 5
    with pytest.raises(CalledProcessError):
        await second
    assert await codes.get() == 5
    assert await child.wait_for_exit(raise_error=False) == 5


@pytest.mark.parametrize("stubborn", [False, True])
def test_too_many_restarts_terminate_the_other_children(stubborn):
    """Children that ignore SIGTERM are killed, because they would occupy the port that the next start
    needs.
    """
    done = run(f"""
        import socket
        from tornado import _forked_restart
        _forked_restart.GRACE_PERIOD = 0.1 if {stubborn} else 60
        if {stubborn}:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        ready, tell = socket.socketpair()
        if fork_processes(2, max_restarts=0) == 0:
            ready.recv(1)
            sys.exit(3)
        os.write(1, b"%d" % os.getpid())
        tell.send(b"x")
        signal.pause()
    """)
    assert done.returncode == 1
    assert "Too many child restarts" in done.stderr
    with pytest.raises(ProcessLookupError):
        os.kill(int(done.stdout), 0)
    assert ("signal 9" in done.stderr) is stubborn


@pytest.mark.parametrize("all_processes", [True, False])
def test_ctrl_c_ends_children_without_tracebacks(all_processes):
    """A terminal signals all processes. If only the parent is signalled, it forwards the signal."""
    program = """
        import logging, os, time
        from tornado.process import fork_processes
        logging.basicConfig(level=logging.INFO, format='%(message)s')
        fork_processes(2)
        os.write(1, b"%d\\n" % os.getpid())
        while True:  # a signal just before signal.pause() would not end it
            time.sleep(0.01)
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as parent:
        try:
            assert parent.stdout is not None
            children = [int(parent.stdout.readline()) for _ in range(2)]
            (os.killpg if all_processes else os.kill)(parent.pid, signal.SIGINT)
            _, errors = parent.communicate(timeout=10)
        finally:
            parent.kill()
    assert parent.returncode == -signal.SIGINT
    assert "Traceback" not in errors
    assert "restarting" not in errors
    assert errors.count("killed by signal 2") == 2
    for child in children:
        with pytest.raises(ProcessLookupError):
            os.kill(child, 0)


def test_tracebacks_of_other_exceptions_are_shown_after_fork():
    done = run("fork_processes(1, max_restarts=0); raise KeyError('on purpose')")
    assert "KeyError: 'on purpose'" in done.stderr
    assert "Too many child restarts" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_processes": "2"}, "fork_processes: num_processes must be an integer or None, got '2'"),
        ({"num_processes": 2, "max_restarts": 1.5}, "fork_processes: max_restarts must be .* got 1.5"),
    ],
)
def test_non_integer_arguments_are_rejected(arguments, message):
    with pytest.raises(TypeError, match=message):
        fork_processes(**arguments)
