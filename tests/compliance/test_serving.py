"""Small versions of the scenarios of compliance/serving, and tests that they detect defects.

Those of worker processes are in ``tests/_serve/test_rolling_replacement.py`` and ``test_health.py``.
"""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path

import pytest

from benchmarks.peers import Peer
from compliance.serving import deploys, reloads, stops
from compliance.serving.document import DOCUMENT, RESULTS, rendered
from compliance.serving.expectations import problems
from compliance.serving.load import load
from compliance.serving.process import Running, StartError
from compliance.serving.report import ROWS, table
from compliance.serving.servers import SERVERS, Options, Server
from compliance.serving.thorough import summary, thorough_problems
from compliance.serving.waiting import until
from compliance.serving.websockets import WebSocketCounts

OURS = SERVERS["ours"]
PROGRAM = Path(__file__).with_name("careless_service.py")
CARELESS = Server(Peer("careless", "careless", PROGRAM), lambda options: ["app.py", str(options.port)])
ONE = Options(workers=1)
pytestmark = pytest.mark.deadline(120)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("kind", ["tcp", "tls", "unix"])
async def test_sigterm_at_any_point_of_a_request_lets_it_finish(kind, workers, certificates):
    options, context = Options(workers=workers), None
    if kind == "unix":
        options = Options(workers=workers, path="s")
    elif kind == "tls":
        files = str(certificates.certificate_file), str(certificates.key_file)
        options, context = Options(workers=workers, certificate=files), certificates.client_context
    figures = await stops.sweep(OURS, options=options, context=context)
    assert figures["requests"] + figures["late"] == stops.STEPS
    assert figures["failures"] == {}
    assert figures["status"] == 0


async def test_requests_under_load_are_answered_or_refused_at_sigterm():
    figures = await stops.stop_under_load(OURS)
    assert figures["failures"] == {}
    assert figures["refused"] > 0
    assert (figures["answered"], figures["status"]) == (True, 0)


async def test_websockets_are_closed_with_1012_at_sigterm():
    figures = await stops.websockets_at_stop(OURS, 50)
    assert figures["closes"] == {"1012": 50}
    assert figures["status"] == 0


async def test_broken_programs_change_nothing_or_do_not_start():
    figures = await deploys.broken_deploy(OURS)
    assert problems({"broken_deploy": [figures]}) == []
    figures = await deploys.broken_start(OURS)
    assert (figures["status"], figures["tracebacks"]) == (1, 1)


async def test_replaced_certificate_is_used():
    figures = await deploys.certificate(OURS)
    assert figures["seconds"] is not None
    assert figures["connection_kept"]


async def test_careless_server_loses_requests_at_sigterm():
    figures = await stops.sweep(CARELESS, options=ONE)
    # The response of this server takes 50 ms after the 60 ms in which the request arrives.
    assert figures["failed"] > 50
    assert len(figures["lost_after_ms"]) == figures["failed"]
    assert problems({"sweep": [figures]}) != []


async def test_careless_server_loses_requests_at_a_reload():
    async with Running(CARELESS, ONE) as service:
        async with load(service.target, 8) as counts:
            await until(lambda: counts.requests > 16, 30.0)
            service.signal(signal.SIGHUP)
            await until(lambda: counts.refused > 0, 30.0)
    assert counts.failed >= 8
    assert counts.refused > 0


async def test_server_that_does_not_start_is_reported():
    with pytest.raises(StartError, match="this program is broken"):
        async with Running(OURS, source='raise RuntimeError("this program is broken")'):
            pass


async def test_server_without_a_reload_signal_has_no_figures():
    server = Server(CARELESS.peer, CARELESS.command, None)
    figures = await reloads.reloads(server, ONE)
    assert figures["failed"] is None
    results = {"careless": {"reloads": [figures], "sweep": [{"error": "TimeoutError: "}]}}
    text = table({"careless": "Careless"}, results)
    assert "| cannot reload |" in text
    assert "| error: TimeoutError:  |" in text


def test_lost_and_repeated_messages_are_found(tmp_path):
    counts = WebSocketCounts(acknowledged={0: 3, 1: 1})
    (tmp_path / "store").write_text("0:1\n0:3\n0:3\n1:1\n1:2\n")
    assert counts.check(tmp_path / "store") == (1, 1)


def test_each_scenario_has_a_row_and_a_condition():
    from compliance.serving.__main__ import SCENARIOS
    from compliance.serving.expectations import EXPECTATIONS

    assert {scenario for _, scenario, _ in ROWS} == SCENARIOS.keys() == EXPECTATIONS.keys()


def test_errors_are_problems():
    assert problems({"sweep": [{"error": "TimeoutError: "}]}) == ["sweep: {'error': 'TimeoutError: '}"]


async def test_conditions_wait_for_their_time():
    assert await until(lambda: False, 0.0) is None
    began = asyncio.get_running_loop().time()
    seconds = await until(lambda: asyncio.get_running_loop().time() > began, 30.0)
    assert seconds is not None


def test_document_contains_the_tables_of_the_results():
    content = json.loads(RESULTS.read_text(encoding="utf-8"))
    document = DOCUMENT.read_text(encoding="utf-8")
    assert rendered(document, content) == document
    assert "error:" not in document
    assert content.keys() == {"servers", "thorough"}


def test_losses_of_thorough_runs_are_problems():
    names = ("requests", "failed", "resets", "refused", "acknowledged", "lost")
    good = dict.fromkeys(names, 0) | {"reload_seconds": [0.5, 0.7]}
    bad = good | {"lost": 2, "reload_seconds": [0.5, None]}
    assert summary([good, good])["longest_reload_seconds"] == 0.7
    results = {"TCP": summary([good, good]), "TLS": summary([good, bad])}
    [problem] = thorough_problems(results)
    assert problem.startswith("TLS: ")
    assert results["TLS"]["reloads_failed"] == 1
