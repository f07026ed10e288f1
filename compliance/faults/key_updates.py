"""Peers that request TLS 1.3 key updates repeatedly and never read (RFC 8446 section 4.6.3).

The server responds to each KeyUpdate(update_requested) with a KeyUpdate. Python's ``ssl`` has no function for
requesting one, so the function of OpenSSL is called through ctypes, in the library that ``ssl`` itself uses.
"""

from __future__ import annotations

import _ssl
import ctypes
import socket
import ssl
from typing import Any

#: SSL_KEY_UPDATE_REQUESTED of OpenSSL.
_REQUESTED = 1
#: The offset of the SSL* in a PySSLSocket: it follows the object header and a reference to the socket.
_OFFSET = object.__basicsize__ + ctypes.sizeof(ctypes.c_void_p)


def library() -> Any:
    """Load the OpenSSL that the `ssl` module uses; None if its functions cannot be found by name.

    Other packages may have loaded another OpenSSL, so the lookup starts at the module itself.
    """
    file = getattr(_ssl, "__file__", None)
    loaded = ctypes.CDLL(file) if file else None
    if not hasattr(loaded, "SSL_key_update"):
        return None
    loaded.SSL_key_update.argtypes = [ctypes.c_void_p, ctypes.c_int]
    return loaded


class Peer:
    """A client that completes the handshake and reads nothing afterwards."""

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
        """Request `count` updates, as many as fit in the kernel's buffer."""
        for _ in range(count):
            if self._openssl.SSL_key_update(self._pointer, _REQUESTED) != 1:
                raise RuntimeError("SSL_key_update() failed: is this TLS 1.3?")
            self._tls.do_handshake()
        self.socket.setblocking(False)
        try:
            self.socket.send(self._outgoing.read())
        except BlockingIOError:
            pass
