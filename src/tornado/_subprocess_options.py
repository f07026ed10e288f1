"""The type of the keyword arguments of `tornado.process.Subprocess`.

It is intended for type checkers. At run time the module is imported only if a program uses the class.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import IO, Any, TypedDict

from tornado._public_module_names import export

_Path = str | bytes | os.PathLike[str] | os.PathLike[bytes]


class SubprocessOptions(TypedDict, total=False):
    """Keyword arguments of `.Subprocess` other than the first three, as for `subprocess.Popen`."""

    # The type includes `object` because Subprocess.STREAM is a plain object.
    stdin: int | IO[Any] | object | None
    stdout: int | IO[Any] | object | None
    stderr: int | IO[Any] | object | None
    preexec_fn: Callable[[], object] | None
    close_fds: bool
    shell: bool
    cwd: _Path | None
    env: Mapping[str, str] | Mapping[bytes, bytes] | None
    universal_newlines: bool | None
    startupinfo: Any
    creationflags: int
    restore_signals: bool
    start_new_session: bool
    pass_fds: Collection[int]
    user: str | int | None
    group: str | int | None
    extra_groups: Iterable[str | int] | None
    encoding: str | None
    errors: str | None
    text: bool | None
    umask: int
    pipesize: int
    process_group: int | None


__all__ = ["SubprocessOptions"]

export(globals(), module="tornado.process")
