"""Multiple processes: forked copies of one server, and child processes that run other programs.

`fork_processes` forks the running program, restarts children that fail, and assigns a number to each
(`task_id`). `Subprocess` is `subprocess.Popen` with streams for the pipes and a callback for the exit.
"""

from __future__ import annotations

import asyncio
import errno
import operator
import os
import subprocess
import sys
import threading
from binascii import hexlify
from collections.abc import Callable, Sequence
from subprocess import CalledProcessError
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Unpack, overload

from tornado import _forked_restart
from tornado._implicit_reexports import reexported
from tornado._public_module_names import list_public
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

#: Default number of restarts of failed children before `fork_processes` raises an error.
_DEFAULT_MAX_RESTARTS = 100

_PIPES = ("stdin", "stdout", "stderr")

_task_id: int | None = None


def cpu_count() -> int:
    """Return the number of processors available to this process, or 1 if it is unknown.

    If the process is restricted to some processors (``taskset``, a container's CPU set), only they count.
    """
    if sys.version_info >= (3, 13):
        return os.process_cpu_count() or 1
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0)) or 1
    else:
        return os.cpu_count() or 1


def task_id() -> int | None:
    """Return the number of this child of `fork_processes`, counted from 0, or None in any other process."""
    return _task_id


def fork_processes(num_processes: int | None, max_restarts: int | None = None) -> int:
    """Fork this process into several children and supervise them.

    :param num_processes: the number of children. ``None``, 0 or a negative number means one per processor.
    :param max_restarts: how often failed children may be restarted in total; 100 by default. A child fails if
        it is killed or exits with a status other than 0.
    :returns: in each child, its number, counted from 0. A restarted child keeps its number.
    :raises TypeError: if an argument is neither an integer nor None.
    :raises RuntimeError: in the parent, if ``max_restarts`` is exceeded. The other children are terminated
        first with ``SIGTERM``, or killed if they do not exit. Also raised if an event loop is running, or if
        this process is already a child of `fork_processes`.

    The parent does not return: it exits with status 0 when all children have exited normally. It forwards
    ``SIGTERM`` and ``SIGINT`` to the children, and ends when they have exited. After ``SIGTERM`` its status
    is 0 if all of them have exited normally; otherwise the signal ends it, too. After ``SIGINT``, it raises
    `KeyboardInterrupt`, without a traceback from each process. At a second signal, the children are killed.
    An interrupt from a terminal (Ctrl-C) is not forwarded, because the terminal sends it to all processes. If
    the program has set its own handler for one of the signals before, that handler is called instead. If the
    parent is killed, its children receive ``SIGTERM`` (on Linux). All of this also applies if the parent is
    process 1 of a container.

    Children share only what was open before the fork: create listening sockets before it, and event loops and
    threads after it::

        sockets = bind_sockets(8888)
        fork_processes(0)

        async def serve():
            server.add_sockets(sockets)
            await asyncio.get_running_loop().create_future()     # run until interrupted

        asyncio.run(serve())
    """
    if sys.platform == "win32" or not hasattr(os, "fork"):
        raise RuntimeError("fork_processes: this platform cannot fork")
    from tornado._forked_children import ForkedChildren  # Windows cannot import it

    _check_fork_is_safe()
    num_processes = _integer_argument("num_processes", num_processes, 0)
    if num_processes <= 0:
        num_processes = cpu_count()
    max_restarts = _integer_argument("max_restarts", max_restarts, _DEFAULT_MAX_RESTARTS)
    gen_log.info("Starting %d processes", num_processes)
    children = ForkedChildren()
    group = _forked_restart.start(children.numbers)
    _hide_interrupt_tracebacks()
    children.block_signals()
    try:
        for number in range(num_processes):
            if _fork_child(number, children):
                return number
        _socket_inheritance.release()
        return _supervise(children, group, max_restarts)
    finally:
        if _task_id is None:
            children.restore_signals()


def _integer_argument(name: str, value: int | None, default: int) -> int:
    """Return an argument of `fork_processes` as an integer."""
    if value is None:
        return default
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"fork_processes: {name} must be an integer or None, got {value!r}") from None


def _hide_interrupt_tracebacks() -> None:
    """Suppress the traceback that Ctrl-C would cause in each process. Ctrl-C still ends each process."""
    before = sys.excepthook

    def show(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        if not issubclass(kind, KeyboardInterrupt):
            before(kind, error, traceback)

    sys.excepthook = show


def _supervise(children: ForkedChildren, group: _forked_restart.ForkedRestart, max_restarts: int) -> int:
    """Wait in the parent for the exit of children, and restart those that failed.

    :returns: in a restarted child, its number. In the parent it does not return.
    """
    restarts = 0
    while children.numbers:
        children.wait()
        for pid, number, code in children.exited():
            if group.pending_request() is not None and children.stop_signal is None:
                children.restore_signals()
                group.replace()
                sys.exit(1)  # the restart has failed, and the error has been logged
            if not _log_exit(number, pid, code, children.stop_signal is None):
                continue
            restarts += 1
            if restarts > max_restarts:
                children.restore_signals()
                reason = "terminated because too many children failed"
                _forked_restart.terminate(children.numbers, reason)
                raise RuntimeError(f"Too many child restarts ({max_restarts} allowed), giving up")
            if _fork_child(number, children):
                return number
    _forked_restart.end()
    return children.exit()


def _check_fork_is_safe() -> None:
    if _task_id is not None:
        raise RuntimeError(f"fork_processes was called in a child of fork_processes (task {_task_id})")
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError(
        "fork_processes was called while an event loop is running, which parent and children would share: "
        "call it before the loop starts"
    )


def _fork_child(number: int, children: ForkedChildren) -> bool:
    """Fork. Return True in the child."""
    global _task_id
    if not children.fork(number):
        return False
    _task_id = number
    _reseed_random()
    return True


def _log_exit(number: int, pid: int, code: int, restarts: bool) -> bool:
    """Log how a child exited. Return True if it must be restarted.

    :param restarts: whether failed children are restarted.
    """
    if code == 0:
        gen_log.info("child %d (pid %d) exited normally", number, pid)
        return False
    end = f"killed by signal {-code}" if code < 0 else f"exited with status {code}"
    if restarts:
        gen_log.warning("child %d (pid %d) %s, restarting", number, pid, end)
    else:
        gen_log.info("child %d (pid %d) %s", number, pid, end)
    return restarts


def _reseed_random() -> None:
    """Seed the random module in a forked child. Otherwise all children produce the same numbers."""
    random = sys.modules.get("random")
    if random is not None:
        random.seed(int(hexlify(os.urandom(16)), 16))


if TYPE_CHECKING:
    from tornado._forked_children import ForkedChildren  # pyright: ignore[reportAttributeAccessIssue]
    from tornado._subprocess_options import SubprocessOptions

    _Command = str | bytes | os.PathLike[str] | Sequence[str | bytes | os.PathLike[str]]


def _open_pidfd(pid: int) -> int:
    """Return a descriptor that becomes readable when the process exits.

    :raises OSError: if the kernel cannot create one.
    """
    if sys.platform == "linux":
        return os.pidfd_open(pid)
    raise OSError(errno.ENOSYS, f"{sys.platform} has no pidfd_open")


class Subprocess:
    """A child process with streams for its pipes and a callback for its exit.

    :param args: the arguments of `subprocess.Popen`, positional or by keyword. In addition, ``stdin``,
        ``stdout`` and ``stderr`` may be `Subprocess.STREAM`: the attribute with the same name is then a
        `.PipeIOStream`.

    The attributes are ``proc`` (the Popen), ``pid``, ``returncode`` (``None`` until the exit has been
    detected), ``io_loop``, ``stdin``, ``stdout``, ``stderr``. ::

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
        parent_ends: dict[str, int] = {}
        child_ends: dict[str, int] = {}
        try:
            for name in _PIPES:
                if kwargs.get(name) is self.STREAM:
                    readable, writable = os.pipe()
                    parent_ends[name], child_ends[name] = (
                        (writable, readable) if name == "stdin" else (readable, writable)
                    )
            self.proc: subprocess.Popen[Any] = subprocess.Popen(*args, **{**kwargs, **child_ends})
        except BaseException:
            for descriptor in parent_ends.values():
                os.close(descriptor)
            raise
        finally:
            for descriptor in child_ends.values():
                os.close(descriptor)
        for name in _PIPES:
            setattr(
                self,
                name,
                PipeIOStream(parent_ends[name]) if name in parent_ends else getattr(self.proc, name),
            )
        self.pid: int = self.proc.pid
        self.returncode: int | None = None
        self._exit_callback: Callable[[int], Any] | None = None
        #: One function for each pending `wait_for_exit`, which is called with the return code.
        self._exit_waiters: list[Callable[[int], None]] = []
        self._pidfd = -1

    def set_exit_callback(self, callback: Callable[[int], Any]) -> None:
        """Call ``callback(returncode)`` on the event loop when the process has exited.

        :param callback: a function or a coroutine function. It replaces any earlier exit callback.

        If a signal killed the process, the return code is the negated signal number.
        """
        self._exit_callback = callback
        self._notify_on_exit()

    def _notify_on_exit(self) -> None:
        """Arrange for `_run_exit_callback` to be called when the process exits."""
        if self.returncode is not None:
            self.io_loop.add_callback(self._run_exit_callback)
        elif self not in Subprocess._watched:
            self._watch()

    def wait_for_exit(self, raise_error: bool = True) -> Future[int]:
        """Return a Future of the return code. Several calls are allowed, also with an exit callback.

        :param raise_error: whether a return code other than 0 raises `CalledProcessError`.
        """
        future: Future[int] = Future()

        def settle(code: int) -> None:
            if code != 0 and raise_error:
                future_set_exception_unless_cancelled(future, CalledProcessError(code, self.proc.args))
            else:
                future_set_result_unless_cancelled(future, code)

        self._exit_waiters.append(settle)
        self._notify_on_exit()
        return future

    @classmethod
    def initialize(cls, io_loop: IOLoop | None = None) -> None:
        """Do nothing. The method exists for compatibility: no preparation or signal handler is needed."""
        if io_loop is not None:
            ignored_loop("Subprocess.initialize")

    @classmethod
    def uninitialize(cls) -> None:
        """Stop waiting for processes that are still running. Their exit callbacks will not be called."""
        for child in list(cls._watched):
            child._unwatch()

    def _watch(self) -> None:
        """Detect the exit with a pidfd if the kernel supports it, otherwise with a waiting thread."""
        for child in list(Subprocess._watched):
            if watching_loop(child.io_loop).is_closed():  # callbacks of this loop can no longer run
                child._unwatch()
        try:
            descriptor = _open_pidfd(self.pid)
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
        try:
            Subprocess._watched.remove(self)
        except KeyError:
            return  # another thread, which watches children of its own, has closed the descriptor
        descriptor, self._pidfd = self._pidfd, -1
        if descriptor >= 0:
            loop = watching_loop(self.io_loop)
            if not loop.is_closed():
                loop.remove_reader(descriptor)
            os.close(descriptor)

    def _on_pidfd(self) -> None:
        # Popen.poll() reaps the process, which also sets the Popen's returncode.
        if self.proc.poll() is not None:
            self._on_exit()

    def _wait_in_thread(self) -> None:
        self.proc.wait()
        self.io_loop.add_callback(self._on_exit)

    def _on_exit(self) -> None:
        if self not in Subprocess._watched:
            return  # uninitialize() was called
        self._unwatch()
        self.returncode = self.proc.returncode
        self.io_loop.add_callback(self._run_exit_callback)

    def _run_exit_callback(self) -> Any:
        code = self.returncode
        assert code is not None
        waiting, self._exit_waiters = self._exit_waiters, []
        for notify in waiting:
            notify(code)
        callback, self._exit_callback = self._exit_callback, None
        return None if callback is None else callback(code)  # the event loop runs a coroutine


if not TYPE_CHECKING:  # a type checker would otherwise accept every name as one of this module

    def __getattr__(name: str) -> Any:
        if name == "SubprocessOptions":
            return import_object("tornado._subprocess_options.SubprocessOptions")
        return reexported(__name__, name)


list_public(globals())
