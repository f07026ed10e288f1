"""A well-behaved client during an attack: ``python -m compliance.abuse.probe PORT [CA]``.

It requests ``/`` every 20 ms, alternating between a persistent connection and a new one, until it receives a
line. Then it prints the time of its slowest response.
"""

from __future__ import annotations

import http.client
import json
import select
import ssl
import sys
import time

PAUSE = 0.02
TIMEOUT = 30.0


class Probe:
    """A client.

    :param port: port of the server on 127.0.0.1.
    :param authority: file with the certificate to trust, for TLS.
    """

    def __init__(self, port: int, authority: str = "") -> None:
        self._port = port
        self._context = ssl.create_default_context(cafile=authority) if authority else None
        self._kept = self._connection()
        self.waits: list[float] = []
        self.failures = 0

    def _connection(self) -> http.client.HTTPConnection:
        if self._context is not None:
            return http.client.HTTPSConnection(
                "127.0.0.1", self._port, timeout=TIMEOUT, context=self._context
            )
        return http.client.HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT)

    def ask(self) -> None:
        """Send one request on each kind of connection."""
        for connection in (self._kept, self._connection()):
            begin = time.monotonic()
            # A persistent connection may be closed at any time before a response starts; every client then
            # retries (RFC 9112 section 9.3.1).
            if not self._answered(connection) and not (
                connection is self._kept and self._answered(connection)
            ):
                self.failures += 1
            self.waits.append(time.monotonic() - begin)
            if connection is not self._kept:
                connection.close()

    def _answered(self, connection: http.client.HTTPConnection) -> bool:
        try:
            connection.request("GET", "/")
            return connection.getresponse().read() == b"ok"
        except (OSError, http.client.HTTPException):
            connection.close()
            return False

    def until_told(self) -> None:
        """Send requests until there is a line on standard input."""
        while not select.select([sys.stdin], [], [], PAUSE)[0]:
            self.ask()
        self._kept.close()


def main() -> None:
    """Probe and print the result."""
    probe = Probe(int(sys.argv[1]), *sys.argv[2:])
    probe.ask()
    probe.waits.clear()
    print("ready", flush=True)
    probe.until_told()
    waits = sorted(probe.waits) or [0.0]
    result = {
        "slowest": waits[-1],
        "median": waits[len(waits) // 2],
        "count": len(waits),
        "failures": probe.failures,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
