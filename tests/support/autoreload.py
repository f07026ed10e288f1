"""The internals of `tornado.autoreload` that tests access."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import Any

from tornado.autoreload._file_notifications import FileNotifications


def thread_of(notifications: Any) -> Thread:
    """Return the thread that waits for changes of files; also that of a `Watcher`."""
    found: Thread = getattr(notifications, "_notifications", notifications)._thread
    return found


def note_handled_changes(notifications: FileNotifications, note: Callable[[], object]) -> None:
    """Call `note` after each set of changes reported by ``watchfiles`` has been handled."""
    watch: Any = notifications._watch

    def noted(*arguments: Any, **options: Any) -> Any:
        for change in watch(*arguments, **options):
            yield change
            if change:
                note()

    notifications._watch = noted
