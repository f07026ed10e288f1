"""The source files of a program: their names, which of them have changed, and whether they compile."""

from __future__ import annotations

import os
import sys
import traceback
import types
from collections.abc import Mapping

#: Modification time in nanoseconds, and size in bytes.
Stamp = tuple[int, int]

#: Absolute paths of files to watch in addition to the imported modules; see `add`.
extra: set[str] = set()
#: The paths in `extra` that did not exist when they were added; see `expect`.
expected: set[str] = set()


def add(path: str) -> None:
    """Watch a file. A relative path is resolved immediately, because the program may change its directory."""
    extra.add(os.path.abspath(path))


def expect(path: str) -> None:
    """Watch a file that may not exist. Its creation is a change, regardless of its modification time."""
    add(path)
    if not os.path.exists(path):
        expected.add(os.path.abspath(path))


def expect_module(name: str) -> None:
    """Watch the files in which a module that could not be imported may appear."""
    package, _, last = name.rpartition(".")
    roots = getattr(sys.modules.get(package), "__path__", None)
    if roots is None:
        roots = [os.path.join(root, *package.split(".")) for root in sys.path]
    for root in roots:
        for file in (f"{last}.py", f"{last}/__init__.py", f"{last}/__main__.py"):
            expect(os.path.join(root, file))


def source_files() -> list[str]:
    """Return the files of all modules imported so far, and those in `extra`."""
    files = set(extra)
    for module in list(sys.modules.values()):
        # Programs put other objects into sys.modules, which may have any attribute.
        path = module.__dict__.get("__file__") if isinstance(module, types.ModuleType) else None
        if isinstance(path, str):
            source = path[:-1] if path.endswith((".pyc", ".pyo")) else path
            # A relative path belongs to the program that `runpy` runs. `extra` contains the absolute path.
            files.add(source if os.path.isabs(source) else os.path.abspath(source))
    return sorted(files)


def get_stamp(path: str) -> Stamp | None:
    """Return the modification time and size of a file, None if it does not exist."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return (status.st_mtime_ns, status.st_size)


def error_in(path: str) -> str | None:
    """Return the interpreter's error message for an invalid Python file, None for all other files."""
    if not path.endswith(".py"):
        return None
    try:
        with open(path, "rb") as file:
            source = file.read()
    except OSError:
        return None  # the file was removed; if it is created again, its modification time differs
    try:
        compile(source, path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        message = "".join(traceback.format_exception_only(error)).rstrip()
        return message if path in message else f'  File "{path}"\n{message}'
    return None


class SourceFiles:
    """The last known stamp of each file, and the files that have an error.

    :param seen: stamps by path, from the previous program in this process. They detect files that changed
        while this program was starting.
    :param since: a time in nanoseconds. A file that has no known stamp and was modified after this time
        counts as changed.
    """

    def __init__(self, seen: Mapping[str, Stamp] | None = None, since: int | None = None) -> None:
        self._seen: dict[str, Stamp] = dict(seen or {})
        self._since = since
        #: Error messages by path.
        self.broken: dict[str, str] = {}

    def find_changes(self) -> list[str]:
        """Return the files that have changed since the last call.

        A file without a known stamp counts as unchanged, except as described at `expect` and `since`.
        """
        changed = []
        for path in source_files():
            stamp = get_stamp(path)
            if stamp is None:
                continue  # the path is not a file, or the file is being replaced
            before = self._seen.get(path)
            self._seen[path] = stamp
            appeared = before is None and (
                path in expected or (self._since is not None and stamp[0] > self._since)
            )
            if appeared or (before is not None and before != stamp):
                changed.append(path)
        return changed

    def check(self, changed: list[str]) -> list[str]:
        """Compile the changed files, and update `broken`.

        :returns: the changed files that have an error.
        """
        for path in [path for path in self.broken if get_stamp(path) is None]:
            del self.broken[path]  # the file was removed
        invalid = []
        for path in changed:
            error = error_in(path)
            if error is None:
                self.broken.pop(path, None)
            else:
                self.broken[path] = error
                invalid.append(path)
        return invalid

    def stamps(self, paths: list[str]) -> dict[str, Stamp]:
        """Return the stamps of these files, for the next program in this process."""
        return {path: self._seen[path] for path in paths if path in self._seen}


def parse_stamps(value: object) -> dict[str, Stamp]:
    """Parse the stamps that the previous program has passed on as JSON; see `SourceFiles.stamps`.

    :returns: an empty dictionary if `value` is not valid.
    """
    if not isinstance(value, dict):
        return {}
    found: dict[str, Stamp] = {}
    for path, stamp in value.items():
        if isinstance(stamp, (list, tuple)) and len(stamp) == 2:
            found[str(path)] = (int(stamp[0]), int(stamp[1]))
    return found
