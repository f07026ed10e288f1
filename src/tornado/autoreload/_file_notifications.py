"""Notifications of changed files from the operating system, with the package ``watchfiles``.

A notification triggers the same check of all files as polling. Directories are watched rather than files,
because many editors save a file by replacing it with a new one. When a directory is added, all files are
checked, so that earlier changes in it are detected.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
from collections.abc import Callable, Iterable
from typing import Any

from tornado.log import gen_log

# Times in milliseconds: the interval at which the thread checks for new directories and for a request to
# stop; and the arguments ``step`` and ``debounce`` of ``watchfiles``, which determine how long changes are
# collected.
_CHECK_INTERVAL = 1000
_STEP = 10
_DEBOUNCE = 50
# Maximum number of watched directories. On old kernels inotify allows 8192 watches per user.
_MAX_DIRECTORIES = 4000


def directories(files: Iterable[str]) -> list[str]:
    """Return the existing directories that contain the files."""
    found = {os.path.dirname(os.path.abspath(path)) for path in files}
    return sorted(path for path in found if os.path.isdir(path))[:_MAX_DIRECTORIES]


class FileNotifications:
    """A thread that calls a callback when one of the watched files may have changed.

    :param files: a function that returns the current names of the files. It is called in the thread.
    :param callback: a function called in the thread when a file may have changed.
    :param should_run: a function that returns whether to continue. It is called in the thread once per
        second.
    :raises ImportError: if ``watchfiles`` is not installed.
    """

    def __init__(
        self,
        files: Callable[[], Iterable[str]],
        callback: Callable[[], object],
        should_run: Callable[[], bool] = lambda: True,
    ) -> None:
        import watchfiles

        log = logging.getLogger("watchfiles")
        if log.level == logging.NOTSET:
            # watchfiles logs each change in a directory. A log file in that directory would cause an endless
            # loop.
            log.setLevel(logging.WARNING)
        self._watch: Callable[..., Iterable[Any]] = watchfiles.watch
        self._files = files
        self._callback = callback
        self._should_run = should_run
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tornado.autoreload", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()
        # If the thread still runs the extension when the interpreter shuts down, the process crashes.
        atexit.register(self.stop)

    def stop(self) -> None:
        """Stop the thread and wait for it, for at most 5 seconds."""
        self._end.set()
        atexit.unregister(self.stop)
        if self._thread is not threading.current_thread() and self._thread.is_alive():
            self._thread.join(5.0)

    def _run(self) -> None:
        while not self._end.is_set() and self._should_run():
            try:
                self._watch_once()
            except Exception as error:  # too many watches, or a file system that does not support them
                if not self._end.is_set():
                    gen_log.warning("notifications of changed files failed (%s); polling instead", error)
                break
        atexit.unregister(self.stop)

    def _watch_once(self) -> None:
        """Watch the current directories until the set of directories changes."""
        watched = directories(self._files())
        changes = self._watch(
            *watched,
            watch_filter=None,
            debounce=_DEBOUNCE,
            step=_STEP,
            stop_event=self._end,
            rust_timeout=_CHECK_INTERVAL,
            yield_on_timeout=True,
            raise_interrupt=False,
            recursive=False,
        )
        self._callback()  # detects changes made before the watch began
        for change in changes:
            if not self._should_run():
                return
            files = list(self._files())
            if _may_concern(change, files):
                self._callback()
            if directories(files) != watched:
                return


def _may_concern(change: Iterable[tuple[object, str]], files: Iterable[str]) -> bool:
    """Whether a change may affect a watched file.

    Only the last components of the paths are compared, because the operating system may resolve symbolic
    links in directory names.
    """
    names = {os.path.basename(path) for _, path in change}
    return bool(names) and any(os.path.basename(path) in names for path in files)
