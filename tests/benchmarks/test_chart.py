"""The chart shows every figure, in proportion."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from benchmarks.macro.chart.__main__ import LABELS
from benchmarks.macro.chart.svg import draw
from benchmarks.macro.server.scenarios import SCENARIOS

SVG = "{http://www.w3.org/2000/svg}"


def test_bars_are_in_proportion_and_labelled() -> None:
    root = ElementTree.fromstring(draw("Cost <1>", {"A & B": {"ours": 50, "theirs": 200}}))
    widths = [float(each.attrib["width"]) for each in root.iter(f"{SVG}rect")]
    assert widths[1] == pytest.approx(4 * widths[0], rel=0.01)
    texts = [each.text for each in root.iter(f"{SVG}text")]
    assert texts == ["Cost <1> (less is better)", "A & B", "ours", "50", "theirs", "200"]


def test_drawing_contains_every_bar() -> None:
    image = draw("t", {str(group): {str(series): 1 for series in range(5)} for group in range(4)})
    height = float(re.search(r'height="(\d+)" role', image)[1])  # type: ignore[index]
    bottoms = [
        float(each.attrib["y"]) + float(each.attrib["height"])
        for each in ElementTree.fromstring(image).iter(f"{SVG}rect")
    ]
    assert len(bottoms) == 20
    assert max(bottoms) < height


def test_chart_without_figures_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one figure"):
        draw("t", {"group": {}})


def test_scenarios_of_the_chart_exist() -> None:
    assert LABELS.keys() <= SCENARIOS.keys()
