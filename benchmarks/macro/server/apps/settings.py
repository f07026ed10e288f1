"""Configuration of a measured server, from environment variables that are the same for each peer."""

from __future__ import annotations

import os
import ssl

PORT = int(os.environ.get("BENCH_PORT", "8888"))
#: A folder with server.pem and server.key, or an empty string for plain HTTP.
TLS = os.environ.get("BENCH_TLS", "")
#: Whether each request is logged to standard error, which is /dev/null.
LOG = os.environ.get("BENCH_LOG") == "1"
#: "uvloop" or "asyncio", for the servers that support both.
LOOP = os.environ.get("BENCH_LOOP", "asyncio")
CERTIFICATE = os.path.join(TLS, "server.pem") if TLS else None
KEY = os.path.join(TLS, "server.key") if TLS else None
#: The response body of ``/``.
TEXT = "Hello, world!"


def ssl_context() -> ssl.SSLContext | None:
    """Return a server context if TLS is enabled."""
    if not TLS:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(os.path.join(TLS, "server.pem"), os.path.join(TLS, "server.key"))
    return context
