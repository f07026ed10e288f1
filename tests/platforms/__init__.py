"""Checks of platforms that this machine is not: macOS and Windows, emulated in separate processes."""

from __future__ import annotations

from pathlib import Path

#: The program that runs another one as on `PLATFORMS`.
EMULATION = str(Path(__file__).parent / "emulation.py")
PLATFORMS = ("darwin", "win32")
