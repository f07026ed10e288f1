"""The open files of the process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def descriptors() -> int:
    """Return the number of open descriptors, without those of epoll objects.

    Epoll objects belong to event loops, which create them when they are first needed.
    """
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("this system does not list open descriptors")
    return sum(target != "anon_inode:[eventpoll]" for target in _targets())


def open_below(folder: Path) -> list[str]:
    """Return the open files in a folder; an empty list on systems without ``/proc/self/fd``."""
    if not os.path.isdir("/proc/self/fd"):
        return []
    prefix = os.path.join(os.path.realpath(folder), "")
    return sorted(path for path in _targets() if path.startswith(prefix))


def _targets() -> list[str]:
    """Return what the open descriptors refer to."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{name}"))
        except OSError:  # the descriptor of the directory listing
            continue
    return found
