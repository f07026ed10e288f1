"""Name resolution: the `Resolver` interface and its implementations."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import os
import socket
from collections.abc import Awaitable, Iterator
from typing import Any, ClassVar

from tornado._tornado4.deprecation import ignored_loop
from tornado._tornado4.legacy_arguments import takes_callback
from tornado.concurrent import dummy_executor
from tornado.ioloop import IOLoop
from tornado.netutil._error_context import add_error_context
from tornado.util import Configurable

_Addresses = list[tuple[int, Any]]
# The longest form of an IPv6 address (one with an embedded IPv4 address), "%", and an interface name.
_MAX_ADDRESS_LENGTH = 45 + 1 + 16


def is_valid_ip(ip: str) -> bool:
    """Whether ``ip`` is a literal IPv4 or IPv6 address. An IPv6 address may have a zone of this machine.

    A literal IPv4 address is four decimal numbers without leading zeros (RFC 3986 section 3.2.2). The C
    library also accepts ``127.1``, ``0x7f.1`` and ``017700000001``. These are rejected, because they would
    bypass code that compares addresses as text.

    >>> is_valid_ip("127.0.0.1"), is_valid_ip("::1"), is_valid_ip("localhost"), is_valid_ip("127.1")
    (True, True, False, False)
    """
    # Proxies forward text from clients, so this must be fast for any input. getaddrinfo() can be slow,
    # because it uses Python's IDNA codec.
    if len(ip) > _MAX_ADDRESS_LENGTH or not ip.isascii():
        return False
    if "%" in ip:
        return _is_valid_scoped_ipv6(ip)
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    try:
        socket.inet_pton(family, ip)
    except (OSError, ValueError):  # ValueError: embedded NUL character
        return False
    return True


def _is_valid_scoped_ipv6(ip: str) -> bool:
    """Whether ``ip`` is an IPv6 address with a zone (RFC 4007 section 11) that exists on this machine."""
    try:
        return bool(socket.getaddrinfo(ip, 0, socket.AF_INET6, socket.SOCK_STREAM, 0, socket.AI_NUMERICHOST))
    except (OSError, ValueError):
        return False


@contextlib.contextmanager
def _invalid_names_as_gaierror(host: str) -> Iterator[None]:
    """Add the host to errors, and convert the UnicodeError for an invalid host name, for example a label of
    more than 63 characters.

    :raises socket.gaierror: in place of the UnicodeError.
    """
    try:
        yield
    except socket.gaierror as error:
        raise add_error_context(error, f"looking up {host!r}")  # noqa: B904 - the same error
    except UnicodeError as error:
        message = f"invalid host name: {error} (looking up {host!r})"
        raise socket.gaierror(socket.EAI_NONAME, message) from error


def _resolve_addr(host: str, port: int, family: int = socket.AF_UNSPEC, flags: int = 0) -> _Addresses:
    """Resolve a name with the C library, in this thread."""
    # Without the socket type, getaddrinfo returns each address several times.
    with _invalid_names_as_gaierror(host):
        entries = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, 0, flags)
    return [(entry_family, sockaddr) for entry_family, _type, _proto, _name, sockaddr in entries]


class Resolver(Configurable):
    """The interface of resolvers, which convert host names to addresses.

    Most resolvers do not block the event loop.

    ``Resolver()`` creates an instance of the configured class, by default `DefaultLoopResolver`.
    ``Resolver.configure("tornado.netutil.ThreadedResolver", num_threads=4)`` selects another class for the
    whole program.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """Create a resolver of the configured class. An ``io_loop`` argument is ignored, with a warning."""
        if kwargs.pop("io_loop", None) is not None:
            ignored_loop(cls.__name__)
        return super().__new__(cls, *args, **kwargs)

    @classmethod
    def configurable_base(cls) -> type[Resolver]:
        """Return `Resolver`, the class that `configure` applies to."""
        return Resolver

    @classmethod
    def configurable_default(cls) -> type[Resolver]:
        """Return `DefaultLoopResolver`."""
        return DefaultLoopResolver

    def resolve(
        self, host: str, port: int, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> Awaitable[list[tuple[int, Any]]]:
        """Resolve ``host`` to addresses.

        :param host: a host name or a literal address.
        :param port: a port number, which is copied into the addresses.
        :param family: `socket.AF_INET` or `socket.AF_INET6` to return only addresses of this family.
        :returns: an awaitable list of ``(family, address)`` pairs, in the order in which to try them. Each
            address has the form that `socket.connect` accepts.
        :raises OSError: (`socket.gaierror`) if the name cannot be resolved.

        The implementations in this module also accept ``callback=`` (deprecated, the style of Tornado 4),
        which is called with the list.
        """
        raise NotImplementedError("a subclass of Resolver must define resolve(host, port, family)")

    def close(self) -> None:
        """Release the resources of the resolver. It must not be used afterwards."""


class DefaultLoopResolver(Resolver):
    """Resolves with the event loop's `getaddrinfo`: in its default executor, or natively (uvloop)."""

    @takes_callback
    async def resolve(
        self, host: str, port: int, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[tuple[int, Any]]:
        """Resolve a host; see `Resolver.resolve`. A literal address needs no thread."""
        try:
            return _resolve_addr(host, port, family, socket.AI_NUMERICHOST)
        except socket.gaierror:
            pass  # a name, or an error that the full look-up will report
        with _invalid_names_as_gaierror(host):
            entries = await asyncio.get_running_loop().getaddrinfo(
                host, port, family=family, type=socket.SOCK_STREAM
            )
        return [(entry_family, sockaddr) for entry_family, _type, _proto, _name, sockaddr in entries]


class DefaultExecutorResolver(Resolver):
    """Resolves with `socket.getaddrinfo` in the `.IOLoop`'s default executor."""

    @takes_callback
    async def resolve(
        self, host: str, port: int, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[tuple[int, Any]]:
        """Resolve a host; see `Resolver.resolve`."""
        return await IOLoop.current().run_in_executor(None, _resolve_addr, host, port, family)


class ExecutorResolver(Resolver):
    """Resolves with `socket.getaddrinfo` in an executor that the program provides.

    :param executor: any `concurrent.futures.Executor`. By default look-ups run in the calling thread, and
        block it.
    :param close_executor: whether `close` also shuts down the executor.
    """

    executor: concurrent.futures.Executor | None
    close_executor: bool

    def initialize(
        self, executor: concurrent.futures.Executor | None = None, close_executor: bool = True
    ) -> None:
        """Set the executor. The constructor calls this with its arguments."""
        self.executor = dummy_executor if executor is None else executor
        self.close_executor = close_executor and executor is not None

    @takes_callback
    def resolve(
        self, host: str, port: int, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> Awaitable[list[tuple[int, Any]]]:
        """Resolve a host; see `Resolver.resolve`."""
        if self.executor is None:
            raise RuntimeError("this ExecutorResolver has been closed")
        return IOLoop.current().run_in_executor(self.executor, _resolve_addr, host, port, family)

    def close(self) -> None:
        """Shut down the executor if this resolver owns it. The resolver cannot be used afterwards."""
        executor, self.executor = self.executor, None
        if executor is not None and self.close_executor:
            executor.shutdown()


class BlockingResolver(ExecutorResolver):
    """Blocks the whole `.IOLoop` while it resolves. Kept for old programs; prefer the default resolver."""

    def initialize(self) -> None:  # type: ignore[override]
        """Use the calling thread. The constructor has no arguments."""
        super().initialize()


class ThreadedResolver(ExecutorResolver):
    """Resolves in a thread pool that all instances share.

    :param num_threads: the size of the pool. The value of the first instance in a process is used.
    """

    #: The pool of each process: this one, and after a fork those of its parents.
    _pools: ClassVar[dict[int, concurrent.futures.ThreadPoolExecutor]] = {}
    _threadpool: concurrent.futures.ThreadPoolExecutor | None = None
    _threadpool_pid: int | None = None

    def initialize(self, num_threads: int = 10) -> None:  # type: ignore[override]
        """Use the shared thread pool. The constructor calls this with its arguments."""
        super().initialize(executor=ThreadedResolver._shared_pool(num_threads), close_executor=False)

    @classmethod
    def _shared_pool(cls, num_threads: int) -> concurrent.futures.ThreadPoolExecutor:
        # Threads do not survive a fork, so a child process creates its own pool.
        process = os.getpid()
        pool = cls._pools.get(process)
        if pool is None:
            # If two event loops create one at the same time, both use the first.
            made = concurrent.futures.ThreadPoolExecutor(num_threads, thread_name_prefix="resolver")
            pool = cls._pools.setdefault(process, made)
            cls._threadpool, cls._threadpool_pid = pool, process
        return pool


class OverrideResolver(Resolver):
    """Replaces hosts and ports according to a table, like ``/etc/hosts``, and calls another resolver.

    :param resolver: the `Resolver` that resolves the replaced names.
    :param mapping: the keys are host names, ``(host, port)`` or ``(host, port, family)``. The value for a
        host name is a host name or address; for the other keys it is a ``(host, port)`` pair. The most
        specific matching key is used::

            OverrideResolver(Resolver(), {
                "example.com": "127.0.1.1",
                ("login.example.com", 443): ("localhost", 1443),
                ("login.example.com", 443, socket.AF_INET6): ("::1", 1443),
            })
    """

    resolver: Resolver
    mapping: dict[Any, Any]

    def initialize(self, resolver: Resolver, mapping: dict[Any, Any]) -> None:
        """Set the resolver and the table. The constructor calls this with its arguments."""
        self.resolver = resolver
        self.mapping = mapping

    @takes_callback
    def resolve(
        self, host: str, port: int, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> Awaitable[list[tuple[int, Any]]]:
        """Resolve a host; see `Resolver.resolve`."""
        table = self.mapping
        for key in ((host, port, family), (host, port)):
            if key in table:
                host, port = table[key]
                break
        else:
            host = table.get(host, host)
        return self.resolver.resolve(host, port, family)

    def close(self) -> None:
        """Close the underlying resolver."""
        self.resolver.close()
