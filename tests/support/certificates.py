"""A certificate authority for the test run, and TLS contexts with its certificates."""

from __future__ import annotations

import functools
import ssl
from pathlib import Path

import trustme


class Certificates:
    """An authority, and a server certificate for ``localhost``, ``127.0.0.1`` and ``::1``.

    :param directory: the directory to write ``ca.pem``, ``server.pem`` (the chain) and ``server.key`` to, for
        programs that need files.
    """

    def __init__(self, directory: Path) -> None:
        self._authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
        self._server = self._authority.issue_cert("localhost", "127.0.0.1", "::1")
        self.ca_file = directory / "ca.pem"
        self.certificate_file = directory / "server.pem"
        self.key_file = directory / "server.key"
        self._authority.cert_pem.write_to_path(self.ca_file)
        self._server.private_key_pem.write_to_path(self.key_file)
        for blob in self._server.cert_chain_pems:
            blob.write_to_path(self.certificate_file, append=True)

    @functools.cached_property
    def server_context(self) -> ssl.SSLContext:
        """A server context with the certificate. It is shared, so do not modify it."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._server.configure_cert(context)
        return context

    @functools.cached_property
    def client_context(self) -> ssl.SSLContext:
        """A client context that trusts the authority and checks names. It is shared, so do not modify it."""
        context = ssl.create_default_context()
        self._authority.configure_trust(context)
        return context

    @functools.cached_property
    def client_cert_context(self) -> ssl.SSLContext:
        """A server context that requests a client certificate signed by the authority."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(self.ca_file))
        self._server.configure_cert(context)
        context.verify_mode = ssl.CERT_OPTIONAL
        return context

    def client_context_of(self, name: str) -> ssl.SSLContext:
        """Return a client context with a client certificate for ``name``."""
        context = ssl.create_default_context()
        self._authority.configure_trust(context)
        self._authority.issue_cert(name).configure_cert(context)
        return context
