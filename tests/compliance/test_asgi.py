"""The outcomes of the applications of ``compliance/asgi`` on Waterspout are those of its table."""

from __future__ import annotations

import pytest

from compliance.asgi.__main__ import README, outcomes_of, table
from compliance.asgi.cases import FRAMEWORK, PROBES
from tests.asgi.applications.specification import NAMES
from tests.wsgi.conftest import framework

#: The greatest common part of all frameworks: Django has neither lifespan nor WebSockets.
CASES = len(NAMES) * len(FRAMEWORK) - 2


@pytest.fixture(scope="module")
def outcomes() -> dict[str, str]:
    for name in NAMES:
        framework(name)
    return outcomes_of("Waterspout")


def documented() -> dict[str, str]:
    """Return the column of Waterspout."""
    rows = [line.split(" | ") for line in README.read_text().splitlines() if line.startswith("| ")]
    return {row[0].removeprefix("| "): row[1].replace("\\|", "|") for row in rows if len(row) == 4}


def test_probes_have_the_documented_outcomes(outcomes):
    found = {title: outcomes[title] for title in PROBES}
    assert found == {title: documented()[title] for title in PROBES}


def test_frameworks_have_the_expected_outcomes(outcomes):
    expected = {
        "text": "200 Hello a",
        "JSON": '200 {"a": 1, "seen": true}',
        "upload of 30 MB": None,
        "download of 50 MB": "200 50000000 bytes",
        "event stream": "200 data: 0\n\ndata: 1\n\ndata: 2\n\n",
        "background task": "200 started, 200 done",
        "exception": "500",
        "lifespan": "200 ready",
        "WebSocket": "echo ä 4000 goodbye",
    }
    found = {title: text for title, text in outcomes.items() if title not in PROBES}
    assert len(found) == CASES
    for title, text in found.items():
        wanted = expected[title.partition(": ")[2]]
        if wanted is None:
            assert '"size":30000000' in text.replace(" ", "") or text == "200 99 bytes", (title, text)
        else:
            assert (
                text.replace('":', '": ').replace(":  ", ": ").replace(',"', ', "').strip() == wanted.strip()
            ), title


def test_table_joins_equal_outcomes():
    text = table({"a": {"x": "1", "Django: text": "2"}, "b": {"x": "1|", "Django: text": "2"}})
    assert "| x | 1 | 1\\| |" in text
    assert text.endswith("same outcome on all servers: 1.")
