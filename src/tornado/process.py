"""Several processes: serving with forked copies of one program, and running others as children.

`fork_processes` starts copies of the running program, restarts those that fail and tells each its number
(`task_id`). `Subprocess` is `subprocess.Popen` with streams for pipes and a callback for the end.
"""

from __future__ import annotations

import asyncio
import operator
import os
import signal
import subprocess
import sys
import threading
from binascii import hexlify
from collections.abc import Callable, Sequence
from subprocess import CalledProcessError
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Unpack, overload

from tornado import _restart
from tornado._export import list_public
from tornado._reexports import reexported
from tornado._tornado4.deprecation import ignored_loop
from tornado.concurrent import (
    Future,
    future_set_exception_unless_cancelled,
    future_set_result_unless_cancelled,
)
from tornado.ioloop import IOLoop
from tornado.iostream import PipeIOStream
from tornado.iostream._core import watching_loop
from tornado.log import gen_log
from tornado.netutil import _socket_inheritance
from tornado.util import import_object

__all__ = ["CalledProcessError", "Subprocess", "SubprocessOptions", "cpu_count", "fork_processes", "task_id"]

#: Restarts of failed children before `fork_processes` gives up, unless it is told otherwise.
_DEFAULT_MAX_RESTARTS = 100

_PIPES = ("stdin", "stdout", "stderr")

_task_id: int | None = None


def cpu_count() -> int:
    """How many processors this process may use; 1 where nobody knows.

    A process confined to some processors (``taskset``, a container's CPU set) counts those alone.
    """
    if hasattr(os, "process_cpu_count"):  # Python 3.13
        return os.process_cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


def task_id() -> int | None:
    """The number of this child among those of `fork_processes`, from 0 on; ``None`` in any other process."""
    return _task_id


def fork_processes(num_processes: int | None, max_restarts: int | None = None) -> int:
    """Start copies of this process and look after them.

    :param num_processes: how many. ``None``, 0 or less: as many as there are processors.
    :param max_restarts: how many children in all may fail (exit with another status than 0, or be killed) and
        be started again; 100 by default.
    :returns: in each child, its number, from 0 on. A child started again keeps its number.
    :raises TypeError: for a number that is no integer.
    :raises RuntimeError: in the parent, when children failed more often than that: the others are told to end
        first (``SIGTERM``), and killed if they do not; also when an event loop is running, or when this is
        already such a child.

    The parent does not return: it exits, with status 0, when all its children have ended well. Ctrl-C
    (``SIGINT``, which a terminal gives to all of them) ends it, without a traceback from each process, once
    its children have ended; those that have not after five seconds, or at a second Ctrl-C, are told to
    (``SIGTERM``). Any other signal to the parent alone is not passed on, and children do not end with their
    parent: tell all of the process group, as a terminal, and systemd in its way, do (``kill -- -PID``).
    Children share nothing but what was open before: make listening sockets first, and event loops and threads
    afterwards::

        sockets = bind_sockets(8888)
        fork_processes(0)

        async def serve():
            server.add_sockets(sockets)
            await asyncio.get_running_loop().create_future()     # for ever

        asyncio.run(serve())
    """
    if not hasattr(os, "fork"):
        raise RuntimeError("fork_processes: this platform cannot fork")
    _refuse_unsafe_fork()
    num_processes = _whole("num_processes", num_processes, 0)
    if num_processes <= 0:
        num_processes = cpu_count()
    max_restarts = _whole("max_restarts", max_restarts, _DEFAULT_MAX_RESTARTS)
    gen_log.info("Starting %d processes", num_processes)
    running: dict[int, int] = {}
    group = _restart.group = _restart.ProcessGroup(running)
    _silence_interrupts()
    try:
        for number in range(num_processes):
            if _fork_child(number, running):
                return number
        _socket_inheritance.release()
        return _look_after(running, group, max_restarts)
    except KeyboardInterrupt:
        if _task_id is None:
            _restart.end(running, "goes on after Ctrl-C", _restart._PATIENCE)
        raise


def _whole(name: str, value: int | None, default: int) -> int:
    """A number that `fork_processes` was given."""
    if value is None:
        return default
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"fork_processes: {name} takes an integer or None, not {value!r}") from None


def _silence_interrupts() -> None:
    """Have Ctrl-C end this process and its forks as ever, but for the tracebacks, which would mix."""
    before = sys.excepthook

    def show(kind: type[BaseException], error: BaseException, place: TracebackType | None) -> None:
        if not issubclass(kind, KeyboardInterrupt):
            before(kind, error, place)

    sys.excepthook = show


def _look_after(running: dict[int, int], group: _restart.ProcessGroup, max_restarts: int) -> int:
    """Wait in the parent for its children's end, and start those that failed again.

    :returns: in a child started again, its number. In the parent it does not return.
    """
    restarts = 0
    while running:
        pid, status = os.wait()
        ended = running.pop(pid, None)
        if group.asked() is not None:
            group.replace()
            sys.exit(1)  # that has failed, and said so
        if ended is None or not _report_end(ended, pid, status):
            continue
        restarts += 1
        if restarts > max_restarts:
            _restart.end(running, "has to end with the others")
            raise RuntimeError(f"Too many child restarts ({max_restarts} allowed), giving up")
        if _fork_child(ended, running):
            return ended
    _restart.group = None
    group.close()
    sys.exit(0)


def _refuse_unsafe_fork() -> None:
    if _task_id is not None:
        raise RuntimeError(f"fork_processes was called in a child of fork_processes (task {_task_id})")
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError(
        "fork_processes was called while an event loop is running, which parent and children would share: "
        "fork first, then start the loop"
    )


def _fork_child(number: int, running: dict[int, int]) -> bool:
    """Fork; True in the child. The parent notes the child in ``running``."""
    global _task_id
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        # Ctrl-C meanwhile would be lost in a hook of `os.register_at_fork`, or find the child unknown.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        pid = os.fork()
        if pid:
            running[pid] = number
        else:
            _task_id = number
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    if pid:
        return False
    _reseed_random()
    return True


def _report_end(number: int, pid: int, status: int) -> bool:
    """Log how a child ended; True when it is to be started again."""
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        gen_log.warning("child %d (pid %d) killed by signal %d, restarting", number, pid, -code)
    elif code > 0:
        gen_log.warning("child %d (pid %d) exited with status %d, restarting", number, pid, code)
    else:
        gen_log.info("child %d (pid %d) exited normally", number, pid)
    return code != 0


def _reseed_random() -> None:
    """Give a fork its own sequence of random numbers, or all children would draw the same ones."""
    random = sys.modules.get("random")
    if random is not None:
        random.seed(int(hexlify(os.urandom(16)), 16))


if TYPE_CHECKING:
    from tornado._subprocess_options import SubprocessOptions

    _Command = str | bytes | os.PathLike[str] | Sequence[str | bytes | os.PathLike[str]]


class Subprocess:
    """A child process whose pipes are streams and whose end is announced on the loop.

    :param args: as for `subprocess.Popen`; so are the keyword arguments, but that ``stdin``, ``stdout`` and
        ``stderr`` may also be `Subprocess.STREAM`: the attribute of that name is then a `.PipeIOStream`.

    Attributes: ``proc`` (the Popen), ``pid``, ``returncode`` (``None`` until the end was noticed),
    ``io_loop``, ``stdin``, ``stdout``, ``stderr``. ::

        child = Subprocess(["sort"], stdin=Subprocess.STREAM, stdout=Subprocess.STREAM)
        await child.stdin.write(b"b\\na\\n")
        child.stdin.close()
        lines = await child.stdout.read_until_close()
        await child.wait_for_exit()
    """

    STREAM = object()

    _watched: ClassVar[set[Subprocess]] = set()

    stdin: Any
    stdout: Any
    stderr: Any

    @overload
    def __init__(
        self,
        args: _Command,
        bufsize: int = -1,
        executable: str | bytes | os.PathLike[str] | None = None,
        **kwargs: Unpack[SubprocessOptions],
    ) -> None: ...
    @overload
    def __init__(
        self,
        args: _Command,
        bufsize: int = -1,
        executable: str | bytes | os.PathLike[str] | None = None,
        *,
        io_loop: IOLoop | None,
        **kwargs: Unpack[SubprocessOptions],
    ) -> None: ...
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if kwargs.pop("io_loop", None) is not None:
            ignored_loop("Subprocess")
        self.io_loop: IOLoop = IOLoop.current()
        ours: dict[str, int] = {}
        theirs: dict[str, int] = {}
        try:
            for name in _PIPES:
                if kwargs.get(name) is self.STREAM:
                    readable, writable = os.pipe()
                    ours[name], theirs[name] = (
                        (writable, readable) if name == "stdin" else (readable, writable)
                    )
            self.proc: subprocess.Popen[Any] = subprocess.Popen(*args, **{**kwargs, **theirs})
        except BaseException:
            for descriptor in ours.values():
                os.close(descriptor)
            raise
        finally:
            for descriptor in theirs.values():
                os.close(descriptor)
        for name in _PIPES:
            setattr(self, name, PipeIOStream(ours[name]) if name in ours else getattr(self.proc, name))
        self.pid: int = self.proc.pid
        self.returncode: int | None = None
        self._exit_callback: Callable[[int], Any] | None = None
        #: To tell each `wait_for_exit`.
        self._waiting: list[Callable[[int], None]] = []
        self._pidfd = -1

    def set_exit_callback(self, callback: Callable[[int], Any]) -> None:
        """Call ``callback(returncode)`` on the loop once the process has ended.

        :param callback: a function or a coroutine function. There is one: a later one replaces it.

        A process killed by a signal has the negative of the signal's number for its return code.
        """
        self._exit_callback = callback
        self._tell_end()

    def _tell_end(self) -> None:
        """See to it that `_run_exit_callback` is called at the end."""
        if self.returncode is not None:
            self.io_loop.add_callback(self._run_exit_callback)
        elif self not in Subprocess._watched:
            self._watch()

    def wait_for_exit(self, raise_error: bool = True) -> Future[int]:
        """A future of the return code. Any number may wait, beside the exit callback.

        :param raise_error: whether a return code other than 0 is raised as `CalledProcessError` instead.
        """
        future: Future[int] = Future()

        def ended(code: int) -> None:
            if code != 0 and raise_error:
                future_set_exception_unless_cancelled(future, CalledProcessError(code, self.proc.args))
            else:
                future_set_result_unless_cancelled(future, code)

        self._waiting.append(ended)
        self._tell_end()
        return future

    @classmethod
    def initialize(cls, io_loop: IOLoop | None = None) -> None:
        """Kept for programs that call it: nothing has to be prepared, and no signal handler is installed."""
        if io_loop is not None:
            ignored_loop("Subprocess.initialize")

    @classmethod
    def uninitialize(cls) -> None:
        """Stop waiting for the processes that are still running; their exit callbacks are not called."""
        for child in list(cls._watched):
            child._unwatch()

    def _watch(self) -> None:
        """Be told of the end: by a pidfd where the kernel has them, else by a thread that waits."""
        for child in list(Subprocess._watched):
            if watching_loop(child.io_loop).is_closed():  # nobody is left to be told
                child._unwatch()
        try:
            descriptor = os.pidfd_open(self.pid)
        except (AttributeError, OSError):
            waiting = threading.Thread(
                target=self._wait_in_thread, name=f"wait for pid {self.pid}", daemon=True
            )
            waiting.start()
        else:
            try:
                watching_loop(self.io_loop).add_reader(descriptor, self._on_pidfd)
            except BaseException:
                os.close(descriptor)
                raise
            self._pidfd = descriptor
        Subprocess._watched.add(self)

    def _unwatch(self) -> None:
        Subprocess._watched.discard(self)
        descriptor, self._pidfd = self._pidfd, -1
        if descriptor >= 0:
            loop = watching_loop(self.io_loop)
            if not loop.is_closed():
                loop.remove_reader(descriptor)
            os.close(descriptor)

    def _on_pidfd(self) -> None:
        # Reaping through the Popen keeps its own returncode right, too.
        if self.proc.poll() is not None:
            self._ended()

    def _wait_in_thread(self) -> None:
        self.proc.wait()
        self.io_loop.add_callback(self._ended)

    def _ended(self) -> None:
        if self not in Subprocess._watched:
            return  # uninitialize() came first
        self._unwatch()
        self.returncode = self.proc.returncode
        self.io_loop.add_callback(self._run_exit_callback)

    def _run_exit_callback(self) -> Any:
        code = self.returncode
        assert code is not None
        waiting, self._waiting = self._waiting, []
        for tell in waiting:
            tell(code)
        callback, self._exit_callback = self._exit_callback, None
        return None if callback is None else callback(code)  # the loop runs a coroutine


if not TYPE_CHECKING:  # a checker would take every name for one of this module

    def __getattr__(name: str) -> Any:
        if name == "SubprocessOptions":
            return import_object("tornado._subprocess_options.SubprocessOptions")
        return reexported(__name__, name)


list_public(globals())
