"""The warnings about what is spelled as in Tornado 4."""

from __future__ import annotations

import sys
import warnings


def deprecated(what: str, instead: str) -> None:
    """Give a `DeprecationWarning` at the line of the program that has led here.

    :arg what: the old spelling.
    :arg instead: what to write in its place, as an imperative.
    """
    warnings.warn(
        f"{what} is the style of Tornado 4; {instead}", DeprecationWarning, stacklevel=_distance() + 1
    )


def ignored_loop(where: str) -> None:
    """Warn that an ``io_loop`` argument has no effect.

    :arg where: what it was given to.
    """
    deprecated(f"the io_loop argument of {where}", "leave it out: the current loop is used")


def _distance() -> int:
    """How many frames the program is away from `deprecated`: the first that is not of this package."""
    distance, frame = 1, sys._getframe(2)
    while frame.f_back is not None and _is_ours(frame.f_globals.get("__name__", "")):
        frame = frame.f_back
        distance += 1
    return distance


def _is_ours(module: str) -> bool:
    # tornado.test would be somebody's tests.
    return (module == "tornado" or module.startswith("tornado.")) and not module.startswith("tornado.test.")
