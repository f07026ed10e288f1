"""What is asked of each server."""

from __future__ import annotations

from dataclasses import dataclass

#: What a desktop browser sends beside Host: with it, twelve fields.
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


@dataclass(frozen=True)
class Scenario:
    """One kind of load. ``kind`` is ``requests`` (rate over kept connections), ``accept`` or ``idle``."""

    name: str
    title: str
    path: str = "/"
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    kind: str = "requests"
    tls: bool = False
    logged: bool = False
    #: Requests sent at once on each connection.
    depth: int = 1

    def request(self, port: int) -> bytes:
        """The bytes of one request."""
        fields = [("Host", f"127.0.0.1:{port}"), *self.headers]
        if self.body:
            fields.append(("Content-Length", str(len(self.body))))
        head = "".join(f"{name}: {value}\r\n" for name, value in fields)
        return f"{self.method} {self.path} HTTP/1.1\r\n{head}\r\n{self.body}".encode()


FORM = (("Content-Type", "application/x-www-form-urlencoded"),)

SCENARIOS = {
    scenario.name: scenario
    for scenario in [
        Scenario("root", "`/`: plain handler, 13 bytes"),
        Scenario("item", "`/item/42?q=abc`: coroutine, JSON", "/item/42?q=abc"),
        Scenario("browser", "`/` with a browser's 12 fields", headers=tuple(BROWSER.items())),
        Scenario("hooked", "`/` with prepare, write and on_finish overridden", "/hooked"),
        Scenario("logged", "`/` with access logging", logged=True),
        Scenario(
            "form", "POST of a small form", "/form", "POST", FORM, "name=Ann&mail=ann%40example.org&note=a+b"
        ),
        Scenario("suspend", "a handler that suspends once", "/suspend"),
        Scenario("tls", "`/` over TLS", tls=True),
        Scenario("pipelined", "`/`, 16 requests at once", depth=16),
        Scenario("accept", "accept and first request", kind="accept"),
        Scenario("idle", "idle keep-alive connection", kind="idle"),
    ]
}
