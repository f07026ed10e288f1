"""System programs and packages that a test requires."""

from __future__ import annotations

import importlib
import os
import shutil
from types import ModuleType

import pytest

#: Directories of system programs, which are not on the PATH of every user.
_FURTHER = "/usr/sbin:/sbin:/usr/local/sbin"


def need(program: str, package: str) -> str:
    """Return the path of a program. If it is not installed, skip the test, or fail it if ``CI`` is set.

    :param package: the name of the Debian package.
    """
    path = shutil.which(program) or shutil.which(program, path=_FURTHER)
    if path is not None:
        return path
    reason = f"{program} is not installed; on Debian: apt-get install {package}"
    if os.environ.get("CI"):
        pytest.fail(f"this test must not be skipped in CI: {reason}", pytrace=False)
    pytest.skip(reason)


def need_module(name: str, extra: str) -> ModuleType:
    """Import a package that a test file requires. If it is not installed, skip the file, or fail in CI.

    :param extra: the extra of this distribution that includes the package.
    """
    if os.environ.get("CI"):
        return importlib.import_module(name)
    reason = f"{name} is not installed: pip install '.[{extra}]'"
    found: ModuleType = pytest.importorskip(name, reason=reason)
    return found
