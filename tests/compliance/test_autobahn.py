"""Run all of Autobahn's cases on the protocol and some on compression, for the server and the client.

``scripts/compliance autobahn`` runs all cases.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from compliance.autobahn import runner, verdicts
from compliance.autobahn.verdicts import Verdict, faults

#: Small, short and fragmented messages, for each kind of data and each negotiation.
KINDS = [f"12.{kind}" for kind in range(1, 6)] + [f"13.{kind}" for kind in range(1, 8)]
SOME_COMPRESSION = [f"{kind}.{size}" for kind in KINDS for size in (1, 3, 11)]
SECONDS = 240


@pytest.fixture(scope="module", autouse=True)
def kosoku() -> None:
    """Create the environment of kosoku."""
    try:
        runner.KOSOKU.python()
    except (subprocess.CalledProcessError, OSError) as error:
        reason = f"{runner.KOSOKU.requirements[0]} cannot be installed: {error}"
        if os.environ.get("CI"):
            pytest.fail(f"this test may not be skipped here: {reason}", pytrace=False)
        pytest.skip(reason)


@pytest.mark.parametrize("direction", runner.DIRECTIONS)
def test_all_protocol_cases(direction: str) -> None:
    found = runner.examine(direction, verdicts.PROTOCOL, jobs=12, seconds=SECONDS)
    assert faults(found, verdicts.PROTOCOL) == []


@pytest.mark.parametrize("direction", runner.DIRECTIONS)
def test_some_compression_cases(direction: str) -> None:
    found = runner.examine(direction, SOME_COMPRESSION, jobs=4, seconds=SECONDS)
    assert {each.case for each in found} == set(SOME_COMPRESSION)
    assert faults(found, SOME_COMPRESSION) == []


def test_no_other_verdict_is_accepted() -> None:
    assert verdicts.ACCEPTED == {}


# -- the runner --


def test_errors_of_a_faulty_server_are_detected() -> None:
    cases = ["1.1.2", "5.3", "6.3.1", "6.4.1", "7.5.1", "7.7.1", "7.9.1", "7.9.9"]
    program = [sys.executable, "-m", "tests.compliance.careless_echo"]
    found = {each.case: each.label for each in runner.examine("server", cases, program, jobs=9, seconds=60)}
    assert found == {
        "1.1.2": "OK",
        "5.3": "FAILED",  # a message in two fragments
        "6.3.1": "OK",
        "6.4.1": "NON-STRICT",  # invalid UTF-8 long before the end
        "7.5.1": "OK",
        "7.7.1": "OK",
        "7.9.1": "FAILED",  # code 0
        "7.9.9": "FAILED",  # code 2999
    }


def test_program_that_exits_is_reported() -> None:
    program = [sys.executable, "-c", "raise SystemExit('no room')"]
    with pytest.raises(runner.Broken, match="no room"):
        runner.examine("server", ["1.1.1"], program)
    with pytest.raises(runner.Broken, match="no room"):
        runner.examine("client", ["1.1.1"], program)


def test_program_that_hangs_is_reported() -> None:
    program = [sys.executable, "-c", "import time; time.sleep(99)"]
    with pytest.raises(runner.Broken, match="did not end within 0.1 s"):
        runner.examine("client", ["1.1.1"], program, seconds=0.1)


# -- verdicts --


@pytest.mark.parametrize(
    ("behaviour", "close", "label", "fault"),
    [
        ("OK", "OK", "OK", False),
        ("INFORMATIONAL", "INFORMATIONAL", "INFORMATIONAL", False),
        ("NON-STRICT", "OK", "NON-STRICT", True),
        ("UNIMPLEMENTED", "OK", "UNIMPLEMENTED", True),
        ("FAILED", "OK", "FAILED", True),
        ("OK", "WRONG CODE", "FAILED", True),
        ("OK", "UNCLEAN", "FAILED", True),
        ("ERROR", "OK", "FAILED", True),
    ],
)
def test_verdicts_other_than_ok_are_faults_unless_accepted(
    behaviour: str, close: str, label: str, fault: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    verdict = Verdict("7.1", behaviour, close, "why")
    assert verdict.label == label
    assert len(faults([verdict], ["7.1"])) == fault
    assert f"| protocol, x as server | 1 | {'1' if label == 'OK' else '0'} |" in verdicts.table(
        {("x", "server"): [verdict]}
    )
    monkeypatch.setitem(verdicts.ACCEPTED, "7.1", "a reason")
    assert faults([verdict], ["7.1"]) == []


def test_missing_verdicts_are_faults() -> None:
    verdict = Verdict("7.1", "OK", "OK", "")
    assert faults([verdict], verdicts.PROTOCOL) == [
        "1 verdicts for the 301 cases 1.* 2.* 3.* 4.* 5.* 6.* 7.* 9.* 10.*"
    ]
    assert faults([], ["99.*"]) == ["no verdicts for 99.*"]
