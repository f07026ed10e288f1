"""The certificate of a measured server, and a client that trusts its authority."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import trustme


class Certificates:
    """An authority whose certificate for ``localhost`` is in files, and can be replaced.

    :param folder: the folder of the files.
    :ivar files: the paths of the certificate and of its key.
    :ivar context: the client's TLS context.
    """

    def __init__(self, folder: Path) -> None:
        self._authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
        self._folder = folder
        self.files = str(folder / "server.pem"), str(folder / "server.key")
        self.context = ssl.create_default_context()
        self._authority.configure_trust(self.context)
        self.write()

    def write(self) -> None:
        """Write a new certificate; each of both files is replaced atomically."""
        made = self._authority.issue_cert("localhost", "127.0.0.1", key_type=trustme.KeyType.ECDSA)
        chain = b"".join(blob.bytes() for blob in made.cert_chain_pems)
        for path, content in zip(self.files, (chain, made.private_key_pem.bytes()), strict=True):
            (self._folder / "new").write_bytes(content)
            os.replace(self._folder / "new", path)
