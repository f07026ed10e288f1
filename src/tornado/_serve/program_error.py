"""Errors of the program, and their tracebacks without the frames of the command that has loaded it."""

from __future__ import annotations

import os
import traceback
from types import TracebackType

_HERE = os.path.dirname(os.path.abspath(__file__))
_IMPORT_MACHINERY = "<frozen importlib"


class ProgramError(Exception):
    """The program cannot be loaded or started.

    The text is for the user: it says what failed. `report` adds the program's traceback.
    """

    def __init__(self, message: str, cause: BaseException | None = None) -> None:
        super().__init__(message)
        self.cause = cause

    def report(self) -> str:
        """Return the text to print: the traceback of the program's own frames, if any, and the message."""
        if self.cause is None:
            return f"{self}\n"
        return f"{program_traceback(self.cause)}{self}\n"


def program_traceback(error: BaseException) -> str:
    """Return the traceback of an error, as Python prints it, without this package's frames.

    Only the first frames are removed, up to the program's first one. Frames of Python's import system are
    removed everywhere, as Python itself does.
    """
    shown = traceback.TracebackException.from_exception(error)
    _remove_frames(shown)
    return "".join(shown.format())


def _remove_frames(shown: traceback.TracebackException) -> None:
    frames = list(shown.stack)
    while frames and _is_ours(frames[0]):
        del frames[0]
    shown.stack[:] = [frame for frame in frames if not frame.filename.startswith(_IMPORT_MACHINERY)]
    for linked in (shown.__cause__, shown.__context__):
        if linked is not None:
            _remove_frames(linked)


def _is_ours(frame: traceback.FrameSummary) -> bool:
    name = frame.filename
    if name.startswith((_HERE + os.sep, _IMPORT_MACHINERY)):
        return True
    # Frames between this package and the program: importlib, the event loop.
    return "tornado" not in name and f"{os.sep}importlib{os.sep}" in name


def only_frames_of_ours(trace: TracebackType | None) -> bool:
    """Whether a traceback has no frame of the program."""
    return all(_is_ours(frame) for frame in traceback.extract_tb(trace))


__all__ = ["ProgramError", "only_frames_of_ours", "program_traceback"]
