"""The files that a program is made of: which they are, which have changed, and whether they compile."""

from __future__ import annotations

import os
import sys
import traceback
import types
from collections.abc import Mapping

#: Time of the last modification in nanoseconds, and size.
Stamp = tuple[int, int]

#: Files to watch beside the imported modules, by their full paths; see `add`.
extra: set[str] = set()
#: Those of them that were not there when they were added; see `expect`.
expected: set[str] = set()


def add(path: str) -> None:
    """Have a file watched. A relative path is meant from where the program is now: it may go elsewhere."""
    extra.add(os.path.abspath(path))


def expect(path: str) -> None:
    """Have a file watched that may be missing: its appearance is a change, however old the file is."""
    add(path)
    if not os.path.exists(path):
        expected.add(os.path.abspath(path))


def expect_module(name: str) -> None:
    """The same for the files that a module may be in which could not be imported."""
    package, _, last = name.rpartition(".")
    roots = getattr(sys.modules.get(package), "__path__", None)
    if roots is None:
        roots = [os.path.join(root, *package.split(".")) for root in sys.path]
    for root in roots:
        for file in (f"{last}.py", f"{last}/__init__.py", f"{last}/__main__.py"):
            expect(os.path.join(root, file))


def source_files() -> list[str]:
    """The files of all modules imported so far, and `extra`."""
    files = set(extra)
    for module in list(sys.modules.values()):
        # Other things are put among the modules, and may answer to any attribute.
        path = module.__dict__.get("__file__") if isinstance(module, types.ModuleType) else None
        if isinstance(path, str):
            source = path[:-1] if path.endswith((".pyc", ".pyo")) else path
            # A relative one is the program that `runpy` runs: it is in `extra` by its full path.
            files.add(source if os.path.isabs(source) else os.path.abspath(source))
    return sorted(files)


def stamp_of(path: str) -> Stamp | None:
    """What changes when the file does; None where there is no such file."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return (status.st_mtime_ns, status.st_size)


def error_in(path: str) -> str | None:
    """What the interpreter says of a file of Python that is not valid; None where it is, or is none."""
    if not path.endswith(".py"):
        return None
    try:
        with open(path, "rb") as file:
            source = file.read()
    except OSError:
        return None  # gone again; its next appearance has another time
    try:
        compile(source, path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        told = "".join(traceback.format_exception_only(error)).rstrip()
        return told if path in told else f'  File "{path}"\n{told}'
    return None


class Files:
    """What was last seen of each file, and those that have been saved with an error in them.

    :param seen: stamps by path of files that are known already, as the program before this one saw them: a
        file that was saved while this one was starting has changed since.
    :param since: a time in nanoseconds. A file that is seen for the first time and was saved later has
        changed.
    """

    def __init__(self, seen: Mapping[str, Stamp] | None = None, since: int | None = None) -> None:
        self._seen: dict[str, Stamp] = dict(seen or {})
        self._since = since
        #: Path to what is wrong there.
        self.broken: dict[str, str] = {}

    def look(self) -> list[str]:
        """The files that have changed since the last look. One that is seen for the first time has not."""
        changed = []
        for path in source_files():
            stamp = stamp_of(path)
            if stamp is None:
                continue  # not a file, or being replaced just now
            before = self._seen.get(path)
            self._seen[path] = stamp
            late = before is None and (
                path in expected or (self._since is not None and stamp[0] > self._since)
            )
            if late or (before is not None and before != stamp):
                changed.append(path)
        return changed

    def check(self, changed: list[str]) -> list[str]:
        """Compile what has changed, and note what does not compile.

        :returns: the files among these with an error.
        """
        for path in [path for path in self.broken if stamp_of(path) is None]:
            del self.broken[path]  # it was removed
        wrong = []
        for path in changed:
            error = error_in(path)
            if error is None:
                self.broken.pop(path, None)
            else:
                self.broken[path] = error
                wrong.append(path)
        return wrong

    def stamps(self, paths: list[str]) -> dict[str, Stamp]:
        """The stamps of these, for the program that comes after this one."""
        return {path: self._seen[path] for path in paths if path in self._seen}


def seen_before(value: object) -> dict[str, Stamp]:
    """`Files.stamps` of the program before this one, as it has come here; empty where it is none."""
    if not isinstance(value, dict):
        return {}
    found: dict[str, Stamp] = {}
    for path, stamp in value.items():
        if isinstance(stamp, (list, tuple)) and len(stamp) == 2:
            found[str(path)] = (int(stamp[0]), int(stamp[1]))
    return found
