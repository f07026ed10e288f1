"""The benchmark of large bodies: the program accepts every scenario, and the report contains the figures."""

from __future__ import annotations

import argparse

import pytest

from benchmarks.macro.bodies.__main__ import CHOICE, UNITS, markdown, measure
from benchmarks.macro.bodies.measure import cpu_seconds, upload
from benchmarks.macro.bodies.scenarios import SCENARIOS
from benchmarks.macro.server.process import running

SIZE = 1_200_000


def test_program_accepts_every_body():
    with running(CHOICE["ours"]) as server:
        before = cpu_seconds(server.pid)
        for scenario in SCENARIOS.values():
            assert upload(server.port, scenario, SIZE) == 0.0
        with pytest.raises(RuntimeError, match="responded with 404"):
            upload(server.port, type(SCENARIOS["whole"])("none", "", "/none"), 10)
        assert cpu_seconds(server.pid) > before


def test_a_scenario_is_measured():
    found = measure(CHOICE["ours"], SCENARIOS["streamed"], 11_000_000, 1)
    assert set(found) == set(UNITS)
    assert found["peak"] < 1.5


def test_report_contains_figures_and_titles():
    asked = argparse.Namespace(megabytes=100, repeat=5, scenario=["whole", "spooled"])
    text = "\n".join(markdown({"ours": {"whole": dict.fromkeys(UNITS, 0.5)}}, asked))
    assert "| Waterspout | 0.500 | – |" in text
    assert SCENARIOS["spooled"].title in text
