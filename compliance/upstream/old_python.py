"""Names that older releases of Python had and that upstream's older suites use.

The suites of Tornado 4.5.3 and 5.1.1 were written for Python 2.7 to 3.7. What is missing since is supplied
here, so that a test fails by what our package does and not by what Python no longer has.
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
    """Add the names, each only where this Python has none."""
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
    """Have Twisted's tests of reactors call ``unbuildReactor``, as releases of that time did.

    There upstream's tests restore the signal handlers; without it the first test makes all others fail.
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
