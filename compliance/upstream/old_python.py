"""Names of older Python versions that Tornado's older test suites use.

The suites of Tornado 4.5.3 and 5.1.1 were written for Python 2.7 to 3.7. This module supplies names that have
been removed since, so that a failure shows the behaviour of the package and not a change in Python.
"""

from __future__ import annotations

import asyncio
import collections
import collections.abc
import importlib
import inspect
import sys
import time
import types
import unittest
from typing import Any


def supply() -> None:
    """Add the names that this Python does not have."""
    for name in ("Mapping", "MutableMapping", "Iterable", "Callable", "Hashable", "Awaitable"):
        _add(collections, name, getattr(collections.abc, name))
    _add(asyncio, "async", asyncio.ensure_future)
    _add(asyncio, "coroutine", types.coroutine)
    _add(inspect, "getargspec", inspect.getfullargspec)
    _add(time, "clock", time.perf_counter)
    for old, new in {
        "assertEquals": "assertEqual",
        "assertRegexpMatches": "assertRegex",
        "assertNotRegexpMatches": "assertNotRegex",
        "assertRaisesRegexp": "assertRaisesRegex",
        "assertItemsEqual": "assertCountEqual",
        "assertNotEquals": "assertNotEqual",
        "assert_": "assertTrue",
    }.items():
        _add(unittest.TestCase, old, getattr(unittest.TestCase, new))
    # Python 3.6 imported this module together with `concurrent.futures`.
    importlib.import_module("concurrent.futures.thread")
    if "imp" not in sys.modules:
        try:
            import imp  # noqa: F401
        except ImportError:
            sys.modules["imp"] = types.ModuleType("imp")


def supply_to_twisted() -> None:
    """Make Twisted's tests of reactors call ``unbuildReactor``, as older releases of Twisted did.

    Tornado's tests restore the signal handlers there; without it the first test makes all others fail.
    """
    try:
        from twisted.internet.test.reactormixins import ReactorBuilder
    except ImportError:
        return
    if hasattr(ReactorBuilder, "unbuildReactor"):
        return
    build = ReactorBuilder.buildReactor

    def build_reactor(self: Any) -> Any:
        reactor = build(self)
        self.addCleanup(self.unbuildReactor, reactor)
        return reactor

    ReactorBuilder.buildReactor = build_reactor
    ReactorBuilder.unbuildReactor = lambda self, reactor: None


def _add(owner: object, name: str, value: object) -> None:
    if not hasattr(owner, name):
        setattr(owner, name, value)
