"""Programs of the system, and packages, that a test needs."""

from __future__ import annotations

import importlib
import os
import shutil
from types import ModuleType

import pytest

#: Where system programs are that are not on everybody's path.
_FURTHER = "/usr/sbin:/sbin:/usr/local/sbin"


def need(program: str, package: str) -> str:
    """The path of a program. Where there is none: a skip, or a failure when ``CI`` is set.

    :param package: what brings it, on Debian.
    """
    path = shutil.which(program) or shutil.which(program, path=_FURTHER)
    if path is not None:
        return path
    reason = f"{program} is absent; on Debian: apt-get install {package}"
    if os.environ.get("CI"):
        pytest.fail(f"this test may not be skipped here: {reason}", pytrace=False)
    pytest.skip(reason)


def need_module(name: str, extra: str) -> ModuleType:
    """Import a package that a whole file of tests needs. Where there is none: a skip, or an error in CI.

    :param extra: the extra of ours that brings it.
    """
    if os.environ.get("CI"):
        return importlib.import_module(name)
    reason = f"{name} is absent: pip install '.[{extra}]'"
    found: ModuleType = pytest.importorskip(name, reason=reason)
    return found
