"""TLS over TLS: `.IOStream.start_tls` on a TLS stream, as for an HTTPS server reached through an HTTPS proxy.

`ssl.SSLSocket` needs a file descriptor and cannot wrap another `ssl.SSLSocket`. `TLSOverTLSSocket` can: it
connects an `ssl.SSLObject` to the outer TLS socket through two memory buffers. It has the methods of a TLS
socket that `.SSLIOStream` uses, and raises the same errors when an operation would block.
"""

from __future__ import annotations

import socket
import ssl
from typing import Any

from tornado.iostream._tls_errors import clear_queue

#: Maximum size of one read from the outer socket, in bytes.
_READ_SIZE = 64 * 1024
#: Bytes of payload that are encrypted at a time: one record.
_RECORD_SIZE = 16 * 1024


class TLSOverTLSSocket:
    """The client side of a TLS connection over a TLS socket.

    :param outer: a connected, non-blocking TLS socket whose handshake is done.
    :param context: the TLS context for the inner connection.
    :param server_hostname: the name to send to the server (SNI) and to verify its certificate against.
    """

    server_side = False

    def __init__(self, outer: ssl.SSLSocket, context: ssl.SSLContext, server_hostname: str | None) -> None:
        self.outer = outer
        self.context = context
        self._input = ssl.MemoryBIO()
        self.unsent_output = ssl.MemoryBIO()
        self._inner = context.wrap_bio(self._input, self.unsent_output, server_hostname=server_hostname)
        #: Encrypted bytes that the outer socket has not accepted yet.
        self._unsent = b""
        #: Number of bytes that a blocked `send` has encrypted but not yet reported as sent.
        self._unreported_size = 0

    def __getattr__(self, name: str) -> Any:
        # Methods such as getpeercert() and selected_alpn_protocol() describe the inner connection. Attributes
        # that exist only on a socket are those of the outer socket.
        inner = self.__dict__["_inner"]
        return getattr(inner if hasattr(inner, name) else self.__dict__["outer"], name)

    @property
    def family(self) -> socket.AddressFamily:
        """The address family of the outer socket."""
        return self.outer.family

    def fileno(self) -> int:
        """Return the descriptor of the outer socket."""
        return self.outer.fileno()

    def do_handshake(self) -> None:
        """Continue the handshake until it is done or would block."""
        while True:
            try:
                self._inner.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
                self._receive_encrypted()
            except ssl.SSLError:
                self._flush_alert()
                raise
            else:
                self._flush()
                return

    def pending(self) -> int:
        """Return the number of bytes that can be received without waiting for the descriptor."""
        return self._inner.pending() + self.outer.pending()

    def recv(self, size: int) -> bytes:
        """Receive up to `size` bytes.

        All available bytes are received, because the event loop cannot see the contents of the buffers.
        """
        parts: list[bytes] = []
        received = 0
        while received < size:
            try:
                part = self._inner.read(size - received)
            except ssl.SSLWantReadError:
                try:
                    self._flush()
                    self._receive_encrypted()
                except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                    if parts:
                        break
                    raise
                continue
            except ssl.SSLError:
                if parts:
                    break  # the next call raises the error again
                raise
            if not part:
                break
            parts.append(part)
            received += len(part)
        return b"".join(parts)

    def read(self, size: int, buffer: memoryview) -> int:
        """Receive into `buffer`."""
        data = self.recv(size)
        buffer[: len(data)] = data
        return len(data)

    def send(self, data: bytes | bytearray | memoryview) -> int:
        """Send bytes from the front of `data`; after "would block", call it again with the same bytes."""
        if not self._unreported_size:
            self._flush()
            with memoryview(data) as view:
                self._unreported_size = self._inner.write(view[:_RECORD_SIZE])
        self._flush()
        accepted, self._unreported_size = self._unreported_size, 0
        return accepted

    def unwrap(self) -> None:
        """Send a ``close_notify`` alert, if possible without waiting."""
        try:
            self._inner.unwrap()
        except ssl.SSLError:
            pass
        self._flush()

    def close(self) -> None:
        """Close the outer socket."""
        self.outer.close()

    def _flush(self) -> None:
        """Send the encrypted bytes.

        :raises ssl.SSLWantWriteError: if the outer socket would block.
        """
        if self.unsent_output.pending:
            self._unsent += self.unsent_output.read()
        while self._unsent:
            sent = self.outer.send(self._unsent)
            self._unsent = self._unsent[sent:]

    def _flush_alert(self) -> None:
        try:
            self._flush()
        except OSError:
            clear_queue()

    def _receive_encrypted(self) -> None:
        """Receive encrypted bytes from the outer socket.

        :raises ssl.SSLWantReadError: if the outer socket would block.
        """
        data = self.outer.recv(_READ_SIZE)
        if data:
            self._input.write(data)
        else:
            self._input.write_eof()
