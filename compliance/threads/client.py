"""The requests of one thread, and the comparison of each response with the exact expected one."""

from __future__ import annotations

import asyncio
import gzip
import http.cookiejar
import json
import random
import ssl
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from compliance.threads.application import LARGE, SMALL, page, static_content, text_of
from tornado import websocket
from tornado._wire.dates import parse_http_date
from tornado.channels import Hub, MemoryBroker
from tornado.httpclient import AsyncHTTPClient, HTTPResponse
from tornado.simple_httpclient import SimpleAsyncHTTPClient
from tornado.tcpclient import TCPClient

__all__ = ["Client", "Ports"]

#: The ports of a server: without and with TLS.
Ports = tuple[int, int]
_MALFORMED = b"GET / HTTP/1.1\r\nHost: a\r\nBad Name: 1\r\n\r\n"


class Client:
    """The client of one thread.

    :param seed: the seed of the random numbers.
    :param ports: the ports of all servers.
    :param context: the TLS context that trusts their certificate.
    :ivar requests: the number of requests that a server has answered, by status code.
    :ivar sent: the total size of the bodies of these requests, in bytes.
    :ivar messages: the number of WebSocket messages that were returned.
    :ivar published: the number of messages published to channels.
    :ivar malformed: the number of requests that were refused before they reached the application.
    :ivar done: the number of scenarios by name.
    """

    def __init__(self, seed: int, ports: list[Ports], context: ssl.SSLContext) -> None:
        self.requests: Counter[int] = Counter()
        self.sent = self.messages = self.published = self.malformed = 0
        self.done: Counter[str] = Counter()
        self._random = random.Random(seed)
        self._ports = ports
        self._context = context
        self._scenarios: list[Callable[[], Awaitable[None]]] = [
            self._text, self._pipeline, self._json, self._page, self._static, self._gzip, self._websocket,
            self._cookies, self._channel, self._tls, self._executor, self._snapshot, self._refusal,
        ]  # fmt: skip

    async def run(self, goes_on: Callable[[int], bool]) -> None:
        """Run all scenarios again and again, two at a time, as long as ``goes_on(round)`` is true.

        :raises AssertionError: if a response is not the expected one.
        """
        self._client = SimpleAsyncHTTPClient(force_instance=True, max_clients=20)
        number = 0
        async with Hub(MemoryBroker()) as self._hub:
            while goes_on(number):
                scenarios = self._random.sample(self._scenarios, len(self._scenarios))
                half = len(scenarios) // 2 + 1
                await asyncio.gather(self._run_all(scenarios[:half]), self._run_all(scenarios[half:]))
                number += 1
        self._client.close()

    async def _run_all(self, scenarios: list[Callable[[], Awaitable[None]]]) -> None:
        for scenario in scenarios:
            await scenario()
            self.done[scenario.__name__.removeprefix("_")] += 1

    async def _fetch(
        self,
        path: str,
        status: int = 200,
        *,
        client: AsyncHTTPClient | None = None,
        server: int | None = None,
        tls: bool = False,
        **options: Any,
    ) -> HTTPResponse:
        """Send a request, and check what all responses have in common."""
        port = self._ports[self._any_server() if server is None else server][tls]
        url = f"http{'s' * tls}://localhost:{port}{path}"
        if tls:
            options["ssl_options"] = self._context
        response = await (client or self._client).fetch(url, raise_error=False, request_timeout=20, **options)
        assert response.code == status, (path, response.code, response.error, response.body[:200])
        self.requests[status] += 1
        self.sent += len(options.get("body") or b"")
        headers = response.headers
        assert headers["Server"].startswith("TornadoServer/"), headers
        sent = parse_http_date(headers["Date"])
        assert sent is not None, headers
        assert abs(sent - time.time()) < 30, headers
        assert len(headers.get_list("X-Request-Id")) == 1, headers
        return response

    def _any_server(self) -> int:
        return self._random.randrange(len(self._ports))

    # -- scenarios --

    async def _text(self) -> None:
        for _ in range(3):
            number = self._random.randrange(1000)
            response = await self._fetch(f"/text/{number}")
            assert response.body.decode() == text_of(number)
            assert response.headers["Content-Type"] == "text/html; charset=UTF-8"
            etag = response.headers["Etag"]
            await self._fetch(f"/text/{number}", 304, headers={"If-None-Match": etag})
        await self._fetch("/missing", 404)

    async def _pipeline(self) -> None:
        """Send several requests in one piece on one connection."""
        numbers = [self._random.randrange(1000) for _ in range(5)]
        stream = await TCPClient().connect("localhost", self._ports[self._any_server()][0])
        request = "".join(f"GET /text/{number} HTTP/1.1\r\nHost: a\r\n\r\n" for number in numbers)
        await stream.write(request.encode())
        for number in numbers:
            head = (await stream.read_until(b"\r\n\r\n")).decode()
            body = text_of(number).encode()
            assert head.startswith("HTTP/1.1 200 OK\r\n"), head
            assert f"\r\nContent-Length: {len(body)}\r\n" in head, head
            assert await stream.read_bytes(len(body)) == body
            self.requests[200] += 1
        stream.close()

    async def _json(self) -> None:
        value = {"numbers": [self._random.random() for _ in range(20)], "text": "ä" * 50}
        response = await self._fetch("/json", method="POST", body=json.dumps(value).encode())
        assert response.headers["Content-Type"] == "application/json; charset=UTF-8"
        found = json.loads(response.body)
        assert found == {"value": value, "id": response.headers["X-Request-Id"]}

    async def _page(self) -> None:
        number, name = self._random.randrange(40), f"name{self._random.randrange(9)}"
        response = await self._fetch(f"/page/{number}/{name}")
        assert response.body.decode() == page(number, name)

    async def _static(self) -> None:
        for name in (SMALL, LARGE):
            content = static_content(name)
            response = await self._fetch(f"/static/{name}", decompress_response=False)
            assert response.body == content
            etag = response.headers["Etag"]
            await self._fetch(f"/static/{name}", 304, headers={"If-None-Match": etag})
            begin = self._random.randrange(len(content) - 20)
            part = await self._fetch(f"/static/{name}", 206, headers={"Range": f"bytes={begin}-{begin + 9}"})
            assert part.body == content[begin : begin + 10]
            assert part.headers["Etag"] == etag, (part.headers["Etag"], etag)

    async def _gzip(self) -> None:
        number, name = self._random.randrange(100, 300), f"name{self._random.randrange(9)}"
        headers = {"Accept-Encoding": "gzip"}
        response = await self._fetch(f"/page/{number}/{name}", headers=headers, decompress_response=False)
        assert response.headers["Content-Encoding"] == "gzip"
        assert response.headers["Vary"] == "Accept-Encoding"
        assert gzip.decompress(response.body).decode() == page(number, name)

    async def _websocket(self) -> None:
        port = self._ports[self._any_server()][0]
        options: dict[str, Any] = {"compression_options": {}} if self._random.random() < 0.5 else {}
        connection = await websocket.websocket_connect(f"ws://localhost:{port}/echo", **options)
        for size in (0, 5, 200, 70_000):
            for message in ("ä" * size, self._random.randbytes(size)):
                await connection.write_message(message, binary=isinstance(message, bytes))
                assert await connection.read_message() == message
                self.messages += 1
        connection.close(1000, "done")
        assert await connection.read_message() is None
        assert connection.close_code == 1000
        self.requests[101] += 1

    async def _cookies(self) -> None:
        """Count the visits of a browser in a session, on the servers of all threads in turn."""
        jar = http.cookiejar.CookieJar()
        client = SimpleAsyncHTTPClient(force_instance=True, cookie_jar=jar)
        for visit in range(1, 5):
            response = await self._fetch("/visits", client=client, server=visit % len(self._ports))
            assert json.loads(response.body) == {"visits": visit, "signed": visit - 1}
        client.close()

    async def _channel(self) -> None:
        name = f"channel:{self._random.randrange(5)}"
        async with self._hub.subscribe(name, await self._hub.head(name)) as messages:
            for number in range(10):
                await self._hub.publish(name, {"number": number})
                self.published += 1
            for number in range(10):
                assert (await anext(messages)).data == {"number": number}

    async def _tls(self) -> None:
        number = self._random.randrange(1000)
        response = await self._fetch(f"/text/{number}", tls=True)
        assert response.body.decode() == text_of(number)

    async def _executor(self) -> None:
        number = self._random.randrange(1000)
        found = json.loads((await self._fetch(f"/executor/{number}")).body)
        assert found == {"text": text_of(number), "in_other_thread": True}

    async def _snapshot(self) -> None:
        """Read the metrics while all threads change them. Each thread may have sent one response that it has
        not counted yet.
        """
        found = json.loads((await self._fetch("/snapshot")).body)
        assert found["gauges"]["http.server.active_requests"] >= 1
        counted = sum(sum(series[3][1]) for series in found["requests"])
        assert counted >= sum(self.requests.values()) - len(self._ports), (counted, self.requests)

    async def _refusal(self) -> None:
        """Send a malformed request, which is logged at a limited rate."""
        stream = await TCPClient().connect("localhost", self._ports[self._any_server()][0])
        await stream.write(_MALFORMED)
        head = await stream.read_until_close()
        assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n"), head
        self.malformed += 1
