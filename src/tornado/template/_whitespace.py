"""The three ways in which the blanks of a template reach its output."""

from __future__ import annotations

import re
from collections.abc import Callable

_BLANKS = re.compile(r"[\t ]+")
_WHITE = re.compile(r"\s+")


def _keep(text: str) -> str:
    return text


def _single(text: str) -> str:
    # Not as \s*\n\s*: that looks again and again at a long run of blanks without a line end.
    return _WHITE.sub(_one_of_its_kind, _BLANKS.sub(" ", text))


def _one_of_its_kind(run: re.Match[str]) -> str:
    return "\n" if "\n" in run[0] else run[0]


def _oneline(text: str) -> str:
    return _WHITE.sub(" ", text)


MODES: dict[str, Callable[[str], str]] = {"all": _keep, "single": _single, "oneline": _oneline}


def filter_whitespace(mode: str, text: str) -> str:
    """Reduce the white space in a text.

    :arg mode: ``all`` leaves it as it is. ``single`` makes one blank of each run of blanks and tabs, and
        one line end of a run that holds one. ``oneline`` makes one blank of each run.
    :raises ValueError: for another mode.
    """
    try:
        reduce = MODES[mode]
    except KeyError:
        raise ValueError(f"unknown whitespace mode {mode!r}; there are {', '.join(MODES)}") from None
    return reduce(text)


def mode_for_name(name: str) -> str:
    """The mode for a template that states none: pages and scripts do not need their indentation."""
    return "single" if name.endswith((".html", ".js")) else "all"
