"""Coroutines as test methods: tracebacks of failures and timeouts contain the line that failed or waited."""

from __future__ import annotations

import asyncio
import traceback

import pytest

from tests.testing.cases import faults, passes, run
from tornado import gen
from tornado.testing import AsyncTestCase, gen_test


def test_coroutines_of_each_kind():
    ran = []

    class Case(AsyncTestCase):
        @gen_test
        def test_generator(self):
            ran.append((yield gen.maybe_future("generator")))
            yield gen.moment

        @gen_test
        async def test_native(self):
            await asyncio.sleep(0)
            ran.append("native")

        @gen_test(timeout=3)
        def test_plain(self):
            ran.append("plain")

        @gen_test
        async def test_arguments(self, number, text=""):
            ran.append(f"{number} {text}")

        def test_calls_one(self):
            self.test_arguments(1, text="a")

    for name in ("generator", "native", "plain", "calls_one"):
        passes(Case, f"test_{name}")
    assert ran == ["generator", "native", "plain", "1 a"]


def test_traceback_of_failure_contains_line():
    class Case(AsyncTestCase):
        @gen_test
        async def test(self):
            await asyncio.sleep(0)
            raise KeyError("inside")

    assert "KeyError: 'inside'" in faults(run(Case))


@pytest.mark.parametrize("name", ["test_generator", "test_native"])
def test_traceback_of_timeout_contains_waiting_line(name):
    class Case(AsyncTestCase):
        @gen_test(timeout=0.001)
        def test_generator(self):
            yield asyncio.Future()  # here

        @gen_test(timeout=0.001)
        async def test_native(self):
            await asyncio.Future()  # here

    text = faults(run(Case, name))
    assert "TimeoutError" in text
    assert "# here" in text


def test_a_timeout_cannot_be_swallowed():
    class Case(AsyncTestCase):
        @gen_test(timeout=0.001)
        def test(self):
            try:
                yield asyncio.Future()
            except TimeoutError:
                pass

    assert "TimeoutError" in faults(run(Case))


def test_timeout_error_raised_by_test():
    class Case(AsyncTestCase):
        @gen_test
        async def test(self):
            raise TimeoutError("its own")

    assert "its own" in faults(run(Case))


def test_traceback_contains_test_method():
    """The traceback contains few frames of gen_test."""

    class Case(AsyncTestCase):
        @gen_test
        async def test(self):
            raise ValueError

    case = Case("test")
    case.setUp()
    try:
        with pytest.raises(ValueError) as caught:
            case.test()
    finally:
        case.tearDown()
    names = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert names[-1] == "test"
