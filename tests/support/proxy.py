"""Proxies: a configurable HTTP proxy, and Debian's tinyproxy, squid and microsocks."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

from tests.support.nginx import reserve
from tests.support.tools import need


class Proxy:
    """An HTTP proxy that supports CONNECT.

    :param answer: the response to each request; None to open a tunnel.
    :param target: the address to connect to instead of the requested one.
    :ivar heads: the heads of the requests received.
    """

    def __init__(self, answer: bytes | None, target: tuple[str, int] | None) -> None:
        self.answer = answer
        self.target = target
        self.heads: list[bytes] = []
        self.port = 0
        self._writers: list[asyncio.StreamWriter] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.append(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            self.heads.append(head)
            if self.answer is not None:
                writer.write(self.answer)
                await reader.read()
            else:
                await self._tunnel(head, reader, writer)
        writer.close()

    async def _tunnel(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, _, port = head.split(b" ")[1].decode().rpartition(":")
        there, back = await asyncio.open_connection(*(self.target or (host.strip("[]"), int(port))))
        self._writers.append(back)
        writer.write(b"HTTP/1.1 200 Connection established\r\nX-Proxy: mine\r\n\r\n")
        await asyncio.gather(_copy(reader, back), _copy(there, writer))
        back.close()

    async def end(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:
            # The reset is also the exception of a Future that asyncio retrieves in a finalizer, too late if
            # the collector finalizes the Future first.
            with contextlib.suppress(OSError):
                await writer.wait_closed()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    with contextlib.suppress(OSError, RuntimeError):  # uvloop raises RuntimeError if the transport is closed
        writer.write_eof()


@contextlib.asynccontextmanager
async def proxying(
    answer: bytes | None = None, target: tuple[str, int] | None = None
) -> AsyncIterator[Proxy]:
    """Run a `Proxy` on an unused port."""
    proxy = Proxy(answer, target)
    listening = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = listening.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        listening.close()
        await proxy.end()
        await listening.wait_closed()


@contextlib.asynccontextmanager
async def tinyproxy(folder: Path, *lines: str) -> AsyncIterator[int]:
    """Run Debian's tinyproxy with these lines in its configuration; the value is its port."""
    program = need("tinyproxy", "tinyproxy-bin")
    reservation = reserve()
    port = reservation.getsockname()[1]
    configuration = folder / "tinyproxy.conf"
    log = folder / "tinyproxy.log"
    configuration.write_text(
        "\n".join([f"Port {port}", "Listen 127.0.0.1", f'LogFile "{log}"', "MaxClients 20", *lines, ""])
    )
    process = await asyncio.create_subprocess_exec(
        program, "-d", "-c", str(configuration), stdout=asyncio.subprocess.DEVNULL, env={**os.environ}
    )
    try:
        await _listening(port, process)
        yield port
    finally:
        await _stop(process)
        reservation.close()


@contextlib.asynccontextmanager
async def squid(folder: Path, user: str, password: str) -> AsyncIterator[int]:
    """Run Debian's squid, which requires basic authentication; the value is its port."""
    program = need("squid", "squid")
    reservation = reserve()
    port = reservation.getsockname()[1]
    # squid switches to another user account, which cannot read the folder of a test.
    public = tempfile.TemporaryDirectory()
    os.chmod(public.name, 0o755)
    helper = Path(public.name) / "authenticate"
    # One line for each request: the user name and the password, percent-encoded.
    helper.write_text(
        "#!/bin/sh\n"
        "while read -r name secret; do\n"
        f'  [ "$name $secret" = "{quote(user)} {quote(password)}" ] && echo OK || echo ERR\n'
        "done\n"
    )
    helper.chmod(0o755)
    configuration = folder / "squid.conf"
    configuration.write_text(
        f"""
http_port 127.0.0.1:{port}
auth_param basic program {helper}
auth_param basic children 1 startup=1
acl known proxy_auth REQUIRED
http_access allow known
http_access deny all
cache deny all
access_log none
cache_log /dev/null
cache_store_log none
pid_filename none
visible_hostname proxy.test
shutdown_lifetime 0 seconds
via off
"""
    )
    process = await asyncio.create_subprocess_exec(
        program,
        "-N",
        "-f",
        str(configuration),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await _listening(port, process)
        yield port
    finally:
        await _stop(process)
        reservation.close()
        public.cleanup()


@contextlib.asynccontextmanager
async def microsocks(user: str, password: str) -> AsyncIterator[int]:
    """Run Debian's microsocks, a SOCKS5 proxy, with a user name and a password; the value is its port."""
    program = need("microsocks", "microsocks")
    reservation = reserve()
    port = reservation.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        program,
        *("-i", "127.0.0.1", "-p", str(port), "-u", user, "-P", password),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await _listening(port, process)
        yield port
    finally:
        await _stop(process)
        reservation.close()


async def _stop(process: asyncio.subprocess.Process) -> None:
    # The methods of asyncio would take the exit status of a process that has just ended from its watcher.
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGTERM)
    try:
        async with asyncio.timeout(2):
            await process.wait()
    except TimeoutError:
        # tinyproxy stores the signal, and misses it if it begins to wait for a connection at that moment.
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
        await process.wait()


async def _listening(port: int, process: asyncio.subprocess.Process) -> None:
    """Wait until the process accepts connections on its port."""
    while process.returncode is None:
        with socket.socket() as sock:
            sock.setblocking(False)
            with contextlib.suppress(ConnectionRefusedError):
                await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
                return
        await asyncio.sleep(0.01)
    raise AssertionError(f"the proxy exited with status {process.returncode}")
