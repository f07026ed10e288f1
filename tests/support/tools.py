"""Programs of the system that a test needs."""

from __future__ import annotations

import os
import shutil

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
