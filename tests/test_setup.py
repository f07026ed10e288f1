"""``scripts/setup``, with a Python that only notes what it is asked for."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from tests.support.program import ROOT

PYTHON = """\
#!/bin/sh
echo "$2 $3" >>asked
case $2 in venv) mkdir -p .venv/bin && cp "$0" .venv/bin/python ;; esac
"""


@pytest.mark.skipif(os.name == "nt", reason="a shell's script")
def test_it_says_what_takes_so_long_and_only_then(tmp_path):
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts/setup", tmp_path / "scripts")
    (tmp_path / "pyproject.toml").touch()
    python = tmp_path / "python"
    python.write_text(PYTHON)
    python.chmod(0o755)

    def setup() -> str:
        done = subprocess.run(
            [tmp_path / "scripts/setup"],
            env={**os.environ, "PYTHON": str(python)},
            stderr=subprocess.PIPE,
            text=True,
            timeout=30,
            check=True,
        )
        return done.stderr

    assert setup() == "making .venv, which takes half a minute ...\n"
    assert "venv --clear" in (tmp_path / "asked").read_text()
    assert setup() == ""
