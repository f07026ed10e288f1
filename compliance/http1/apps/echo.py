"""What the echoing handlers answer: what they understood of a request, as JSON."""

from __future__ import annotations

import hashlib
import json
import os
import ssl
from collections.abc import Iterable

#: What the handlers answer; other methods get 405.
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
#: The limit on a body that the servers of Tornado's API are given; the cases in ``limits`` know it.
MAX_BODY = 100_000


def needs(target: str) -> tuple[int, bool] | None:
    """What a target that asks for more than an echo is to be answered with; None for the others.

    A status and False: that, without reading the request's body. 200 and True: the echo in two pieces, so
    that its length is not known when the head is sent.
    """
    if target == "/flushed":
        return 200, True
    if target.startswith("/status/"):
        return int(target.removeprefix("/status/")), False
    if target.startswith("/unread/"):
        return 403, False
    return None


def certificate(name: str) -> str | None:
    """The path of a file in the folder of the certificate, or None where TLS was not asked for."""
    folder = os.environ.get("ECHO_TLS")
    return os.path.join(folder, name) if folder else None


def ssl_context() -> ssl.SSLContext | None:
    """A server's context where TLS was asked for."""
    path = certificate("server.pem")
    if path is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(path, certificate("server.key"))
    return context


def describe(
    method: str, target: str, version: str, host: str | None, fields: Iterable[tuple[str, str]], body: bytes
) -> bytes:
    """The answer's body; texts are Latin-1, one character an octet."""
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
