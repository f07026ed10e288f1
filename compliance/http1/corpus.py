"""The corpus: the cases of all modules in ``cases/``, in reading order."""

from __future__ import annotations

import dataclasses
import functools
import importlib

from compliance.http1.case import Case

#: The modules in ``cases/``; a group has the name of its module.
GROUPS = (
    "request_line",
    "targets",
    "host",
    "line_ends",
    "fields",
    "content_length",
    "transfer_encoding",
    "length_and_coding",
    "chunks",
    "trailers",
    "expect",
    "connection",
    "methods",
    "pipelining",
    "incomplete",
    "other_protocols",
    "smuggling",
    "unread",
    "responses",
    "advisories",
    "sizes",
    "limits",
)


@functools.cache
def load() -> tuple[Case, ...]:
    """Return all cases."""
    cases: list[Case] = []
    for group in GROUPS:
        module = importlib.import_module(f"compliance.http1.cases.{group}")
        cases += [dataclasses.replace(case, group=group) for case in module.CASES]
    return tuple(cases)


def select(words: list[str]) -> list[Case]:
    """Return the cases whose title contains one of the words; without words, all cases."""
    return [case for case in load() if not words or any(word in case.title for word in words)]
