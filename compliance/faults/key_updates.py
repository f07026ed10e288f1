"""Peers that have TLS 1.3 keys updated again and again, and never read (RFC 8446 section 4.6.3).

Each KeyUpdate(update_requested) makes the server answer with a KeyUpdate. Python's ``ssl`` cannot ask for
one, so the function of OpenSSL is called by ctypes, in the library that ``ssl`` itself uses.
"""

from __future__ import annotations

import _ssl
import ctypes
import socket
import ssl
from typing import Any

#: SSL_KEY_UPDATE_REQUESTED of OpenSSL.
_REQUESTED = 1
#: Of a PySSLSocket: what every object begins with, and a reference to its socket. The SSL* comes next.
_OFFSET = ctypes.sizeof(ctypes.c_ssize_t) + 2 * ctypes.sizeof(ctypes.c_void_p)


def library() -> Any:
    """OpenSSL as the `ssl` module uses it; None where its functions cannot be found by name.

    Other packages may have loaded an OpenSSL of their own, so the search begins at the module itself.
    """
    file = getattr(_ssl, "__file__", None)
    loaded = ctypes.CDLL(file) if file else None
    if not hasattr(loaded, "SSL_key_update"):
        return None
    loaded.SSL_key_update.argtypes = [ctypes.c_void_p, ctypes.c_int]
    return loaded


class Peer:
    """A client that completes the handshake and reads nothing after it."""

    def __init__(self, address: tuple[str, int], context: ssl.SSLContext) -> None:
        self._openssl = library()
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.settimeout(30)
        self.socket.connect(address)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname="localhost")
        while not self._shake_hands():
            self.socket.sendall(self._outgoing.read())
            self._incoming.write(self.socket.recv(65536))
        self.socket.sendall(self._outgoing.read())
        inner: Any = self._tls._sslobj  # type: ignore[attr-defined]
        self._pointer = ctypes.c_void_p.from_address(id(inner) + _OFFSET).value

    def _shake_hands(self) -> bool:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def update(self, count: int) -> None:
        """Ask for `count` updates, as far as the kernel takes them without waiting."""
        for _ in range(count):
            if self._openssl.SSL_key_update(self._pointer, _REQUESTED) != 1:
                raise RuntimeError("SSL_key_update() failed: is this TLS 1.3?")
            self._tls.do_handshake()
        self.socket.setblocking(False)
        try:
            self.socket.send(self._outgoing.read())
        except BlockingIOError:
            pass
