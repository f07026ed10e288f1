"""The whitespace modes of templates."""

from __future__ import annotations

import re
from collections.abc import Callable

_BLANKS = re.compile(r"[\t ]+")
_WHITESPACE = re.compile(r"\s+")


def _keep(text: str) -> str:
    return text


def _single(text: str) -> str:
    # The pattern \s*\n\s* would take quadratic time for a long run of blanks without a line break.
    return _WHITESPACE.sub(_collapse_run, _BLANKS.sub(" ", text))


def _collapse_run(run: re.Match[str]) -> str:
    return "\n" if "\n" in run[0] else run[0]


def _oneline(text: str) -> str:
    return _WHITESPACE.sub(" ", text)


MODES: dict[str, Callable[[str], str]] = {"all": _keep, "single": _single, "oneline": _oneline}


def filter_whitespace(mode: str, text: str) -> str:
    """Collapse the whitespace in `text`.

    :param mode: ``all`` keeps all whitespace. ``single`` replaces each run of spaces and tabs with one space,
        and each run that contains a line break with one line break. ``oneline`` replaces each run with one
        space.
    :raises ValueError: if the mode is unknown.
    """
    try:
        reduce = MODES[mode]
    except KeyError:
        raise ValueError(f"unknown whitespace mode {mode!r}; expected {', '.join(MODES)}") from None
    return reduce(text)


def mode_for_name(name: str) -> str:
    """Return the default mode for a template: HTML and JavaScript do not need their indentation."""
    return "single" if name.endswith((".html", ".js")) else "all"
