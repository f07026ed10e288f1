"""The response of the echo handlers: the request as they understood it, as JSON."""

from __future__ import annotations

import hashlib
import json
import os
import ssl
from collections.abc import Iterable

#: The methods of the handlers; all others cause a 405 response.
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
#: The body limit of the servers with Tornado's API; the cases in ``limits`` depend on it.
MAX_BODY = 100_000


def needs(target: str) -> tuple[int, bool] | None:
    """Return how to respond to a target that requests more than an echo; None for all other targets.

    :returns: the status, and whether to send the echo in two pieces, so that its length is not known when the
        head is sent. If not, respond with the status only, without reading the request body.
    """
    if target == "/flushed":
        return 200, True
    if target.startswith("/status/"):
        return int(target.removeprefix("/status/")), False
    if target.startswith("/unread/"):
        return 403, False
    return None


def certificate(name: str) -> str | None:
    """Return the path of a file in the folder of the certificate, or None without TLS."""
    folder = os.environ.get("ECHO_TLS")
    return os.path.join(folder, name) if folder else None


def ssl_context() -> ssl.SSLContext | None:
    """Return a server context if TLS is enabled."""
    path = certificate("server.pem")
    if path is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(path, certificate("server.key"))
    return context


def describe(
    method: str, target: str, version: str, host: str | None, fields: Iterable[tuple[str, str]], body: bytes
) -> bytes:
    """Return the body of the response; strings are Latin-1, one character per octet."""
    return json.dumps(
        {
            "method": method,
            "target": target,
            "version": version,
            "host": host,
            "fields": list(fields),
            "body": {"length": len(body), "sha256": hashlib.sha256(body).hexdigest()},
        }
    ).encode()
