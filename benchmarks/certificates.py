"""Certificates for benchmarks over TLS."""

from __future__ import annotations

from pathlib import Path

import trustme


def write(folder: Path) -> None:
    """Write a certificate authority and a server certificate for 127.0.0.1."""
    authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
    server = authority.issue_cert("127.0.0.1", key_type=trustme.KeyType.ECDSA)
    authority.cert_pem.write_to_path(folder / "ca.pem")
    server.private_key_pem.write_to_path(folder / "server.key")
    for blob in server.cert_chain_pems:
        blob.write_to_path(folder / "server.pem", append=True)
