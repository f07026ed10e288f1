"""`Fetch`: its table of phases; `test_client` tests the fetches."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.states import check_transitions
from tornado import netutil
from tornado.httpclient import AsyncHTTPClient
from tornado.simple_httpclient._fetch import TRANSITIONS, FetchPhase


def test_only_transitions_in_the_table_are_allowed() -> None:
    check_transitions(TRANSITIONS, FetchPhase)


async def test_cancelled_fetch_that_is_refused_logs_nothing(loop_kind: str) -> None:
    with netutil.bind_sockets(0, "127.0.0.1")[0] as unused:
        port = unused.getsockname()[1]
    client = AsyncHTTPClient(force_instance=True)
    for count in range(30):  # one of these is the event loop iteration of the refusal
        fetching = client.fetch(f"http://127.0.0.1:{port}/")
        for _ in range(count):
            await asyncio.sleep(0)
        fetching.cancel()
        with pytest.raises((asyncio.CancelledError, OSError)):
            await fetching
        for _ in range(30):
            await asyncio.sleep(0)
    client.close()
