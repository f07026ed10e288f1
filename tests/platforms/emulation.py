"""Runs a program as on macOS or Windows: ``python emulation.py darwin|win32 SCRIPT|-m MODULE [ARGUMENTS]``.

The program, that is Tornado and everything in this checkout, sees the modules of that platform: names that it
lacks are missing, and ``sys.platform`` is its name. The standard library keeps the real modules, so that it
works. For all code, sockets report the platform's error numbers, and asyncio has the platform's loops:

* ``darwin``: a selector with kqueue's events. The first write to a connection that the peer has closed fails
  with ``EPROTOTYPE``, and options cannot be set on it (``EINVAL``).
* ``win32``: the default loop has no ``add_reader``, and no loop has ``add_signal_handler``. ``select`` takes
  only sockets. Open files cannot be renamed or removed. `os.open` without ``O_BINARY`` changes line ends.

Paths, consoles, and real kernels are not emulated.
"""

from __future__ import annotations

import builtins
import errno
import os
import runpy
import socket
import stat
import struct
import sys
import types
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from platform_names import (
    DARWIN_ERRORS,
    LACKS_DARWIN,
    LACKS_WINDOWS,
    MISSING_MODULES,
    WINDOWS_ERRORS,
    WINDOWS_SIGNALS,
)

ROOT = Path(__file__).resolve().parents[2]
_REAL_SOCKET = socket.socket
_TEXT_DESCRIPTORS: set[int] = set()
_O_BINARY = 0x8000
_TCP_CLOSE = b"\x07"
_SIGBREAK = 3  # the number of SIGQUIT, which the test can send
_SharingViolation = "The process cannot access the file because it is being used by another process"


class FakeModule(types.ModuleType):
    """A module as the program sees it.

    :param real: the module that provides all other names, and receives assignments.
    :param lacks: the names that it does not have.
    :param changed: names with other values.
    """

    def __init__(self, real: types.ModuleType, lacks: Iterable[str], changed: Mapping[str, Any]) -> None:
        super().__init__(real.__name__)
        self.__dict__.update(changed, _real=real, _lacks=frozenset(lacks), _originals={})
        for name in ("__path__", "__file__", "__spec__"):
            self.__dict__[name] = getattr(real, name, None)

    def __getattr__(self, name: str) -> Any:
        if name in self._lacks:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        return getattr(self._real, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self.__dict__["_lacks"] -= {name}
        if name in self.__dict__:
            self.__dict__[name] = value
        else:
            self._originals.setdefault(name, getattr(self._real, name, None))
            setattr(self._real, name, value)

    def __delattr__(self, name: str) -> None:
        if name in self._originals:  # pytest's monkeypatch undoes an assignment like this
            setattr(self._real, name, self._originals.pop(name))
        else:
            self.__dict__.pop(name, None)
            self.__dict__["_lacks"] |= {name}

    def __dir__(self) -> list[str]:
        return sorted({*dir(self._real), *self.__dict__} - self._lacks)


# -- errors of sockets --


def emulate_errors(windows: bool) -> Callable[..., OSError]:
    """Give `errno` and `socket.socket` the error numbers of the platform. Call it before ssl is imported.

    :returns: the function that translates an error.
    """
    numbers = WINDOWS_ERRORS if windows else DARWIN_ERRORS
    translations = {getattr(errno, name): number for name, number in numbers.items() if hasattr(errno, name)}
    for name, number in numbers.items():
        setattr(errno, name, number)
        errno.errorcode[number] = name
        if windows:
            setattr(errno, f"WSA{name}", number)
    if windows:
        translations[11] = numbers["EWOULDBLOCK"]  # not EAGAIN, which is an error of files there

    def translated(error: OSError, sock: Any) -> OSError:
        number = error.errno
        if number == errno.EPIPE:
            return _broken_pipe(windows, sock, error)
        if windows and isinstance(error, BlockingIOError):
            number = 11  # connect() reports EWOULDBLOCK as well
        if number in translations:
            return type(error)(translations[number], error.strerror)
        return error

    namespace: dict[str, Any] = {"__slots__": ("_connected", "_first_pipe_error", "_shut")}
    namespace["__module__"] = "socket"
    for name in _METHODS:
        namespace[name] = _translating(name, translated)
    namespace["getsockopt"] = _getsockopt(translations)
    namespace["shutdown"] = _shutdown(namespace["shutdown"])
    if windows:
        namespace["bind"] = _bind(namespace["bind"])
        namespace["setsockopt"] = _setsockopt_of_windows(namespace["setsockopt"])
        for name in ("sendmsg", "recvmsg", "recvmsg_into", "sendmsg_afalg"):
            namespace[name] = property(_missing)
    else:
        for name in ("accept", "connect", "setsockopt"):
            namespace[name] = globals()[f"_{name}"](namespace[name])
    namespace["connect_ex"] = _connect_number
    socket.socket = type("socket", (_REAL_SOCKET,), namespace)  # type: ignore[misc]
    socket.SocketType = socket.socket  # type: ignore[misc, assignment]

    import ssl

    for name in ("read", "write", "do_handshake", "unwrap"):
        setattr(ssl.SSLSocket, name, _translating(name, translated, ssl.SSLSocket))
    return translated


_METHODS = (
    "accept",
    "bind",
    "connect",
    "listen",
    "recv",
    "recv_into",
    "recvfrom",
    "send",
    "sendall",
    "sendto",
)
_METHODS += ("setsockopt", "getpeername", "getsockname", "shutdown")


def _translating(name: str, translated: Callable[..., OSError], owner: type = _REAL_SOCKET) -> Any:
    real = getattr(owner, name)

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return real(self, *args, **kwargs)
        except OSError as error:
            raise translated(error, self).with_traceback(None) from None

    return method


def _broken_pipe(windows: bool, sock: Any, error: OSError) -> OSError:
    if windows:
        if getattr(sock, "_shut", False):
            return BrokenPipeError(errno.ESHUTDOWN, "a request to send was disallowed")
        return ConnectionAbortedError(errno.ECONNABORTED, "an established connection was aborted")
    if sock is not None and getattr(sock, "_first_pipe_error", True):
        sock._first_pipe_error = False
        return OSError(errno.EPROTOTYPE, "Protocol wrong type for socket")
    return error


class _ErrorNumber(int):
    """A number of the platform for which `OSError` chooses the class of Linux's number."""

    linux: int

    def __hash__(self) -> int:
        return hash(self.linux)

    def __eq__(self, other: object) -> bool:
        return other == self.linux or other == int(self)


def _getsockopt(translations: Mapping[int, int]) -> Any:
    def getsockopt(self: Any, level: int, option: int, *size: int) -> Any:
        value = _REAL_SOCKET.getsockopt(self, level, option, *size)
        if option != socket.SO_ERROR or value not in translations:
            return value
        number = _ErrorNumber(translations[value])
        number.linux = value
        return number

    return getsockopt


def _shutdown(real: Callable[..., None]) -> Any:
    def shutdown(self: Any, how: int) -> None:
        real(self, how)
        self._shut = how != socket.SHUT_RD

    return shutdown


def _bind(real: Callable[..., None]) -> Any:
    def bind(self: Any, address: Any) -> None:
        if self.type == socket.SOCK_STREAM:
            # Without it, Linux waits for the end of old connections, and Windows does not.
            _REAL_SOCKET.setsockopt(self, socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        real(self, address)

    return bind


def _accept(real: Callable[..., Any]) -> Any:
    def accept(self: Any) -> Any:
        connection, address = real(self)
        connection._connected = True
        return connection, address

    return accept


def _connect(real: Callable[..., None]) -> Any:
    def connect(self: Any, address: Any) -> None:
        self._connected = True
        real(self, address)

    return connect


def _setsockopt(real: Callable[..., None]) -> Any:
    def setsockopt(self: Any, *args: Any) -> None:
        if getattr(self, "_connected", False) and self.family in (socket.AF_INET, socket.AF_INET6):
            if _REAL_SOCKET.getsockopt(self, socket.IPPROTO_TCP, socket.TCP_INFO, 1) == _TCP_CLOSE:
                raise OSError(errno.EINVAL, "Invalid argument")
        real(self, *args)

    return setsockopt


def _setsockopt_of_windows(real: Callable[..., None]) -> Any:
    def setsockopt(self: Any, level: int, option: int, value: Any, *size: int) -> None:
        if (level, option) == (socket.SOL_SOCKET, socket.SO_LINGER) and len(value) == 4:
            value = struct.pack("ii", *struct.unpack("hh", value))
        real(self, level, option, value, *size)

    return setsockopt


def _connect_number(sock: Any, address: Any) -> int:
    try:
        sock.connect(address)
    except OSError as error:
        return error.errno or 0
    return 0


def _missing(sock: object) -> None:
    raise AttributeError


# -- loops --


def emulate_loops(windows: bool) -> dict[str, Any]:
    """Let asyncio create the platform's loops, and return the names that the program sees in asyncio."""
    import asyncio
    import selectors
    from asyncio import unix_events

    class KqueueSelector(selectors.PollSelector):
        """Reports input and output of one descriptor separately, as kqueue's filters do."""

        def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
            both = (selectors.EVENT_READ, selectors.EVENT_WRITE)
            return [(key, each) for key, events in super().select(timeout) for each in both if events & each]

    class SelectorEventLoop(asyncio.SelectorEventLoop):
        def __init__(self, selector: selectors.BaseSelector | None = None) -> None:
            super().__init__(selector or (selectors.SelectSelector() if windows else KqueueSelector()))

    if windows:
        # Those of the base class, as in asyncio: they raise NotImplementedError.
        for name in ("add_signal_handler", "remove_signal_handler", "create_unix_server"):
            setattr(SelectorEventLoop, name, getattr(asyncio.AbstractEventLoop, name))

    class ProactorEventLoop(SelectorEventLoop):
        def __init__(self) -> None:
            super().__init__(selectors.DefaultSelector())  # it has the abilities of asyncio's proactor

        add_reader = asyncio.AbstractEventLoop.add_reader
        remove_reader = asyncio.AbstractEventLoop.remove_reader
        add_writer = asyncio.AbstractEventLoop.add_writer
        remove_writer = asyncio.AbstractEventLoop.remove_writer

        # asyncio's own methods for sockets, sock_connect() and others, call the public ones.
        def _sock_read_done(self, fd: int, future: object, handle: Any = None) -> None:
            if handle is None or not handle.cancelled():
                self._remove_reader(fd)

        def _sock_write_done(self, fd: int, future: object, handle: Any = None) -> None:
            if handle is None or not handle.cancelled():
                self._remove_writer(fd)

    default = ProactorEventLoop if windows else SelectorEventLoop
    policy: Any = getattr(unix_events, "_DefaultEventLoopPolicy", None) or unix_events.DefaultEventLoopPolicy
    policy._loop_factory = default
    changed: dict[str, Any] = {"SelectorEventLoop": SelectorEventLoop, "EventLoop": default}
    if windows:

        class WindowsSelectorEventLoopPolicy(policy):  # type: ignore[misc]
            _loop_factory = SelectorEventLoop

        changed |= {
            "ProactorEventLoop": ProactorEventLoop,
            "WindowsProactorEventLoopPolicy": policy,
            "WindowsSelectorEventLoopPolicy": WindowsSelectorEventLoopPolicy,
        }
    selector = selectors.SelectSelector if windows else KqueueSelector
    lacks = ["EpollSelector", "DevpollSelector", *(("PollSelector", "KqueueSelector") if windows else ())]
    names = {"DefaultSelector": selector} | ({} if windows else {"KqueueSelector": selector})
    _fakes["selectors"] = FakeModule(selectors, lacks, names)
    return changed


# -- files --


def _is_open(path: Any) -> bool:
    try:
        wanted = os.stat(path)
        numbers = [int(name) for name in os.listdir("/proc/self/fd")]
    except OSError:
        return False
    for number in numbers:
        try:
            found = os.fstat(number)
        except OSError:
            continue
        if os.path.samestat(found, wanted) and stat.S_ISREG(found.st_mode):
            return True
    return False


def _refusing_open_files(real: Callable[..., Any]) -> Any:
    def operation(path: Any, *args: Any, **kwargs: Any) -> Any:
        if _is_open(path):
            raise PermissionError(errno.EACCES, _SharingViolation, path)
        return real(path, *args, **kwargs)

    return operation


def _without_proc(real: Callable[..., Any]) -> Any:
    def operation(path: Any = ".", *args: Any, **kwargs: Any) -> Any:
        is_ours = str(sys._getframe(1).f_globals.get("__name__")).startswith("tornado.")
        if is_ours and isinstance(path, str) and path.startswith(("/proc/", "/sys/")):
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", path)
        return real(path, *args, **kwargs)

    return operation


def _open(path: Any, flags: int, *args: Any, **kwargs: Any) -> int:
    descriptor = os.open(path, flags & ~_O_BINARY, *args, **kwargs)
    (_TEXT_DESCRIPTORS.discard if flags & _O_BINARY else _TEXT_DESCRIPTORS.add)(descriptor)
    return descriptor


def _read(descriptor: int, size: int) -> bytes:
    data = os.read(descriptor, size)
    return data.replace(b"\r\n", b"\n") if descriptor in _TEXT_DESCRIPTORS else data


def _write(descriptor: int, data: Any) -> int:
    if descriptor in _TEXT_DESCRIPTORS:
        os.write(descriptor, bytes(data).replace(b"\n", b"\r\n"))
        return len(data)
    return os.write(descriptor, data)


def _close(descriptor: int) -> None:
    _TEXT_DESCRIPTORS.discard(descriptor)
    os.close(descriptor)


# -- the modules of the program --

_fakes: dict[str, types.ModuleType] = {}
_missing_modules: frozenset[str] = frozenset()
_real_import = builtins.__import__


def _is_program(namespace: Mapping[str, Any] | None) -> bool:
    """Whether code with these globals is the program's, and not the standard library's."""
    name = str((namespace or {}).get("__name__"))
    file = str((namespace or {}).get("__file__") or "")
    if name.partition(".")[0] == "tornado" or name == "__main__" or not file:
        return namespace is not globals()
    return file.startswith(str(ROOT)) and "site-packages" not in file and file != __file__


def _import(
    name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0
) -> types.ModuleType:
    if not level and _is_program(globals):
        top = name.partition(".")[0]
        if top in _missing_modules:
            raise ModuleNotFoundError(f"No module named {top!r}", name=top)
        if name in _fakes or (top in _fakes and not fromlist):
            _real_import(name, globals, locals, fromlist, level)
            return _fakes[name if fromlist else top]
    return _real_import(name, globals, locals, fromlist, level)


def _select_of_windows(readers: Any, writers: Any, broken: Any, timeout: float | None = None) -> Any:
    import select

    if not (readers or writers or broken):
        raise OSError(10022, "an invalid argument was supplied")
    for each in (*readers, *writers, *broken):
        if not stat.S_ISSOCK(os.fstat(each if isinstance(each, int) else each.fileno()).st_mode):
            raise OSError(errno.ENOTSOCK, "an operation was attempted on something that is not a socket")
    return select.select(readers, writers, broken, timeout)


def emulate(platform: str) -> None:
    """Change this process into one of the platform."""
    global _missing_modules
    windows = platform == "win32"
    translated = emulate_errors(windows)
    import asyncio
    import fcntl
    import select
    import signal
    import ssl
    import time

    _fakes["asyncio"] = FakeModule(asyncio, [], emulate_loops(windows))
    lacks = LACKS_WINDOWS if windows else LACKS_DARWIN
    changes: dict[str, dict[str, Any]] = {"sys": {"platform": platform}, "os": {}, "select": {}}
    hidden = {name: _without_proc(getattr(os, name)) for name in ("stat", "listdir", "readlink", "open")}
    changes["os"] |= {**hidden, "strerror": lambda number: os.strerror(getattr(number, "linux", number))}
    builtins.open = _without_proc(open)
    if windows:
        changes["os"] |= {"name": os.name, "O_BINARY": _O_BINARY, "open": _open, "read": _read}
        changes["os"] |= {"write": _write, "close": _close}
        for name in ("replace", "rename", "unlink", "remove"):
            changes["os"][name] = _refusing_open_files(getattr(os, name))
        changes["select"]["select"] = _select_of_windows
        changes["signal"] = {"SIGBREAK": _SIGBREAK}
        known = {name for name in dir(signal) if name.startswith(("SIG", "ITIMER")) and name.isupper()}
        lacks = {**lacks, "signal": lacks["signal"] | (known - WINDOWS_SIGNALS)}
        ssl.SSLContext._windows_cert_stores = ()  # type: ignore[attr-defined]
    else:
        changes["select"]["kqueue"] = object()
        real_fcntl = fcntl.fcntl

        def sendfile(*args: Any) -> int:
            try:
                return os.sendfile(*args)
            except OSError as error:
                raise translated(error, None) from None

        changes["os"]["sendfile"] = sendfile

        def fcntl_of_darwin(descriptor: Any, command: int, argument: Any = 0) -> Any:
            if command == 50:
                return os.readlink(f"/proc/self/fd/{descriptor}").encode().ljust(len(argument), b"\0")
            return real_fcntl(descriptor, command, argument)

        changes["fcntl"] = {"F_GETPATH": 50, "fcntl": fcntl_of_darwin}
    modules: dict[str, types.ModuleType] = {
        each.__name__: each for each in (os, sys, socket, select, signal, time, fcntl)
    }
    for name, module in modules.items():
        _fakes[name] = FakeModule(module, lacks.get(name, frozenset()), changes.get(name, {}))
    _missing_modules = MISSING_MODULES["win32" if windows else "darwin"]
    builtins.__import__ = _import  # type: ignore[assignment]


def main() -> None:
    platform, *words = sys.argv[1:]
    emulate(platform)
    if words[0] == "-m":
        sys.argv = words[1:]
        sys.path[0] = os.getcwd()
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = words
        sys.path[0] = str(Path(words[0]).resolve().parent)
        runpy.run_path(words[0], run_name="__main__")


if __name__ == "__main__":
    main()
