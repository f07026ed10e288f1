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
        stacklevel=_stack_depth() + 1,
    )


def ignored_loop(target: str) -> None:
    """Warn that an ``io_loop`` argument has no effect.

    :param target: the function or class to which it was passed.
    """
    deprecated(f"the io_loop argument of {target}", "leave it out: the current loop is used")


def _stack_depth() -> int:
    """Return the number of frames from `deprecated` to the first frame outside of this package."""
    depth, frame = 1, sys._getframe(2)
    while frame.f_back is not None and _is_package_module(frame.f_globals.get("__name__", "")):
        frame = frame.f_back
        depth += 1
    return depth


def _is_package_module(module: str) -> bool:
    # tornado.test is upstream's test suite.
    return (module == "tornado" or module.startswith("tornado.")) and not module.startswith("tornado.test.")
