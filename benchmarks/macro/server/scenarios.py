"""The scenarios of the server benchmark."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

#: The header fields of a desktop browser, without Host; twelve fields with it.
BROWSER = {
    "Connection": "keep-alive",
    "sec-ch-ua": '"Chromium";v="140", "Not=A?Brand";v="24", "Google Chrome";v="140"',
    "sec-ch-ua-mobile": "?0",
    "Upgrade-Insecure-Requests": "1",
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/140.0.0.0 Safari/537.36",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    "Sec-Fetch-Site": "none",
    "Sec-Fetch-Mode": "navigate",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Accept-Language": "en-GB,en;q=0.9,de;q=0.8",
    "Cookie": "session=8c7f0a52b1e94d6f; theme=dark; consent=1",
}
#: The header fields that a reverse proxy forwards from a browser, without Host; twelve fields with it.
PROXIED = {
    "Connection": "keep-alive",
    "X-Request-Id": "7d3f8a1c-52b9-4e60-9f1d-0c6a2b94e813",
    "X-Forwarded-For": "198.51.100.23",
    "X-Forwarded-Proto": "https",
    "User-Agent": BROWSER["User-Agent"],
    "Accept": BROWSER["Accept"],
    "Accept-Language": BROWSER["Accept-Language"],
    "Accept-Encoding": BROWSER["Accept-Encoding"],
    "Sec-Fetch-Site": "same-origin",
    "Sec-Fetch-Mode": "cors",
    "Cookie": "session=8c7f0a52b1e94d6f3a70c5e81b2d9f46; theme=dark; consent=1",
}
_COOKIE = {"Cookie": "session=@x0a52b1e94d6f3a70c5e81b2d; theme=dark; consent=1"}
_PROXY_FIELDS = {"X-Request-Id": "@x-52b9-4e60-9f1d-0c6a2b94e813", "X-Forwarded-For": "198.18.@b.@a"}

#: Placeholders in a path or in the value of a field. They are replaced by digits of the request's number,
#: which makes requests differ.
PLACEHOLDERS = {
    "@n": lambda number: str(number),
    "@x": lambda number: f"{number * 2654435761 % 2**32:08x}",
    "@a": lambda number: str(number % 250 + 1),
    "@b": lambda number: str(number // 250 % 250),
}


@dataclass(frozen=True)
class Scenario:
    """A kind of load. ``kind`` is ``requests`` (many requests per connection), ``accept`` or ``idle``."""

    name: str
    title: str
    path: str = "/"
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    kind: str = "requests"
    tls: bool = False
    logged: bool = False
    #: The number of pipelined requests on each connection.
    depth: int = 1

    def request(self, port: int, number: int = 42) -> bytes:
        """Return the bytes of a request.

        :param number: value for the placeholders.
        """
        text = self._template(port)
        if self.differs:
            for placeholder, digits in PLACEHOLDERS.items():
                text = text.replace(placeholder, digits(number))
        return text.encode()

    def requests(self, port: int) -> Iterator[bytes]:
        """Yield requests endlessly, each with another number if the scenario has placeholders."""
        if not self.differs:
            return itertools.repeat(self.request(port))
        return (self.request(port, number) for number in itertools.count(1000))

    @property
    def differs(self) -> bool:
        """Whether the requests have placeholders."""
        text = self._template(0)
        return any(placeholder in text for placeholder in PLACEHOLDERS)

    def _template(self, port: int) -> str:
        fields = [("Host", f"127.0.0.1:{port}"), *self.headers]
        if self.body:
            fields.append(("Content-Length", str(len(self.body))))
        head = "".join(f"{name}: {value}\r\n" for name, value in fields)
        return f"{self.method} {self.path} HTTP/1.1\r\n{head}\r\n{self.body}"


FORM = (("Content-Type", "application/x-www-form-urlencoded"),)

SCENARIOS = {
    scenario.name: scenario
    for scenario in [
        Scenario("root", "`/`: plain handler, 13 bytes"),
        Scenario("item", "`/item/42?q=abc`: coroutine, JSON", "/item/42?q=abc"),
        Scenario("browser", "`/` with a browser's 12 fields", headers=tuple(BROWSER.items())),
        Scenario(
            "proxied", "`/item` behind a proxy, 12 fields", "/item/42?q=abc", headers=tuple(PROXIED.items())
        ),
        Scenario(
            "path",
            "`/item` behind a proxy, with a different path and query each time",
            "/item/@n?q=@x",
            headers=tuple(PROXIED.items()),
        ),
        Scenario(
            "cookie",
            "`/item` behind a proxy, with a different cookie each time",
            "/item/42?q=abc",
            headers=tuple((PROXIED | _COOKIE).items()),
        ),
        Scenario(
            "differs",
            "`/item` behind a proxy; path, query, cookie, request id and address differ each time",
            "/item/@n?q=@x",
            headers=tuple((PROXIED | _COOKIE | _PROXY_FIELDS).items()),
        ),
        Scenario("hooked", "`/` with prepare, write and on_finish overridden", "/hooked"),
        Scenario("logged", "`/` with access logging", logged=True),
        Scenario(
            "form", "POST of a small form", "/form", "POST", FORM, "name=Ann&mail=ann%40example.org&note=a+b"
        ),
        Scenario("suspend", "a handler that suspends once", "/suspend"),
        Scenario("tls", "`/` over TLS", tls=True),
        Scenario("pipelined", "`/`, 16 requests pipelined", depth=16),
        Scenario("accept", "accept and first request", kind="accept"),
        Scenario("idle", "idle keep-alive connection", kind="idle"),
    ]
}
