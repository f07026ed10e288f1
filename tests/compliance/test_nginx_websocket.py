"""WebSockets through the nginx of docs/guide/nginx.md."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.compliance.test_nginx import Site
from tornado.httpclient import HTTPClientError
from tornado.websocket import websocket_connect


@pytest.fixture(scope="module")
def site(tmp_path_factory, certificates) -> Iterator[Site]:
    """A site for tests that do not break it."""
    with Site(tmp_path_factory.mktemp("site"), certificates) as running:
        yield running


@contextlib.asynccontextmanager
async def connected(site: Site, room: str, *, tls: bool = False, **options: Any):
    """Open a connection to a room, and read the first message."""
    origin = f"https://localhost:{site.tls_port}" if tls else f"http://127.0.0.1:{site.port}"
    options = {"headers": {"Origin": origin}, "ssl_options": site.certificates.client_context, **options}
    url = f"{origin.replace('http', 'ws', 1)}/rooms/socket?room={room}"
    async with websocket_connect(url, **options) as connection:
        greeting = await connection.read_message()
        assert isinstance(greeting, str)
        yield connection, json.loads(greeting)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_messages_in_both_directions(site, tls):
    async with connected(site, "both", tls=tls) as (connection, greeting):
        assert greeting["ip"] == "127.0.0.1"
        for message in ("", "hello", "x" * 1_000_000, b"\0\xff" * 1000):
            await connection.write_message(message, binary=isinstance(message, bytes))
            assert await connection.read_message() == message


async def test_compression_is_negotiated_through_nginx(site):
    async with connected(site, "deflate", compression_options={}) as (connection, _):
        assert connection.headers["Sec-WebSocket-Extensions"].startswith("permessage-deflate")
        await connection.write_message("again and " * 1000)
        assert await connection.read_message() == "again and " * 1000


async def test_members_of_a_room_share_a_process(site):
    ports = set()
    for room in map(str, range(12)):
        async with connected(site, room) as (one, first), connected(site, room) as (other, second):
            assert first["at"] == second["at"]
            ports.add(first["at"])
            await one.write_message(room)
            assert [await one.read_message(), await other.read_message()] == [room, room]
    assert len(ports) > 1


async def test_other_origin_is_refused(site):
    with pytest.raises(HTTPClientError) as caught:
        async with connected(site, "evil", headers={"Origin": "https://evil.example"}):
            pass
    assert caught.value.code == 403


async def test_sigterm_sends_close_frames(tmp_path, certificates):
    with Site(tmp_path, certificates) as site:
        async with connected(site, "room") as (connection, greeting):
            (program,) = [each for each in site.programs if each.port == greeting["at"]]
            os.kill(program.pid, signal.SIGTERM)
            assert await connection.read_message() is None
            assert connection.close_code == 1001
        assert program.wait() == 0
        # After reconnecting, the client finds the room in another process.
        async with connected(site, "room") as (_, elsewhere):
            assert elsewhere["at"] != greeting["at"]
