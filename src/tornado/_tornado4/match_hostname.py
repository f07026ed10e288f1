"""``netutil.ssl_match_hostname`` and ``SSLCertificateError``: checking a certificate's name by hand."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Mapping
from typing import Any

from tornado._tornado4.deprecation import deprecated

#: What `ssl_match_hostname` raises.
SSLCertificateError = ssl.SSLCertVerificationError


def ssl_match_hostname(cert: Mapping[str, Any], hostname: str) -> None:
    """See that a certificate is for `hostname`: one of its alternative names, which may begin with ``*.``.

    :param cert: as `ssl.SSLSocket.getpeercert` gives it.
    :param hostname: a name or an IP address.
    :raises ssl.SSLCertVerificationError: where it is for others; they are named.
    :raises ValueError: for an empty certificate: the peer sent none, or nobody checked it.

    RFC 9525 sections 6.3 to 6.5: the subject's common name does not count, and a wildcard stands for one
    whole label, the first. Deprecated: a context with ``check_hostname`` does this in the handshake.
    """
    deprecated("netutil.ssl_match_hostname", "leave it to the context: ssl.SSLContext.check_hostname")
    if not cert:
        raise ValueError(
            "there is no certificate: the context needs verify_mode CERT_OPTIONAL or CERT_REQUIRED"
        )
    address = _as_address(hostname)
    names = [(kind, name) for kind, name in cert.get("subjectAltName", ()) if kind in ("DNS", "IP Address")]
    for kind, name in names:
        if address is not None:
            if kind == "IP Address" and _as_address(name) == address:
                return
        elif kind == "DNS" and _matches(name.lower().split("."), hostname.lower().rstrip(".").split(".")):
            return
    valid = ", ".join(repr(name) for _, name in names) or "nothing"
    raise SSLCertificateError(1, f"hostname {hostname!r}: the certificate is for {valid}")


def _as_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text.strip())
    except ValueError:
        return None


def _matches(pattern: list[str], labels: list[str]) -> bool:
    if pattern[0] == "*" and len(pattern) > 2:  # never *.com, and no part of a label
        return len(labels) == len(pattern) and labels[0] != "" and labels[1:] == pattern[1:]
    return labels == pattern
