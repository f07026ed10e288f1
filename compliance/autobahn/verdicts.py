"""Select the verdicts of kosoku that are faults, and format all verdicts as the table in README.md."""

from __future__ import annotations

import fnmatch
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

#: Patterns for the cases that test the protocol itself, and for those that test compression.
PROTOCOL, COMPRESSION = ("1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.*", "10.*"), ("12.*", "13.*")
#: The number of cases in each group: missing verdicts are a fault, too.
COUNTS = {PROTOCOL: 301, COMPRESSION: 216}

#: Cases whose verdict is accepted, with the reason.
ACCEPTED: dict[str, str] = {}
_GOOD = ("OK", "INFORMATIONAL")
_WORDS = ("OK", "INFORMATIONAL", "NON-STRICT", "UNIMPLEMENTED", "FAILED")


@dataclass(frozen=True)
class Verdict:
    """The verdicts on the messages and on the closing handshake of one case, with the reasons."""

    case: str
    behaviour: str
    close: str
    why: str

    @property
    def label(self) -> str:
        """The worse of the two verdicts, as the name of its column in the table."""
        if self.close not in _GOOD:
            return "FAILED"
        return self.behaviour if self.behaviour in _WORDS else "FAILED"


def faults(verdicts: Sequence[Verdict], cases: Sequence[str]) -> list[str]:
    """Return a line for each verdict that is neither good nor accepted, and for missing verdicts.

    :param cases: the selected cases.
    """
    found = [
        f"{each.case}: {each.behaviour}, close {each.close}: {each.why}"
        for each in verdicts
        if each.label not in _GOOD and each.case not in ACCEPTED
    ]
    for part, count in COUNTS.items():
        if set(part) <= set(cases):
            there = len(_of(verdicts, part))
            if there != count:
                found.append(f"{there} verdicts for the {count} cases {' '.join(part)}")
    if not verdicts:
        found.append(f"no verdicts for {' '.join(cases)}")
    return found


def _of(verdicts: Sequence[Verdict], patterns: Sequence[str]) -> list[Verdict]:
    return [each for each in verdicts if any(fnmatch.fnmatchcase(each.case, one) for one in patterns)]


def table(results: dict[tuple[str, str], list[Verdict]]) -> str:
    """Return a table in Markdown.

    :param results: the verdicts by program and direction.
    """
    rows = [
        f"| | cases | {' | '.join(_WORDS)} |",
        f"|---|---:|{'---:|' * len(_WORDS)}",
    ]
    for part, name in ((PROTOCOL, "protocol"), (COMPRESSION, "compression")):
        for (program, direction), verdicts in results.items():
            chosen = _of(verdicts, part)
            if chosen:
                counts = Counter(each.label for each in chosen)
                cells = " | ".join(str(counts[label]) for label in _WORDS)
                rows.append(f"| {name}, {program} as {direction} | {len(chosen)} | {cells} |")
    return "\n".join(rows)
