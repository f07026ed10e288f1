"""``netutil.ssl_match_hostname`` and ``SSLCertificateError``: check the host name of a certificate."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Mapping
from typing import Any

from tornado._tornado4.deprecation import deprecated

#: The exception raised by `ssl_match_hostname`.
SSLCertificateError = ssl.SSLCertVerificationError


def ssl_match_hostname(cert: Mapping[str, Any], hostname: str) -> None:
    """Check that a certificate is valid for `hostname`.

    The name is compared with the subject alternative names, which may begin with ``*.`` (RFC 9525 sections
    6.3 to 6.5). The common name of the subject is ignored. A wildcard matches exactly one label, the first.

    :param cert: the result of `ssl.SSLSocket.getpeercert`.
    :param hostname: a name or an IP address.
    :raises ssl.SSLCertVerificationError: if the certificate is not valid for `hostname`; the message lists
        the names in it.
    :raises ValueError: if the certificate is empty, because the peer sent none or it was not verified.

    Deprecated: an `ssl.SSLContext` with ``check_hostname`` checks the name during the handshake.
    """
    deprecated("netutil.ssl_match_hostname", "set check_hostname on the SSLContext")
    if not cert:
        raise ValueError(
            "empty certificate: set verify_mode of the SSLContext to CERT_OPTIONAL or CERT_REQUIRED"
        )
    address = _parse_address(hostname)
    names = [(kind, name) for kind, name in cert.get("subjectAltName", ()) if kind in ("DNS", "IP Address")]
    for kind, name in names:
        if address is not None:
            if kind == "IP Address" and _parse_address(name) == address:
                return
        elif kind == "DNS" and _matches(name.lower().split("."), hostname.lower().rstrip(".").split(".")):
            return
    valid_names = ", ".join(repr(name) for _, name in names) or "no names"
    raise SSLCertificateError(
        1, f"hostname {hostname!r} does not match: the certificate is valid for {valid_names}"
    )


def _parse_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text.strip())
    except ValueError:
        return None


def _matches(pattern: list[str], labels: list[str]) -> bool:
    if pattern[0] == "*" and len(pattern) > 2:  # "*" must be a whole label, and "*.com" is not allowed
        return len(labels) == len(pattern) and labels[0] != "" and labels[1:] == pattern[1:]
    return labels == pattern
