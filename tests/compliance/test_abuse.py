"""Small versions of the attacks in ``compliance/abuse``, against a server in the test's own process.

They check what happens to the attackers. The cost of the attacks and the delay of other clients are measured
by ``scripts/compliance abuse``.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import certificates
from compliance.abuse import app, measure, report
from compliance.abuse.__main__ import SCENARIOS
from compliance.abuse.attacks import ATTACKS
from compliance.abuse.exemptions import EXEMPTIONS, Exemption
from compliance.abuse.measure import Result, Scenario, Target
from tests.support.server import serving
from tornado import web

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="attackers use several addresses of 127.0.0.0/8"
)

#: Longer than the server needs to end any attack here.
SECONDS = 20.0
SHORT = 0.3


class Counter(logging.Handler):
    """A log handler that counts records of all levels."""

    def __init__(self) -> None:
        super().__init__()
        self.lines = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.lines += 1


def application() -> web.Application:
    routes: list[Any] = [
        ("/body", app.Body),
        ("/form", app.Form),
        ("/json", app.Json),
        ("/cookies", app.Cookies),
        ("/large", app.Large),
        ("/wait", app.Wait),
        ("/take", app.Take),
        ("/echo", app.Echo),
        ("/static/(.*)", web.StaticFileHandler, {"path": str(Path(app.__file__).parent)}),
        ("/", app.Root),
    ]
    return web.Application(routes)


async def attacked(name: str, scale: float, *, tls: Any = None, **options: Any) -> dict[str, Any]:
    """Run an attack while a well-behaved client sends requests; return the attack's outcome."""
    async with serving(application(), tls=tls, decompress_request=True, **options) as server:
        attacking = asyncio.create_task(asyncio.to_thread(ATTACKS[name], server.port, SECONDS, scale))
        asked = 0
        while not attacking.done() or not asked:
            assert (await server.fetch("/")).body == b"ok"
            asked += 1
            await asyncio.sleep(0.01)
        return await attacking


@pytest.mark.parametrize(
    ("name", "scale", "options"),
    [
        ("slow_head", 0.05, {"header_timeout": SHORT}),
        ("slow_body", 0.05, {"min_body_rate": 500, "rate_window": SHORT}),
        ("slow_body", 0.05, {"body_timeout": SHORT}),
        ("silent", 0.02, {"idle_connection_timeout": SHORT}),
        ("headerless", 0.005, {"header_timeout": SHORT}),
        ("half_open", 0.02, {}),
    ],
)
async def test_attack_that_holds_connections_is_ended(name: str, scale: float, options: Any) -> None:
    outcome = await attacked(name, scale, **options)
    assert outcome["opened"] > 10
    assert outcome["held"] == 0


async def test_tls_connection_without_client_hello_is_closed(certificates: Any) -> None:
    outcome = await attacked("silent", 0.02, tls=certificates, tls_handshake_timeout=SHORT)
    assert outcome["held"] == 0


async def test_client_that_does_not_read_is_disconnected() -> None:
    outcome = await attacked("slow_reader", 0.05, min_send_rate=500, rate_window=SHORT)
    assert outcome["opened"] == 4
    assert outcome["held"] == 0


@pytest.mark.parametrize(
    ("name", "scale", "answers"),
    [
        ("gzip_five", 0.1, {"400": 5}),
        ("gzip_bomb", 0.02, {"400": 1}),
        ("gzip_members", 0.02, {"200": 1}),
        ("tiny_chunks", 0.01, {"200": 1}),
        ("many_fields", 0.5, {"431": 105}),
        ("many_parts", 0.02, {"400": 2}),
        ("multipart_headers", 0.1, {"200": 3, "400": 6}),
        ("unread_form", 0.01, {"200": 1}),
        ("read_forms", 0.01, {"200": 9, "413": 1}),
        ("json_bodies", 0.1, {"200": 9, "400": 1}),
        ("parameters", 0.2, {"400": 4, "415": 4}),
        ("cookies_and_ranges", 0.1, {"200": 5, "416": 1}),
    ],
)
async def test_expensive_requests_are_refused_or_completed(
    name: str, scale: float, answers: dict[str, int], expect_log: Any
) -> None:
    with expect_log("tornado.general", "^(Invalid|400|Malformed|multipart)|.", required=False):
        outcome = await attacked(name, scale, protection="public")
    assert outcome["answers"] == answers


@pytest.mark.parametrize(
    ("name", "scale", "protection", "answers"),
    [
        ("ws_inflating", 0.01, "default", {"1000": 1}),
        ("ws_inflating", 0.01, "public", {"1009": 1}),
        ("ws_fragments", 0.02, "public", {"1008": 2, "1000": 1}),
    ],
)
async def test_expensive_websocket_messages(
    name: str, scale: float, protection: str, answers: dict[str, int]
) -> None:
    assert (await attacked(name, scale, protection=protection))["answers"] == answers


async def test_echo_to_client_that_never_reads_stops() -> None:
    async with serving(application()) as server:
        outcome = await asyncio.to_thread(ATTACKS["ws_never_reading"], server.port, 1.0, 1.0)
    assert outcome["sent"] < 30_000_000


async def test_floods_of_pings_and_pongs() -> None:
    """Whether the smaller batches exceed the limit depends on how many frames one receive returns."""
    answers = (await attacked("ws_pings", 0.02))["answers"]
    assert sum(answers.values()) == 4
    assert answers["1008"] >= 2
    assert answers.keys() <= {"1000", "1008"}


@pytest.mark.parametrize(("name", "scale"), [("resets", 0.02), ("pipelining", 0.02), ("leaving", 0.02)])
async def test_other_clients_are_served_during_an_attack(name: str, scale: float) -> None:
    assert (await attacked(name, scale, protection="public"))["sent"] > 0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("abuse")
    certificates.write(path)
    return path


@pytest.mark.parametrize("protection", ["", "public"])
def test_probe_is_served_without_free_descriptors(folder: Path, protection: str) -> None:
    """The server runs in a separate process, and is measured as in the full attacks."""
    # More descriptors than connections accepted in one event loop iteration. Otherwise the first connection
    # would be closed in favour of the last one before its request is read.
    scenario = Scenario("descriptors", "descriptors", 1.5, 1.5, descriptors=200)
    target = Target("ours", sys.executable, protection)
    result = measure.carry_out(scenario, target, folder, scale=0.5)
    assert result.server["lines"] <= 4
    assert result.probe["failures"] == 0
    assert result.attacker["opened"] == 300
    line = report.line(scenario, target, result)
    assert "descriptors" in line
    assert result.probe["count"] > 0
    if protection:  # an idle connection was closed in favour of the probe
        assert result.probe["slowest"] < result.attacker["seconds"]


# -- the report --


def result(**figures: Any) -> Result:
    """Return the figures of a harmless attack, with changes."""
    usual = {
        "slowest": 0.01,
        "cpu": 0.05,
        "stall": 0.0,
        "lines": 0,
        "peak": 30e6,
        "seconds": 1.0,
        "failures": 0,
        "sent": 1000,
        "memory": 0,
    }
    usual |= figures
    before = {"memory": 30e6, "cpu": 0.0, "seconds": 1.0}
    attacker = {name: usual[name] for name in ("sent", "memory", "seconds")} | {"cpu": 0.0001}
    return Result(attacker | {"held": figures.get("held", 0)}, usual, usual, before)


@pytest.mark.parametrize(
    ("figures", "fault"),
    [
        ({}, ""),
        ({"slowest": 0.2}, "waited 200 ms"),
        ({"cpu": 0.2}, "2000 times the attacker's CPU"),
        ({"peak": 80e6}, "times the attacker's bytes"),
        ({"held": 3}, "3 connections held"),
        ({"failures": 2}, "2 requests of the probe failed"),
    ],
)
def test_figures_over_their_bounds_are_reported(figures: dict[str, Any], fault: str) -> None:
    scenario, target = Scenario("a", "title", ends=True), Target("public", "", "public")
    found = report.faults([scenario], [target], {("title", "public"): result(**figures)})
    assert len(found) == bool(fault)
    assert fault in "".join(found)
    assert "title" in report.table([scenario], [target], {("title", "public"): result(**figures)})


def test_figures_without_descriptors_have_their_own_bounds() -> None:
    scenario, target = Scenario("a", "title", descriptors=64), Target("public", "", "public")
    figures = result(lines=21, cpu=0.5, slowest=10)
    (wait, share, lines) = report.faults([scenario], [target], {("title", "public"): figures})
    assert "waited 10000 ms" in wait
    assert "50% of a CPU" in share
    assert "21 lines" in lines


@pytest.mark.parametrize(
    ("figures", "upstream", "fault"),
    [
        ({}, None, ""),
        ({"slowest": 0.2}, None, "title, default: the probe waited 200 ms"),
        ({"held": 3}, None, "3 connections held"),
        ({"slowest": 0.09}, {"slowest": 0.05}, ""),
        ({"slowest": 0.09}, {"slowest": 0.04}, "0.09 s of the probe's delay are worse than upstream's 0.04"),
        ({"peak": 33e6}, {"peak": 30e6}, ""),
        (
            {"peak": 34.5e6, "sent": 10**6},
            {"peak": 30e6},
            "4.5e+06 bytes of memory are worse than upstream's 0",
        ),
        ({"cpu": 0.2, "slowest": 0.01}, {"cpu": 0.3}, "2000 times the attacker's CPU"),
    ],
)
def test_default_configuration_has_bounds(
    figures: dict[str, Any], upstream: dict[str, Any] | None, fault: str
) -> None:
    scenario, target = Scenario("a", "title", ends=True), Target("default", "")
    results = {("title", "default"): result(**figures)}
    if upstream is not None:
        results["title", "upstream"] = result(**upstream)
    found = report.faults([scenario], [target], results)
    assert len(found) == bool(fault)
    assert fault in "".join(found)


@pytest.mark.parametrize("worse", [False, True])
def test_exemption_replaces_the_bound(worse: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    exemption = Exemption(0.5, "for once", worse)
    monkeypatch.setattr(report, "EXEMPTIONS", {("a", "probe"): exemption})
    scenario, targets = Scenario("a", "title"), [Target("default", ""), Target("public", "", "public")]
    for slowest, default, public in ((0.09, False, False), (0.4, False, True), (0.6, True, True)):
        results = {("title", target.name): result(slowest=slowest) for target in targets}
        found = [bool(report.faults([scenario], [target], results)) for target in targets]
        assert found == [default, public]
    results = {("title", "default"): result(slowest=0.4), ("title", "upstream"): result(slowest=0.1)}
    assert bool(report.faults([scenario], targets[:1], results)) is not worse


def test_attempts_are_shown() -> None:
    scenario, target = Scenario("a", "title"), Target("public", "", "public")
    figures = result()
    assert "[" not in report.table([scenario], [target], {("title", "public"): figures})
    figures.attempts = 3
    assert " [3]" in report.table([scenario], [target], {("title", "public"): figures})


def test_readme_lists_the_exemptions() -> None:
    text = " ".join(Path(report.__file__).with_name("README.md").read_text().split())
    titles = {scenario.name for scenario in SCENARIOS}
    for (name, figure), exemption in EXEMPTIONS.items():
        assert name in titles
        assert f"`{name}`, {figure}: {exemption.reason}" in text


def test_every_scenario_has_an_attack() -> None:
    assert {scenario.name for scenario in SCENARIOS} == set(ATTACKS)
