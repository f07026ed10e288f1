"""An HTTP client that stores cookies."""

from __future__ import annotations

from typing import Any

from tests.support.server import Response, Server


class Visitor:
    """A client that stores cookies by name, without their expiry and path.

    :ivar cookies: the values by name, as they are sent.
    """

    def __init__(self, server: Server) -> None:
        self.server = server
        self.cookies: dict[str, str] = {}

    def copy(self) -> Visitor:
        """Return another client with the same cookies."""
        other = Visitor(self.server)
        other.cookies = dict(self.cookies)
        return other

    async def fetch(self, path: str, *fields: str, **options: Any) -> Response:
        """Send a request with the stored cookies, and store those of the response."""
        if self.cookies:
            pairs = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
            fields = (*fields, f"Cookie: {pairs}")
        response = await self.server.fetch(path, *fields, **options)
        self.keep(response)
        return response

    def keep(self, response: Response) -> None:
        """Store the cookies of a response."""
        for line in response.get_all("set-cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            if value in ("", '""'):
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
