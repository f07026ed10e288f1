"""Verdicts as text, for a terminal and for the tables of README.md."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from compliance.http1.case import Case
from compliance.http1.corpus import GROUPS
from compliance.http1.judge import Verdict, Word
from compliance.http1.runner import Feed

README = Path(__file__).with_name("README.md")
#: The generated part of README.md is between these lines.
BEGIN, END = "<!-- generated: begin -->", "<!-- generated: end -->"

Verdicts = Mapping[Feed, Mapping[str, Verdict]]


@dataclass(frozen=True)
class Column:
    """The verdicts on one server.

    :ivar title: its name and version.
    :ivar verdicts: the verdicts by way of feeding, and by the title of the case.
    """

    title: str
    verdicts: Verdicts

    def word(self, case: Case) -> Word:
        """Return the worst of the verdicts on a case."""
        words = [each[case.title].word for each in self.verdicts.values() if case.title in each]
        return next((word for word in (Word.FAILED, Word.UNSEEN) if word in words), Word.PASSED)

    def reason(self, case: Case) -> str:
        """Return why the server failed a case, and the way of feeding if it failed with only one of them."""
        found = {feed: each[case.title] for feed, each in self.verdicts.items() if case.title in each}
        failed = [feed for feed, verdict in found.items() if verdict.word is Word.FAILED]
        text = found[failed[0]].reason
        return text if len(failed) == len(found) else f"{text} [fed as {failed[0].value} only]"


def failures(column: Column, cases: Sequence[Case]) -> list[str]:
    """Return a line for each failed case."""
    return [
        f"{case.title} (RFC {case.clause}, {'MUST' if case.binding else 'should'}): {column.reason(case)}"
        for case in cases
        if column.word(case) is Word.FAILED
    ]


def summary(column: Column, cases: Sequence[Case]) -> str:
    """Return the counts as text."""
    words = [column.word(case) for case in cases]
    return ", ".join(f"{words.count(word)} {word.value}" for word in Word)


def _cell(column: Column, cases: Sequence[Case]) -> str:
    words = [(column.word(case), case.binding) for case in cases]
    unseen = sum(word is Word.UNSEEN for word, _ in words)
    if unseen == len(cases):
        return "n/a"
    failed = [binding for word, binding in words if word is Word.FAILED]
    text = f"{sum(failed)} + {len(failed) - sum(failed)}" if failed else "all pass"
    return f"{text} ({unseen} n/a)" if unseen else text


def rows(columns: Sequence[Column], cases: Sequence[Case]) -> Iterator[str]:
    """Return the table, with a row per group."""
    yield "| group | cases | " + " | ".join(column.title for column in columns) + " |"
    yield "|---|---:|" + "---|" * len(columns)
    groups = {group: [case for case in cases if case.group == group] for group in GROUPS}
    for group, members in groups.items():
        if members:
            cells = " | ".join(_cell(column, members) for column in columns)
            yield f"| {group} | {len(members)} | {cells} |"
    cells = " | ".join(f"**{_cell(column, cases)}**" for column in columns)
    yield f"| **all** | **{len(cases)}** | {cells} |"


def _short(reason: str) -> str:
    """Describe the behaviour of a server, without the permitted outcomes."""
    otherwise = ", understood differently " if "(saw " in reason else " "
    return re.sub(r"; allowed.*?(?=\[fed|$)", otherwise, reason, count=1).strip()


def details(column: Column, cases: Sequence[Case]) -> Iterator[str]:
    """Return a line for each distinct behaviour within a group, with the cases in which it occurs."""
    found: dict[tuple[str, bool, str], list[str]] = {}
    for case in cases:
        if column.word(case) is Word.FAILED:
            names = found.setdefault((case.group, case.binding, _short(column.reason(case))), [])
            names.append(f"{case.name} ({case.clause})")
    if not found:
        yield "Nothing."
    for (group, binding, what), names in found.items():
        level = "MUST" if binding else "should"
        yield f"- {group}, {level}: `{what}`: {', '.join(names)}"


def write(columns: Sequence[Column], cases: Sequence[Case], when: str) -> None:
    """Write the tables into README.md."""
    lines = [BEGIN, "", f"{len(cases)} cases, {when}.", "", *rows(columns, cases)]
    for column in columns:
        lines += ["", f"### {column.title}", "", "<details><summary>differences</summary>", ""]
        lines += [*details(column, cases), "", "</details>"]
    lines += ["", END]
    text = README.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    README.write_text(before + "\n".join(lines) + after)
