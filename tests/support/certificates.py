"""A certificate authority of the test run's own, and the contexts made from it."""

from __future__ import annotations

import functools
import ssl
from pathlib import Path

import trustme


class Certificates:
    """One authority, one server certificate for ``localhost``, ``127.0.0.1`` and ``::1``.

    ``directory`` receives ``ca.pem``, ``server.pem`` (chain) and ``server.key``, for programs
    that want files.
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
        """A server's context with the certificate loaded; shared, so do not change it."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._server.configure_cert(context)
        return context

    @functools.cached_property
    def client_context(self) -> ssl.SSLContext:
        """A client's context that trusts the authority and checks names; shared, so do not change it."""
        context = ssl.create_default_context()
        self._authority.configure_trust(context)
        return context

    @functools.cached_property
    def asking_context(self) -> ssl.SSLContext:
        """As `server_context`, but for clients that show a certificate of the same authority."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(self.ca_file))
        self._server.configure_cert(context)
        context.verify_mode = ssl.CERT_OPTIONAL
        return context

    def client_context_of(self, name: str) -> ssl.SSLContext:
        """As `client_context`, with a certificate of the client's own, for ``name``."""
        context = ssl.create_default_context()
        self._authority.configure_trust(context)
        self._authority.issue_cert(name).configure_cert(context)
        return context
