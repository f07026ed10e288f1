"""How a server under measurement is told what to do: by environment variables, the same for each peer."""

from __future__ import annotations

import os
import ssl

PORT = int(os.environ.get("BENCH_PORT", "8888"))
#: A folder with server.pem and server.key, or nothing for plain HTTP.
TLS = os.environ.get("BENCH_TLS", "")
#: Whether each request is logged (to where standard error goes, which is /dev/null).
LOG = os.environ.get("BENCH_LOG") == "1"
#: "uvloop" or "asyncio", for the servers that leave the choice.
LOOP = os.environ.get("BENCH_LOOP", "asyncio")
CERTIFICATE = os.path.join(TLS, "server.pem") if TLS else None
KEY = os.path.join(TLS, "server.key") if TLS else None
#: What ``/`` answers.
TEXT = "Hello, world!"


def ssl_context() -> ssl.SSLContext | None:
    """A server's context where TLS was asked for."""
    if not TLS:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(os.path.join(TLS, "server.pem"), os.path.join(TLS, "server.key"))
    return context
