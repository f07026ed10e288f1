"""TLS inside TLS: `.IOStream.start_tls` on a TLS stream, as for an HTTPS server behind an HTTPS proxy.

`ssl.SSLSocket` works on a descriptor and cannot be laid over another one. `TLSOverTLSSocket` is its
counterpart for that case: an `ssl.SSLObject` between two memory buffers, whose other ends are the outer TLS
socket. It has those methods of a TLS socket that `.SSLIOStream` uses, and raises the same errors where it
would block.
"""

from __future__ import annotations

import socket
import ssl
from typing import Any

from tornado.iostream._tls import SSLIOStream

__all__ = ["TLSOverTLSSocket", "TLSOverTLSStream"]

#: Bytes read from the outer socket at a time.
_READ = 64 * 1024
#: Bytes of payload that are encrypted at a time: one record.
_RECORD = 16 * 1024


class TLSOverTLSSocket:
    """The client's side of TLS over a TLS socket.

    :param outer: connected and non-blocking, its handshake done.
    :param context: the TLS options for the inner connection.
    :param server_hostname: the name to ask for and to check the certificate against.
    """

    server_side = False

    def __init__(self, outer: ssl.SSLSocket, context: ssl.SSLContext, server_hostname: str) -> None:
        self.outer = outer
        self.context = context
        self._input = ssl.MemoryBIO()
        self._output = ssl.MemoryBIO()
        self._inner = context.wrap_bio(self._input, self._output, server_hostname=server_hostname)
        #: Encrypted bytes that the outer socket has not taken yet.
        self._unsent = b""
        #: Plain bytes that are encrypted already, and whose caller has to be told so.
        self._accepted = 0

    def __getattr__(self, name: str) -> Any:
        # getpeercert(), selected_alpn_protocol() and their like tell of the inner connection; what only a
        # socket has, of the outer one.
        inner = self.__dict__["_inner"]
        return getattr(inner if hasattr(inner, name) else self.__dict__["outer"], name)

    @property
    def family(self) -> socket.AddressFamily:
        """The family of the outer socket."""
        return self.outer.family

    def fileno(self) -> int:
        """The descriptor of the outer socket."""
        return self.outer.fileno()

    def do_handshake(self) -> None:
        """Go on with the handshake, as far as that is possible now."""
        while True:
            try:
                self._inner.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
                self._fill()
            except ssl.SSLError:
                self._flush_alert()
                raise
            else:
                self._flush()
                return

    def pending(self) -> int:
        """The number of bytes that can be had without waiting for the descriptor."""
        return self._inner.pending() + self.outer.pending()

    def recv(self, size: int) -> bytes:
        """Receive up to `size` bytes: all there are, since the loop cannot see what is in our buffers."""
        parts: list[bytes] = []
        received = 0
        while received < size:
            try:
                part = self._inner.read(size - received)
            except ssl.SSLWantReadError:
                try:
                    self._flush()
                    self._fill()
                except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                    if parts:
                        break
                    raise
                continue
            except ssl.SSLError:
                if parts:
                    break  # met again by the next call
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
        """Send the first bytes of `data`; must be called again with the same ones where it would block."""
        if not self._accepted:
            self._flush()
            with memoryview(data) as view:
                self._accepted = self._inner.write(view[:_RECORD])
        self._flush()
        accepted, self._accepted = self._accepted, 0
        return accepted

    def unwrap(self) -> None:
        """Send close_notify, as far as that is possible without waiting."""
        try:
            self._inner.unwrap()
        except ssl.SSLError:
            pass
        self._flush()

    def close(self) -> None:
        """Close the outer socket."""
        self.outer.close()

    def _flush(self) -> None:
        """Hand over what was encrypted; `ssl.SSLWantWriteError` where the outer socket does not take it."""
        if self._output.pending:
            self._unsent += self._output.read()
        while self._unsent:
            sent = self.outer.send(self._unsent)
            self._unsent = self._unsent[sent:]

    def _flush_alert(self) -> None:
        try:
            self._flush()
        except OSError:
            pass

    def _fill(self) -> None:
        """Receive from the outer socket; `ssl.SSLWantReadError` where nothing has come."""
        data = self.outer.recv(_READ)
        if data:
            self._input.write(data)
        else:
            self._input.write_eof()


class TLSOverTLSStream(SSLIOStream):
    """A stream over a `TLSOverTLSSocket`."""

    def _wrap(self) -> None:
        """The socket is what it has to be."""


SSLIOStream._nested_socket, SSLIOStream._nested_stream = TLSOverTLSSocket, TLSOverTLSStream
