"""One Application under real ASGI servers: uvicorn (with both of its HTTP parsers), hypercorn and granian."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from compliance.channels.proxy import Proxy
from tests.asgi.served_site import SERVERS
from tests.support.program import Program
from tornado.channels import ChannelClient, ChannelRequestError, Message, connect
from tornado.httpclient import HTTPClientError
from tornado.simple_httpclient import SimpleAsyncHTTPClient
from tornado.websocket import websocket_connect

pytestmark = pytest.mark.deadline(60)


class Site:
    """A running server."""

    def __init__(self, name: str, port: int) -> None:
        self.name, self.port = name, port

    async def fetch(self, path: str, **options: Any) -> Any:
        client = SimpleAsyncHTTPClient(force_instance=True)
        try:
            url = f"http://127.0.0.1:{self.port}{path}"
            return await client.fetch(url, raise_error=False, **options)
        finally:
            client.close()

    async def events(self) -> list[str]:
        found: list[str] = json.loads((await self.fetch("/")).body)["events"]
        return found

    async def wait_for_event(self, event: str) -> None:
        while event not in await self.events():
            pass

    def websocket(self, **options: Any) -> Any:
        return websocket_connect(f"ws://127.0.0.1:{self.port}/echo", **options)


@pytest.fixture(scope="module", params=list(SERVERS))
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    name = request.param
    with Program("tests/asgi/served_site.py", (name, "--port={port}")) as program:
        yield Site(name, program.port)


async def test_page(site: Site) -> None:
    response = await site.fetch("/?q=a%20b")
    assert response.code == 200
    page = json.loads(response.body)
    assert (page["q"], page["ip"]) == ("a b", "127.0.0.1")
    assert page["events"][0] == "started"
    assert len(response.headers.get_list("Server")) == 1
    assert len(response.headers.get_list("Date")) == 1
    response = await site.fetch("/", headers={"If-None-Match": response.headers["Etag"]})
    assert response.code in (200, 304)


async def test_form(site: Site) -> None:
    response = await site.fetch("/", method="POST", body="a=1+2")
    assert json.loads(response.body) == {"a": "1 2", "protocol": "http"}
    response = await site.fetch("/", method="POST", body="a=" + "x" * 1000)
    assert response.code == 413


async def test_upload_of_20_megabytes(site: Site) -> None:
    data = bytes(range(256)) * (20 * 4096)

    async def produce(write: Any) -> None:
        for position in range(0, len(data), 1024 * 1024):
            await write(data[position : position + 1024 * 1024])

    response = await site.fetch("/upload", method="PUT", body_producer=produce, request_timeout=60)
    assert json.loads(response.body) == {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


async def test_streamed_response(site: Site) -> None:
    response = await site.fetch("/numbers?n=200")
    assert response.body == b"".join(b"%09d\n" % number * 1000 for number in range(200))


async def test_event_stream(site: Site) -> None:
    response = await site.fetch("/events")
    assert response.body == b"data: 0\n\ndata: 1\n\ndata: 2\n\n"


async def test_disconnect_cancels_handler(site: Site) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(b"GET /waiting HTTP/1.1\r\nHost: x\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    await site.wait_for_event("cancelled")


async def test_static_file(site: Site) -> None:
    response = await site.fetch("/static/test_servers.py")
    assert response.body == Path(__file__).read_bytes()
    ranged = await site.fetch("/static/test_servers.py", headers={"Range": "bytes=3-7"})
    assert (ranged.code, ranged.body) == (206, Path(__file__).read_bytes()[3:8])
    etag = response.headers["Etag"]
    assert (await site.fetch("/static/test_servers.py", headers={"If-None-Match": etag})).code == 304
    head = await site.fetch("/static/test_servers.py", method="HEAD")
    assert (head.code, head.body) == (200, b"")
    assert int(head.headers["Content-Length"]) == len(response.body)


@pytest.mark.parametrize("path", ["/fail/raise", "/fail/detach"])
async def test_error_page(site: Site, path: str) -> None:
    assert (await site.fetch(path)).code == 500


async def test_incomplete_response_closes_the_connection(site: Site) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(b"GET /cut HTTP/1.1\r\nHost: x\r\n\r\n")
    received = await reader.read()  # returns when the server has closed the connection
    assert b"part" in received
    assert not received.endswith(b"0\r\n\r\n")
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


async def test_websocket(site: Site) -> None:
    connection = await site.websocket(subprotocols=["a", "b"])
    assert connection.selected_subprotocol == "b"
    for message in ("grüße", b"\x00\xff", "", "x" * 300_000):
        await connection.write_message(message, isinstance(message, bytes))
        assert await connection.read_message() == message
    other = await site.websocket()
    await other.write_message("all")
    assert await connection.read_message() == await other.read_message() == "to all"
    await other.write_message("close")
    assert await other.read_message() is None
    assert (other.close_code, other.close_reason) == (4002, "asked")
    connection.close(4003)
    assert await connection.read_message() is None
    # hypercorn does not pass on the code that the client has sent.
    await site.wait_for_event("closed None" if site.name == "hypercorn" else "closed 4003")


async def test_handshake_of_foreign_origin_is_rejected(site: Site) -> None:
    with pytest.raises(HTTPClientError) as raised:
        await site.websocket(headers={"Origin": "http://evil.example"})
    assert raised.value.code == 403


TRANSPORTS = pytest.mark.parametrize("transport", ["websocket", "stream", "poll"])


def channel_client(site: Site, transport: str, token: str, **options: Any) -> ChannelClient:
    url = f"http://127.0.0.1:{options.get('port', site.port)}/channels"
    return connect(url, transports=[transport], token=token)


@contextlib.asynccontextmanager
async def cutting_proxy(site: Site) -> AsyncIterator[Proxy]:
    """A proxy before the site that can cut its connections."""
    proxy = Proxy(random.Random(1))
    await proxy.start()
    proxy.target = ("127.0.0.1", site.port)
    yield proxy
    await proxy.close()


@TRANSPORTS
async def test_channels(site: Site, transport: str) -> None:
    channel = f"messages by {transport}"
    async with (
        channel_client(site, transport, "ada") as ada,
        channel_client(site, transport, "bob") as bob,
    ):
        await ada.subscribe(channel)
        await bob.subscribe(channel)
        positions = [await bob.publish(channel, {"number": number}, key="k") for number in range(3)]
        for client in (ada, bob):
            for number, position in enumerate(positions):
                message = await anext(client)
                assert isinstance(message, Message)
                assert (message.data, message.position, message.key) == ({"number": number}, position, "k")
        with pytest.raises(ChannelRequestError, match="forbidden"):
            await bob.subscribe("private")
        with pytest.raises(ChannelRequestError, match="forbidden"):
            await bob.publish("private", 1)
        ada.unsubscribe(channel)
        await ada.subscribe(channel, positions[0])
        assert [(await anext(ada)).position for _ in range(2)] == positions[1:]


@TRANSPORTS
async def test_channels_after_a_lost_connection(
    site: Site, transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tornado.channels._client._MIN_DELAY", 0.001)
    channel = f"cut {transport}"
    async with (
        cutting_proxy(site) as proxy,
        channel_client(site, transport, "ada", port=proxy.port) as ada,
        channel_client(site, "websocket", "bob") as bob,
    ):
        await ada.subscribe(channel)
        for number in range(5):
            proxy.cut(1.0)
            await bob.publish(channel, number)
            message = await anext(ada)
            assert isinstance(message, Message)
            assert message.data == number
    assert proxy.cuts >= 3


@TRANSPORTS
async def test_presence_in_channels(site: Site, transport: str) -> None:
    channel = f"presence by {transport}"
    async with channel_client(site, "websocket", "bob") as bob:
        await bob.subscribe(channel, watch=True)
        async with channel_client(site, transport, "ada") as ada:
            await ada.subscribe(channel, join={"device": "phone"})
            while "ada" not in bob.members(channel):
                await anext(bob)
            assert list(bob.members(channel)["ada"].values()) == [{"device": "phone"}]
        # A client that polls is present for some seconds more.
        while transport != "poll" and "ada" in bob.members(channel):
            await anext(bob)


async def test_channels_refuse_a_client_without_token(site: Site) -> None:
    for transport in ("websocket", "stream", "poll"):
        with pytest.raises(ChannelRequestError, match="refused"):
            await channel_client(site, transport, "")


async def test_module_of_channels_is_served(site: Site) -> None:
    response = await site.fetch("/channels/channels.js")
    assert response.headers["Content-Type"].startswith("text/javascript")
    assert b"export { ChannelError, connect }" in response.body


@pytest.mark.parametrize("name", list(SERVERS))
def test_lifespan_ends_with_the_server(name: str) -> None:
    with Program("tests/asgi/served_site.py", (name, "--port={port}")) as program:
        program.stop()
        assert "application stopped" in program.output()
