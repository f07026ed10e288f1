"""The open files of the process."""

from __future__ import annotations

import os
from pathlib import Path


def open_below(folder: Path) -> list[str]:
    """Return the open files in a folder; an empty list on systems without ``/proc/self/fd``."""
    if not os.path.isdir("/proc/self/fd"):
        return []
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{name}"))
        except OSError:  # the descriptor of the directory listing
            continue
    prefix = os.path.join(os.path.realpath(folder), "")
    return sorted(path for path in found if path.startswith(prefix))
