"""Each public module can be imported first, and without a warning on any version of Python."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import textwrap

from tests.support.modules import NEEDS, public_modules

PROGRAM = """
    import importlib
    import sys

    for module in sys.argv[1:]:
        for name in [name for name in sys.modules if name.partition(".")[0] == "tornado"]:
            del sys.modules[name]
        try:
            importlib.import_module(module)
        except Exception as error:
            print(f"{module}: {error!r}")
"""


def test_imports_are_silent():
    modules = [
        module
        for module in public_modules()
        if module not in NEEDS or importlib.util.find_spec(NEEDS[module])
    ]
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(PROGRAM), *modules]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
