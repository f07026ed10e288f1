"""Decide whether the behaviour of a server is allowed, and describe the difference if it is not."""

from __future__ import annotations

import enum
import hashlib
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from compliance.http1.case import Answer, Case, End, Outcome
from compliance.http1.responses import Response
from compliance.http1.runner import Result


class Word(enum.Enum):
    """The result of a case for a server."""

    PASSED = "passed"
    FAILED = "failed"
    UNSEEN = "n/a"  #: the echo lacks the tested property, or the case does not apply to the server


@dataclass(frozen=True)
class Verdict:
    """A result, with the reason of a failure."""

    word: Word
    reason: str = ""


class _Unseen(Exception):
    """Raised if the echo does not show the tested property."""


def judge(case: Case, result: Result, *, strict: bool = False) -> Verdict:
    """Compare a result with the permitted outcomes of a case.

    :param strict: only the outcome of Waterspout is permitted.
    """
    unseen = False
    allowed = _chosen(case) if strict else case.outcomes
    for outcome in allowed:
        try:
            if _mismatch(outcome, result) is None:
                return Verdict(Word.PASSED)
        except _Unseen:
            unseen = True
    if unseen:
        return Verdict(Word.UNSEEN)
    wanted = " | ".join(map(describe_outcome, allowed))
    return Verdict(Word.FAILED, f"{describe_result(result)}; allowed: {wanted}{_detail(case, result)}")


def _chosen(case: Case) -> list[Outcome]:
    """Return Waterspout's outcome, with and without a 100 response, because sending one depends on timing."""
    ours = _without_100(case.ours)
    return [case.ours, *(each for each in case.outcomes if _without_100(each) == ours)]


def _without_100(outcome: Outcome) -> Outcome:
    return Outcome(tuple(answer for answer in outcome.answers if answer.codes != {100}), outcome.end)


def _detail(case: Case, result: Result) -> str:
    """Return how the handler misunderstood the request, if the result is otherwise as expected."""
    for outcome in case.outcomes:
        try:
            reason = _mismatch(outcome, result)
        except _Unseen:
            continue
        if reason is not None and reason.startswith("saw "):
            return f" ({reason})"
    return ""


def _mismatch(outcome: Outcome, result: Result) -> str | None:
    """Return why the result differs from this outcome, or None."""
    if result.fault or result.end is None:
        return result.fault or "silence"
    if outcome.end not in (End.EITHER, result.end):
        return f"the connection is {result.end.value}"
    if len(outcome.answers) != len(result.responses):
        return f"{len(result.responses)} responses"
    for answer, response in zip(outcome.answers, result.responses, strict=True):
        if response.code not in answer.codes:
            return f"status {response.code}"
    for answer, response in zip(outcome.answers, result.responses, strict=True):
        if (reason := _misread(answer, response)) is not None:
            return reason
    return None


def _misread(answer: Answer, response: Response) -> str | None:
    for name, value in answer.says.items():
        found = response.get(name)
        if found is None or (value is not None and found.lower() != value):
            return f"saw {name}: {found} in the response"
    for name in answer.lacks:
        if (found := response.get(name)) is not None:
            return f"saw {name}: {found} in the response"
    if not answer.seen:
        return None
    shown = response.echo()
    if shown is None:
        return "saw no echo"
    return next((reason for key in answer.seen if (reason := _differs(key, answer.seen[key], shown))), None)


def _differs(key: str, wanted: Any, shown: Mapping[str, Any]) -> str | None:
    source = "fields" if key == "absent" else key
    if source not in shown:
        raise _Unseen(key)
    value = shown[source]
    if key == "body":
        digest = hashlib.sha256(wanted).hexdigest()
        if value["length"] != len(wanted) or value.get("sha256", digest) != digest:
            return f"saw a body of {value['length']} bytes, expected {wanted[:40]!r}"
    elif key == "fields":
        for name, values in wanted.items():
            found = [text for each, text in value if each.lower() == name]
            if found != list(values):
                return f"saw {name}: {found}"
    elif key == "absent":
        for name in wanted:
            if any(each.lower() == name for each, _ in value):
                return f"saw a field {name}"
    elif value != wanted:
        return f"saw {key} {value!r}, expected {wanted!r}"
    return None


def describe_result(result: Result) -> str:
    """Describe a result."""
    codes = _codes([str(response.code) for response in result.responses])
    if result.fault:
        return f"{codes}, then {result.fault}"
    return f"{codes}, " + ("then silence" if result.end is None else result.end.value)


def describe_outcome(outcome: Outcome) -> str:
    """Describe an outcome."""
    answers = _codes(["/".join(map(str, sorted(answer.codes))) for answer in outcome.answers])
    return f"{answers}, {outcome.end.value}"


def _codes(codes: list[str]) -> str:
    runs = [(code, len(list(run))) for code, run in itertools.groupby(codes)]
    return ", ".join(
        f"{count} x {code}" if count > 3 else ", ".join([code] * count) for code, count in runs
    ) or ("no response")
