"""``util.is_finalizing``."""

from __future__ import annotations

import pytest

from tests.support.program import output_of
from tornado.util import is_finalizing


def test_is_finalizing_is_false_before_exit() -> None:
    with pytest.warns(DeprecationWarning, match=r"sys\.is_finalizing"):
        assert is_finalizing() is False


def test_is_finalizing_is_true_in_finalizer_at_exit() -> None:
    out = output_of("""
        import os, sys
        from tornado.util import is_finalizing
        class Last:
            def __init__(self, ask):
                self.ask, self.write = ask, os.write
            def __del__(self):
                self.write(1, repr(self.ask()).encode())
        sys.last = Last(is_finalizing)
    """)
    assert out == "True"
