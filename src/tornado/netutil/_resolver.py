"""Names to addresses: the Resolver interface and its implementations."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import os
import socket
from collections.abc import Awaitable, Iterator
from typing import Any

from tornado._tornado4.deprecation import ignored_loop
from tornado._tornado4.legacy_arguments import takes_callback
from tornado.concurrent import dummy_executor
from tornado.ioloop import IOLoop
from tornado.util import Configurable

_Addresses = list[tuple[int, Any]]
# The longest form of an IPv6 address (that with an IPv4 address in it), "%", and the name of an interface.
_LONGEST_ADDRESS = 45 + 1 + 16


def is_valid_ip(ip: str) -> bool:
    """Whether ``ip`` is a literal IPv4 or IPv6 address, the latter perhaps with a zone of this machine.

    Of IPv4 that is four decimal numbers without leading zeros (RFC 3986 section 3.2.2). The C library also
    reads ``127.1``, ``0x7f.1`` and ``017700000001``: whoever compares addresses as text would be passed by.

    >>> is_valid_ip("127.0.0.1"), is_valid_ip("::1"), is_valid_ip("localhost"), is_valid_ip("127.1")
    (True, True, False, False)
    """
    # Proxies pass on what clients wrote: nothing here may be slow, as Python's IDNA codec is for other text.
    if len(ip) > _LONGEST_ADDRESS or not ip.isascii():
        return False
    if "%" in ip:
        return _is_scoped(ip)
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    try:
        socket.inet_pton(family, ip)
    except (OSError, ValueError):  # a NUL is the latter
        return False
    return True


def _is_scoped(ip: str) -> bool:
    """Whether this is an IPv6 address with a zone (RFC 4007 section 11): only the system knows its zones."""
    try:
        return bool(socket.getaddrinfo(ip, 0, socket.AF_INET6, socket.SOCK_STREAM, 0, socket.AI_NUMERICHOST))
    except (OSError, ValueError):
        return False


@contextlib.contextmanager
def _names() -> Iterator[None]:
    """Have what cannot be a name, such as one with a label of more than 63 characters, have no address."""
    try:
        yield
    except UnicodeError as error:
        raise socket.gaierror(socket.EAI_NONAME, f"not a name that could have an address: {error}") from error


def _look_up(host: str, port: int, family: int = socket.AF_UNSPEC, flags: int = 0) -> _Addresses:
    """Ask the C library, in this thread. Without the socket type each address would come several times."""
    with _names():
        answer = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, 0, flags)
    return [(entry_family, sockaddr) for entry_family, _type, _proto, _name, sockaddr in answer]


class Resolver(Configurable):
    """Turns host names into addresses, without blocking unless an implementation says so.

    ``Resolver()`` makes an instance of the configured class;
    ``Resolver.configure("tornado.netutil.ThreadedResolver", num_threads=4)`` chooses another one for the
    whole program. By default it is `DefaultLoopResolver`.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """Make a resolver of the configured class. An argument ``io_loop`` is ignored, with a warning."""
        if kwargs.pop("io_loop", None) is not None:
            ignored_loop(cls.__name__)
        return super().__new__(cls, *args, **kwargs)

    @classmethod
    def configurable_base(cls) -> type[Resolver]:
        """`Resolver` itself is what `configure` sets."""
        return Resolver

    @classmethod
    def configurable_default(cls) -> type[Resolver]:
        """`DefaultLoopResolver`."""
        return DefaultLoopResolver

    def resolve(
        self, host: str, port: int, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> Awaitable[list[tuple[int, Any]]]:
        """Look ``host`` up.

        :param host: a host name or a literal address.
        :param port: a port number, copied into the addresses.
        :param family: only addresses of this family, where one is given.
        :returns: an awaitable of ``(family, address)`` pairs, each address in the form that `socket.connect`
            takes, in the order in which they are to be tried.
        :raises OSError: (`socket.gaierror`) when there is no answer.

        The implementations here also take ``callback=`` (deprecated, the style of Tornado 4), which is called
        with the answer.
        """
        raise NotImplementedError("a Resolver's subclass defines resolve(host, port, family)")

    def close(self) -> None:
        """Free what the resolver holds. It must not be used afterwards."""


class DefaultLoopResolver(Resolver):
    """Resolves by the event loop's own `getaddrinfo`: in its default executor, or natively (uvloop)."""

    @takes_callback
    async def resolve(
        self, host: str, port: int, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[tuple[int, Any]]:
        """As `Resolver.resolve`. A literal address is answered at once, without a thread."""
        try:
            return _look_up(host, port, family, socket.AI_NUMERICHOST)
        except socket.gaierror:
            pass  # a name, or an error that the full look-up will report
        with _names():
            answer = await asyncio.get_running_loop().getaddrinfo(
                host, port, family=family, type=socket.SOCK_STREAM
            )
        return [(entry_family, sockaddr) for entry_family, _type, _proto, _name, sockaddr in answer]


class DefaultExecutorResolver(Resolver):
    """Resolves by `socket.getaddrinfo` in the `.IOLoop`'s default executor."""

    @takes_callback
    async def resolve(
        self, host: str, port: int, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[tuple[int, Any]]:
        """As `Resolver.resolve`."""
        return await IOLoop.current().run_in_executor(None, _look_up, host, port, family)


class ExecutorResolver(Resolver):
    """Resolves by `socket.getaddrinfo` in an executor of the program's choice.

    :param executor: any `concurrent.futures.Executor`. Without one, look-ups run (and block) in the calling
        thread.
    :param close_executor: whether `close` shuts the executor down too.
    """

    executor: concurrent.futures.Executor | None
    close_executor: bool

    def initialize(
        self, executor: concurrent.futures.Executor | None = None, close_executor: bool = True
    ) -> None:
        """Called by the constructor with its arguments."""
        self.executor = dummy_executor if executor is None else executor
        self.close_executor = close_executor and executor is not None

    @takes_callback
    def resolve(
        self, host: str, port: int, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> Awaitable[list[tuple[int, Any]]]:
        """As `Resolver.resolve`."""
        if self.executor is None:
            raise RuntimeError("this ExecutorResolver has been closed")
        return IOLoop.current().run_in_executor(self.executor, _look_up, host, port, family)

    def close(self) -> None:
        """Shut the executor down where this resolver owns it, and let go of it."""
        executor, self.executor = self.executor, None
        if executor is not None and self.close_executor:
            executor.shutdown()


class BlockingResolver(ExecutorResolver):
    """Blocks the whole `.IOLoop` while it resolves. Kept for old programs: prefer the default."""

    def initialize(self) -> None:  # type: ignore[override]
        """Takes no arguments."""
        super().initialize()


class ThreadedResolver(ExecutorResolver):
    """Resolves in a thread pool that all instances share.

    :param num_threads: the size of the pool; only the first instance of a process decides.
    """

    _threadpool: concurrent.futures.ThreadPoolExecutor | None = None
    _threadpool_pid: int | None = None

    def initialize(self, num_threads: int = 10) -> None:  # type: ignore[override]
        """Called by the constructor with its arguments."""
        super().initialize(executor=ThreadedResolver._shared_pool(num_threads), close_executor=False)

    @classmethod
    def _shared_pool(cls, num_threads: int) -> concurrent.futures.ThreadPoolExecutor:
        pool = cls._threadpool
        if pool is None or cls._threadpool_pid != os.getpid():
            # Threads do not survive a fork: a child makes its own pool.
            pool = concurrent.futures.ThreadPoolExecutor(num_threads, thread_name_prefix="resolver")
            cls._threadpool = pool
            cls._threadpool_pid = os.getpid()
        return pool


class OverrideResolver(Resolver):
    """Answers from a table first, as ``/etc/hosts`` does, and asks another resolver with what the table says.

    :param resolver: the `Resolver` that does the work.
    :param mapping: keys are host names, ``(host, port)`` or ``(host, port, family)``; the value of a host
        name is a host name or address, of the others a ``(host, port)`` pair. The most specific key wins::

            OverrideResolver(Resolver(), {
                "example.com": "127.0.1.1",
                ("login.example.com", 443): ("localhost", 1443),
                ("login.example.com", 443, socket.AF_INET6): ("::1", 1443),
            })
    """

    resolver: Resolver
    mapping: dict[Any, Any]

    def initialize(self, resolver: Resolver, mapping: dict[Any, Any]) -> None:
        """Called by the constructor with its arguments."""
        self.resolver = resolver
        self.mapping = mapping

    @takes_callback
    def resolve(
        self, host: str, port: int, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> Awaitable[list[tuple[int, Any]]]:
        """As `Resolver.resolve`."""
        table = self.mapping
        for key in ((host, port, family), (host, port)):
            if key in table:
                host, port = table[key]
                break
        else:
            host = table.get(host, host)
        return self.resolver.resolve(host, port, family)

    def close(self) -> None:
        """Close the resolver behind this one."""
        self.resolver.close()
