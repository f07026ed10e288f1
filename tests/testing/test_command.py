"""The command line of test modules."""

from __future__ import annotations

import subprocess
import sys

MODULE = """
import unittest
from tornado import testing

class Case(unittest.TestCase):
    def test_good(self):
        pass
    def test_bad(self):
        self.fail("on purpose")

def all():
    return unittest.defaultTestLoader.loadTestsFromTestCase(Case)

if __name__ == "__main__":
    testing.main()
"""


def command(*arguments, cwd):
    return subprocess.run([sys.executable, *arguments], cwd=cwd, capture_output=True, text=True, timeout=60)


def test_main(tmp_path):
    (tmp_path / "some_tests.py").write_text(MODULE)
    whole = command("some_tests.py", cwd=tmp_path)
    assert whole.returncode == 1
    assert "Ran 2 tests" in whole.stderr
    assert "on purpose" in whole.stderr
    one = command("some_tests.py", "--verbose", "some_tests.Case.test_good", cwd=tmp_path)
    assert one.returncode == 0
    assert "test_good" in one.stderr
    assert "Ran 1 test" in one.stderr
    module = command("-m", "tornado.testing", "--failfast", "some_tests", cwd=tmp_path)
    assert module.returncode == 1
    assert "Ran 1 test" in module.stderr
    none = command("-m", "tornado.testing", cwd=tmp_path)
    assert none.returncode == 1
    assert "No tests specified" in none.stderr
