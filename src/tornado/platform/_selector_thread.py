"""Socket readiness for event loops without ``add_reader``, provided by a thread.

asyncio's default loop on Windows, the proactor, has no ``add_reader``. `SelectorThread` adds it to any loop.

Theory of operation
-------------------
The thread never accesses the tables of watched descriptors. It receives a snapshot of the descriptors through
a queue, waits until one is ready, passes the ready descriptors to the loop with ``call_soon_threadsafe``, and
waits for the next snapshot, which the loop sends after it has called the handlers. Handlers are therefore
called in the loop's thread, and a descriptor that remains ready is reported once per iteration. If the tables
change while the thread waits, the loop wakes it through a socket pair. The cost of each iteration is
proportional to the number of descriptors, as with `select.select`.

The thread starts with the first descriptor and ends with `SelectorThread.close`, which an IOLoop or
`AddThreadSelectorEventLoop` calls when it is closed. `asyncio.run` calls neither, but it closes all
asynchronous generators of its loop, so the loop has a suspended generator that stops the thread when it is
closed. If the loop is never closed, the thread ends with the program; it is a daemon thread, so it does not
keep the program running.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import queue
import selectors
import socket
import threading
from collections.abc import AsyncGenerator, Callable
from typing import Any, ClassVar, Protocol

from tornado._public_module_names import export

__all__ = ["AddThreadSelectorEventLoop", "SelectorThread"]


class _HasFileno(Protocol):
    def fileno(self) -> int: ...


_FileDescriptorLike = int | _HasFileno
#: The descriptors that the thread waits for: those to read from, and those to write to.
_Snapshot = tuple[tuple[int, ...], tuple[int, ...]]

# poll() has no limit on descriptor numbers. Windows has only select(), which has no such limit there.
_Selector: type[Any] = getattr(selectors, "PollSelector", selectors.SelectSelector)

#: The selector threads that have not been closed.
_selector_loops: set[SelectorThread] = set()


@atexit.register
def _atexit_callback() -> None:
    # A daemon thread that wakes during interpreter shutdown could crash the process.
    for each in list(_selector_loops):
        each.close()


class SelectorThread:
    """``add_reader`` and related methods for a loop without them, provided by a thread.

    :param real_loop: the loop in which the handlers are called.

    The methods are those of `asyncio.loop`, and must be called in the loop's thread.
    """

    def __init__(self, real_loop: asyncio.AbstractEventLoop) -> None:
        self._real_loop = real_loop
        self._readers: dict[int, Callable[[], Any]] = {}
        self._writers: dict[int, Callable[[], Any]] = {}
        self._snapshots: queue.SimpleQueue[_Snapshot | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, daemon=True, name="tornado selector")
        self._waiting = False  # whether the thread has not yet reported a result for its snapshot
        self._woken = False
        self._closed = False
        self._waker_r, self._waker_w = socket.socketpair()
        self._waker_r.setblocking(False)
        self._waker_w.setblocking(False)
        # This attribute keeps the generator alive: the loop itself refers to it only weakly.
        self._thread_manager: AsyncGenerator[None, None] | None = None
        #: Done when the generator has begun. A Future, because a Task that never starts causes a warning.
        self._thread_manager_task: asyncio.Future[None] | None = None
        _selector_loops.add(self)
        real_loop.call_soon(self._await_shutdown)

    def add_reader(self, fd: _FileDescriptorLike, callback: Callable[..., None], *args: Any) -> None:
        """Call ``callback(*args)`` whenever ``fd`` is readable. It replaces an earlier callback."""
        self._set(self._readers, fd, callback, args)

    def add_writer(self, fd: _FileDescriptorLike, callback: Callable[..., None], *args: Any) -> None:
        """Call ``callback(*args)`` whenever ``fd`` is writable. It replaces an earlier callback."""
        self._set(self._writers, fd, callback, args)

    def remove_reader(self, fd: _FileDescriptorLike) -> bool:
        """Stop watching ``fd`` for reading. Return whether it was watched."""
        return self._remove(self._readers, fd)

    def remove_writer(self, fd: _FileDescriptorLike) -> bool:
        """Stop watching ``fd`` for writing. Return whether it was watched."""
        return self._remove(self._writers, fd)

    def close(self) -> None:
        """Stop the thread, wait for its end, and discard all callbacks. It may be called more than once."""
        if self._closed:
            return
        self._closed = True
        self._snapshots.put(None)
        self._wake()
        if self._thread.ident is not None:
            self._thread.join()
        _selector_loops.discard(self)
        self._readers.clear()
        self._writers.clear()
        self._waker_r.close()
        self._waker_w.close()

    # ---- In the loop's thread

    def _set(
        self,
        table: dict[int, Callable[[], Any]],
        fd: _FileDescriptorLike,
        callback: Callable[..., None],
        args: tuple[Any, ...],
    ) -> None:
        if self._closed:
            raise RuntimeError("this SelectorThread is closed, probably because its event loop was closed")
        number = _number_of(fd)
        changed = number not in table
        table[number] = functools.partial(callback, *args)
        if changed:
            self._update_thread()

    def _remove(self, table: dict[int, Callable[[], Any]], fd: _FileDescriptorLike) -> bool:
        known = table.pop(_number_of(fd), None) is not None
        if known and not self._closed:
            self._update_thread()
        return known

    def _update_thread(self) -> None:
        """Make the thread wait for the descriptors that are now in the tables."""
        if self._waiting:
            self._wake()
            return
        if self._thread.ident is None:
            self._thread.start()
        self._waiting = True
        self._snapshots.put((tuple(self._readers), tuple(self._writers)))

    def _wake(self) -> None:
        if not self._woken:
            self._woken = True
            self._waker_w.send(b"w")

    def _handle_result(self, readable: list[int], writable: list[int]) -> None:
        """Call the handlers of the ready descriptors, and send the next snapshot."""
        if self._closed:
            return
        self._woken = False
        try:
            # A forked child shares the sockets and may send or receive bytes, so any number may be available.
            self._waker_r.recv(1024)
        except BlockingIOError:
            pass
        try:
            for table, ready in ((self._readers, readable), (self._writers, writable)):
                for number in ready:
                    # A handler called earlier may have removed this handler.
                    handler = table.get(number)
                    if handler is not None:
                        self._call(handler)
        finally:
            self._waiting = False
            if not self._closed:
                self._update_thread()

    def _call(self, handler: Callable[[], Any]) -> None:
        try:
            handler()
        except Exception as error:
            message = f"Exception in callback {handler!r}"
            self._real_loop.call_exception_handler({"message": message, "exception": error})

    # ---- The end of the loop

    def _await_shutdown(self) -> None:
        if not self._closed:
            self._thread_manager_task = self._real_loop.create_future()
            self._real_loop.call_soon(self._begin_manager, self._thread_manager_task)

    def _begin_manager(self, begun: asyncio.Future[None]) -> None:
        if self._closed:
            return
        manager = self._thread_manager = self._manage()
        # The loop registers an asynchronous generator when the generator is first advanced inside the loop.
        with contextlib.suppress(StopIteration):
            manager.__anext__().send(None)
        begun.set_result(None)

    async def _manage(self) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            self.close()

    # ---- In the selector thread

    def _run(self) -> None:
        waker = self._waker_r.fileno()
        while (snapshot := self._snapshots.get()) is not None:
            readable, writable = _wait(snapshot, waker)
            try:
                self._real_loop.call_soon_threadsafe(self._handle_result, readable, writable)
            except RuntimeError:
                return  # the loop is closed


def _wait(snapshot: _Snapshot, waker: int) -> tuple[list[int], list[int]]:
    """Wait until a descriptor of ``snapshot`` or the waker is ready. Return readable and writable ones."""
    readers, writers = snapshot
    wanted = dict.fromkeys(readers, selectors.EVENT_READ)
    for number in writers:
        wanted[number] = wanted.get(number, 0) | selectors.EVENT_WRITE
    with _Selector() as selector:
        selector.register(waker, selectors.EVENT_READ)
        try:
            for number, events in wanted.items():
                selector.register(number, events)
            found = [(key.fd, events) for key, events in selector.select()]
        except (OSError, ValueError):
            # A watched descriptor was closed. All descriptors are reported as ready, so that the handler of
            # the closed one encounters the error.
            found = list(wanted.items())
    readable = [number for number, events in found if events & selectors.EVENT_READ and number != waker]
    writable = [number for number, events in found if events & selectors.EVENT_WRITE]
    return readable, writable


def _number_of(fd: _FileDescriptorLike) -> int:
    return fd if isinstance(fd, int) else fd.fileno()


class AddThreadSelectorEventLoop(asyncio.AbstractEventLoop):
    """A wrapper that adds ``add_reader`` and related methods to a loop without them.

    :param real_loop: the loop to wrap. All other attributes and methods are those of the real loop.
    """

    #: The names of the attributes that this class defines. All other attributes are those of the real loop.
    MY_ATTRIBUTES: ClassVar[set[str]] = {
        f"{verb}_{direction}" for verb in ("add", "remove") for direction in ("reader", "writer")
    } | {"close", "_real_loop", "_selector"}

    def __init__(self, real_loop: asyncio.AbstractEventLoop) -> None:
        self._selector = SelectorThread(real_loop)
        self._real_loop = real_loop

    def __getattribute__(self, name: str) -> Any:
        own = super().__getattribute__
        # `self.__class__`, `self.__dict__` and the methods of the abstract base class also belong to the
        # loop.
        is_ours = name in AddThreadSelectorEventLoop.MY_ATTRIBUTES
        return own(name) if is_ours else getattr(own("_real_loop"), name)

    # The variadic types of these methods in asyncio's type stubs would add no information here.

    def add_reader(  # type: ignore[override]
        self, fd: _FileDescriptorLike, callback: Callable[..., Any], *args: Any
    ) -> None:
        """Watch ``fd`` with `SelectorThread.add_reader`."""
        self._selector.add_reader(fd, callback, *args)

    def remove_reader(self, fd: _FileDescriptorLike) -> bool:
        """Stop watching ``fd`` with `SelectorThread.remove_reader`."""
        return self._selector.remove_reader(fd)

    def add_writer(  # type: ignore[override]
        self, fd: _FileDescriptorLike, callback: Callable[..., Any], *args: Any
    ) -> None:
        """Watch ``fd`` with `SelectorThread.add_writer`."""
        self._selector.add_writer(fd, callback, *args)

    def remove_writer(self, fd: _FileDescriptorLike) -> bool:
        """Stop watching ``fd`` with `SelectorThread.remove_writer`."""
        return self._selector.remove_writer(fd)

    def close(self) -> None:
        """Stop the thread and close the real loop."""
        real_loop = self._real_loop
        self._selector.close()
        real_loop.close()


export(globals(), module="tornado.platform.asyncio")
