"""Deprecation warnings for the Tornado 4 API."""

from __future__ import annotations

import sys
import warnings


def deprecated(what: str, instead: str) -> None:
    """Issue a `DeprecationWarning` for the innermost line outside of this package.

    :param what: the deprecated API.
    :param instead: the replacement, as an imperative sentence.
    """
    warnings.warn(
        f"{what} is in the deprecated style of Tornado 4; {instead}",
        DeprecationWarning,
        stacklevel=_distance() + 1,
    )


def ignored_loop(where: str) -> None:
    """Warn that an ``io_loop`` argument has no effect.

    :param where: the function or class to which it was passed.
    """
    deprecated(f"the io_loop argument of {where}", "leave it out: the current loop is used")


def _distance() -> int:
    """Return the number of frames from `deprecated` to the first frame outside of this package."""
    distance, frame = 1, sys._getframe(2)
    while frame.f_back is not None and _is_ours(frame.f_globals.get("__name__", "")):
        frame = frame.f_back
        distance += 1
    return distance


def _is_ours(module: str) -> bool:
    # tornado.test is upstream's test suite.
    return (module == "tornado" or module.startswith("tornado.")) and not module.startswith("tornado.test.")
