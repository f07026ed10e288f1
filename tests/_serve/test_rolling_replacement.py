"""Workers replaced under load: small versions of the scenarios of compliance/serving."""

from __future__ import annotations

import asyncio
import signal

import pytest

from compliance.serving.load import load
from compliance.serving.process import Running
from compliance.serving.processes import is_running
from compliance.serving.proxies import Proxy
from compliance.serving.reloads import reload_under_load
from compliance.serving.servers import SERVERS, Options
from compliance.serving.waiting import until
from tests.support.tools import need

OURS = SERVERS["ours"]
pytestmark = pytest.mark.deadline(120)


def assert_nothing_lost(figures):
    assert figures["requests"] > 200
    assert figures["failures"] == {}
    assert (figures["resets"], figures["refused"]) == (0, 0)
    assert figures["changed"]
    assert None not in figures["reload_seconds"]


@pytest.mark.parametrize("kind", ["tcp", "tls", "unix"])
async def test_reload_loses_no_request_and_no_acknowledged_message(kind, certificates):
    options, context = Options(), None
    if kind == "unix":
        options = Options(path="s")
    elif kind == "tls":
        files = str(certificates.certificate_file), str(certificates.key_file)
        options, context = Options(certificate=files), certificates.client_context
    async with Running(OURS, options, context=context) as service:
        figures = await reload_under_load(service, service.target, 2, sockets=20)
    assert_nothing_lost(figures)
    assert figures["acknowledged"] >= 20
    assert figures["lost"] == 0
    assert set(figures["closes"]) == {"1012", "by the client"}
    assert figures["handshakes_failed"] == {}


@pytest.mark.parametrize("proxy", ["nginx without retries", "haproxy"])
async def test_reload_behind_a_proxy_loses_nothing(proxy):
    name = proxy.partition(" ")[0]
    need(name, {"nginx": "nginx-light"}.get(name, name))
    async with Running(OURS) as service, Proxy(proxy, service.target.port) as front:
        figures = await reload_under_load(service, front.target, 2, sockets=20)
    assert_nothing_lost(figures)
    assert figures["lost"] == 0


@pytest.mark.parametrize(
    "numbers",
    [
        [signal.SIGHUP] * 8,
        [signal.SIGUSR2, signal.SIGHUP] * 3,
        [signal.SIGTTIN, signal.SIGTTOU] * 4,
    ],
)
async def test_signals_in_quick_succession_lose_no_request(numbers):
    async with Running(OURS) as service:
        async with load(service.target, 16) as counts:
            old = await service.until_complete()
            for number in numbers:
                seen = counts.requests
                service.signal(number)
                await until(lambda seen=seen: counts.requests >= seen + 50, 30.0)
            if signal.SIGHUP in numbers:
                assert await until(lambda: not any(map(is_running, old)), 60.0) is not None
        assert dict(counts.failures) == {}
        assert (counts.resets, counts.refused) == (0, 0)
        service.signal(signal.SIGTERM)
        assert await service.until_ended(60.0) is not None
        assert service.status == 0


async def test_requests_of_orphaned_workers_are_answered_while_a_new_service_starts():
    async with Running(OURS) as service:
        old = service.remaining() - {service.main}
        waiting = [asyncio.create_task(service.ask("/wait?seconds=3")) for _ in range(4)]
        # The requests are being handled when a later connection has been answered by both workers.
        await service.until_complete()
        service.signal(signal.SIGKILL)
        service.process.wait()
        service.start()
        await service.until_answering()
        answers = await asyncio.gather(*waiting)
        assert {int(answer.split()[1]) for answer in answers} <= old
        assert await until(lambda: not any(map(is_running, old)), 60.0) is not None
