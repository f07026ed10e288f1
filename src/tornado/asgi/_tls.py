"""The ``tls`` extension: a description of the TLS connection in the scope."""

from __future__ import annotations

import ssl
from typing import Any

# Attribute types of RFC 4514 section 3, by the names that Python uses.
_SHORT_NAMES = {
    "commonName": "CN",
    "localityName": "L",
    "stateOrProvinceName": "ST",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "countryName": "C",
    "streetAddress": "STREET",
    "domainComponent": "DC",
    "userId": "UID",
}
_VERSIONS = {"TLSv1": 0x0301, "TLSv1.1": 0x0302, "TLSv1.2": 0x0303, "TLSv1.3": 0x0304}
_SPECIAL = frozenset(',+"\\<>;')


def tls_extension(sock: ssl.SSLSocket) -> dict[str, Any]:
    """Return the values of the extension for a connection after its handshake.

    Python does not provide the server's own certificate, so ``server_cert`` is None.
    """
    try:
        certificate, der = sock.getpeercert(), sock.getpeercert(binary_form=True)
        version, cipher = sock.version(), sock.cipher()
    except (OSError, ValueError):  # the connection is closed
        certificate = der = version = cipher = None
    return {
        "server_cert": None,
        "client_cert_chain": [] if der is None else [ssl.DER_cert_to_PEM_cert(der)],
        "client_cert_name": _distinguished_name(certificate) if certificate else None,
        "client_cert_error": None,
        "tls_version": _VERSIONS.get(version or ""),
        "cipher_suite": None if cipher is None else _cipher_suite(sock, cipher[0]),
    }


def _cipher_suite(sock: ssl.SSLSocket, name: str) -> int | None:
    for each in sock.context.get_ciphers():
        if each["name"] == name:
            return each["id"] & 0xFFFF
    return None


def _distinguished_name(certificate: Any) -> str:
    """Return the subject of a certificate as text, the last part first (RFC 4514 section 2.1)."""
    parts = [
        "+".join(f"{_SHORT_NAMES.get(kind, kind)}={_escape(value)}" for kind, value in names)
        for names in certificate.get("subject", ())
    ]
    return ",".join(reversed(parts))


def _escape(value: str) -> str:
    """Escape the special characters of a value (RFC 4514 section 2.4)."""
    text = "".join("\\" + each if each in _SPECIAL else each for each in value).replace("\0", "\\00")
    if text[:1] in ("#", " "):
        text = "\\" + text
    return text[:-1] + "\\ " if text.endswith(" ") and len(text) > 1 else text


__all__ = ["tls_extension"]
