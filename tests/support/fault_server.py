"""A server with blocking sockets, in a separate thread, that runs a script for each connection.

Scripts can end a connection at any byte, in every way that the operating system supports, and do not depend
on the event loop under test.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from typing import Self

#: Timeout of the server's blocking calls, in seconds, so that a faulty test ends.
TIMEOUT = 20.0


class Peer:
    """The server's end of one connection."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext | None) -> None:
        sock.settimeout(TIMEOUT)
        # A reset discards unsent data, so data must not wait for an acknowledgement.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.plain = sock
        self.context = context
        self.sock = sock
        self._input = b""

    def start_tls(self) -> None:
        """Perform the handshake if the server uses TLS."""
        if self.context is not None:
            self.sock = self.context.wrap_socket(self.plain, server_side=True, suppress_ragged_eofs=False)

    def receive(self, size: int) -> bytes:
        """Read exactly `size` bytes."""
        while len(self._input) < size:
            data = self.sock.recv(size - len(self._input))
            if not data:
                raise EOFError(f"the client closed the connection after {len(self._input)} of {size} bytes")
            self._input += data
        data, self._input = self._input[:size], self._input[size:]
        return data

    def receive_head(self) -> bytes:
        """Read up to the empty line; the data after it remains for `receive`."""
        while b"\r\n\r\n" not in self._input:
            data = self.sock.recv(65536)
            if not data:
                raise EOFError("the client closed the connection before its request was complete")
            self._input += data
        head, _, self._input = self._input.partition(b"\r\n\r\n")
        return head + b"\r\n\r\n"

    def send(self, data: bytes) -> None:
        """Send all data."""
        self.sock.sendall(data)

    def receive_to_end(self) -> int:
        """Discard data until the client closes the connection, and return the number of bytes."""
        size = 0
        with contextlib.suppress(OSError):
            while data := self.sock.recv(65536):
                size += len(data)
        return size

    def finish(self) -> None:
        """Shut down the sending direction cleanly: with TLS send close_notify, then FIN."""
        with contextlib.suppress(OSError, ValueError):
            if isinstance(self.sock, ssl.SSLSocket):
                self.sock = self.sock.unwrap()
            self.sock.shutdown(socket.SHUT_WR)

    def truncate(self) -> None:
        """Send only FIN, without the close_notify of TLS."""
        with contextlib.suppress(OSError):
            # Not SSLSocket.shutdown(), which discards the TLS session.
            socket.socket.shutdown(self.sock, socket.SHUT_WR)

    def reset(self) -> None:
        """Send RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        """Close the socket."""
        self.sock.close()


Script = Callable[[Peer], None]


class FaultServer:
    """A server that accepts connections one after the other, and runs the next script for each.

    :param context: the TLS context, or None.

    :ivar url: the URL of the root path.
    :ivar connections: the number of accepted connections.
    :ivar errors: the exceptions of scripts, except those caused by a client that disconnected.
    """

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.context = context
        self.connections = 0
        self.errors: list[BaseException] = []
        self._scripts: queue.SimpleQueue[Script | None] = queue.SimpleQueue()
        self._listener = socket.create_server(("127.0.0.1", 0))
        scheme = "http" if context is None else "https"
        self.url = f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}/"
        self._thread = threading.Thread(target=self._run, daemon=True)

    def play(self, *scripts: Script) -> None:
        """Add scripts to run for the next connections."""
        for script in scripts:
            self._scripts.put(script)

    async def __aenter__(self) -> Self:
        self._thread.start()
        return self

    async def __aexit__(self, *exception: object) -> None:
        self._scripts.put(None)
        # The event loop of the client must keep running: a script may wait for the connection to close.
        await asyncio.to_thread(self._thread.join)
        self._listener.close()
        if exception[0] is None and self.errors:
            raise AssertionError(f"scripts of the server failed: {self.errors!r}")

    def _run(self) -> None:
        while (script := self._scripts.get()) is not None:
            try:
                self._listener.settimeout(TIMEOUT)
                sock, _ = self._listener.accept()
                self.connections += 1
                self._play(script, sock)
            except Exception as error:
                self.errors.append(error)

    def _play(self, script: Script, sock: socket.socket) -> None:
        peer = Peer(sock, self.context)
        try:
            script(peer)
        except (OSError, EOFError) as error:
            if isinstance(error, TimeoutError):
                raise
        finally:
            peer.close()
