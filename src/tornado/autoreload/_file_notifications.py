"""Being told by the operating system that a file has changed, where the package ``watchfiles`` is installed.

It says only when to look; what has changed is found by looking, as by polling. Directories are watched
rather than files, as editors put a new file in the place of the old one. A file in a directory that was not
known before is noticed by the look that comes with its directory.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
from collections.abc import Callable, Iterable
from typing import Any

from tornado.log import gen_log

# Milliseconds: how often the thread looks for modules from new directories and whether it is to end, and how
# long it lets changes gather.
_RENEWAL = 1000
_STEP = 10
_DEBOUNCE = 50
# More directories than programs have; inotify's own limit is 8192 a user on old kernels.
_MOST = 4000


def directories(files: Iterable[str]) -> list[str]:
    """The directories that the files are in, those that there are."""
    found = {os.path.dirname(os.path.abspath(path)) for path in files}
    return sorted(path for path in found if os.path.isdir(path))[:_MOST]


class FileNotifications:
    """A thread that calls back, in itself, when one of the watched files may have changed.

    :param files: gives the files' names, at any time anew.
    :param callback: to be called from the thread.
    :param wanted: whether to go on; asked by the thread, every second.
    :raises ImportError: without ``watchfiles``.
    """

    def __init__(
        self,
        files: Callable[[], Iterable[str]],
        callback: Callable[[], object],
        wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        import watchfiles

        log = logging.getLogger("watchfiles")
        if log.level == logging.NOTSET:
            # It tells of each change in a directory; where the log is a file there, of its own lines too.
            log.setLevel(logging.WARNING)
        self._watch: Callable[..., Iterable[Any]] = watchfiles.watch
        self._files = files
        self._callback = callback
        self._wanted = wanted
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tornado.autoreload", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()
        # A thread that is inside the extension when the interpreter goes away would take it down.
        atexit.register(self.stop)

    def stop(self) -> None:
        """End the thread."""
        self._end.set()
        atexit.unregister(self.stop)
        if self._thread is not threading.current_thread() and self._thread.is_alive():
            self._thread.join(5.0)

    def _run(self) -> None:
        while not self._end.is_set() and self._wanted():
            try:
                self._watch_once()
            except Exception as error:  # too many watches, a file system without them
                if not self._end.is_set():
                    gen_log.warning("no more notices of changed files (%s); they are looked for", error)
                break
        atexit.unregister(self.stop)

    def _watch_once(self) -> None:
        """Watch the directories of now, until there are others."""
        watched = directories(self._files())
        changes = self._watch(
            *watched,
            watch_filter=None,
            debounce=_DEBOUNCE,
            step=_STEP,
            stop_event=self._end,
            rust_timeout=_RENEWAL,
            yield_on_timeout=True,
            raise_interrupt=False,
            recursive=False,
        )
        self._callback()  # what has changed before there was a watch
        for change in changes:
            if not self._wanted():
                return
            files = list(self._files())
            if _concerns(change, files):
                self._callback()
            if directories(files) != watched:
                return


def _concerns(change: Iterable[tuple[object, str]], files: Iterable[str]) -> bool:
    """Whether a watched file may be among what has changed.

    By the last part of the names: how the system calls a directory that links lead to is its own affair.
    """
    names = {os.path.basename(path) for _, path in change}
    return bool(names) and any(os.path.basename(path) in names for path in files)
