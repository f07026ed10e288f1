"""The public functions of autoreload, and notifications from the operating system."""

from __future__ import annotations

import asyncio
import logging
import os
import threading

import pytest

from tests.autoreload.test_live import need_watchfiles
from tests.support.autoreload import note_handled_changes, thread_of
from tornado import autoreload, ioloop
from tornado.autoreload import _files, _watcher
from tornado.autoreload._file_notifications import FileNotifications, directories


@pytest.fixture(autouse=True)
def watchers(monkeypatch):
    """Return the watchers that the test creates. They are fakes that do not watch files."""
    made = []

    class Watcher:
        def __init__(self, loop, check_time, drain_time):
            self.arguments = (check_time, drain_time)
            self.started = self.stopped = False
            made.append(self)

        def start(self):
            self.started = True

        def stop(self):
            self.stopped = True

    monkeypatch.setattr(autoreload, "Watcher", Watcher)
    monkeypatch.setattr(autoreload, "_watchers", {})
    monkeypatch.setattr(autoreload, "_pending_start", [])
    monkeypatch.setattr(ioloop, "new_loop_callbacks", [])
    return made


async def test_starting_twice_watches_once(watchers):
    autoreload.start(check_time=100)
    autoreload.start(check_time=200, drain_time=1)
    assert [each.arguments for each in watchers] == [(100, _watcher.DRAIN_TIME)]
    await asyncio.sleep(0)
    assert watchers[0].started


def test_start_before_there_is_a_loop(watchers, monkeypatch):
    """No loop is created, so that the program may fork before it creates one."""
    monkeypatch.setattr(autoreload, "_has_loop", lambda: False)
    autoreload.start(100)
    autoreload.start(200, drain_time=1)
    assert watchers == []

    async def main():
        ioloop.IOLoop.current()
        while not (watchers and watchers[-1].started):
            await asyncio.sleep(0)

    asyncio.run(main())
    assert [each.arguments for each in watchers] == [(200, 1)]
    asyncio.run(main())  # the first loop has been closed
    assert len(watchers) == 2
    assert watchers[0].stopped
    assert watchers[1].started


async def test_second_loop_logs_a_warning(watchers, expect_log):
    autoreload.start()
    other = ioloop.IOLoop(make_current=False)
    with expect_log("tornado.general", "more than one IOLoop"):
        autoreload._start_on(other, 100, 1)
    other.close()


@pytest.mark.parametrize("arguments", [{"check_time": 0}, {"check_time": float("nan")}, {"drain_time": -1}])
async def test_arguments_out_of_range(arguments):
    with pytest.raises(ValueError, match=f"autoreload: {next(iter(arguments))}"):
        autoreload.start(**arguments)


async def test_problems_are_those_of_broken_files(monkeypatch, tmp_path):
    autoreload.start()
    [watcher] = autoreload._watchers.values()
    watcher.files = _files.SourceFiles()
    assert autoreload.problems() == []
    watcher.files.broken["a.py"] = "what is wrong"
    assert autoreload.problems() == ["what is wrong"]


def test_watch_adds_a_file(monkeypatch):
    monkeypatch.setattr(_files, "extra", set())
    autoreload.watch("a.html")
    autoreload.watch("/b.html")
    assert {os.path.abspath("a.html"), "/b.html"} <= set(_files.source_files())


def test_relative_path_is_resolved_immediately(monkeypatch, tmp_path):
    monkeypatch.setattr(_files, "extra", set())
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf.ini").write_text("1")
    autoreload.watch("conf.ini")
    files = _files.SourceFiles()
    files.find_changes()
    monkeypatch.chdir("/")
    (tmp_path / "conf.ini").write_text("another")
    assert files.find_changes() == [str(tmp_path / "conf.ini")]


# -- notifications from the operating system --


def test_directories_of_files_exist_and_are_unique(tmp_path):
    here = os.path.relpath(tmp_path / "a.py")
    assert directories([here, str(tmp_path / "b.py"), "/no/such/place/c.py"]) == [str(tmp_path)]


def test_notifications_of_files_and_of_new_directories(tmp_path):
    need_watchfiles()
    notified = threading.Semaphore(0)
    files = [str(tmp_path / "a" / "a.py")]
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    notifications = FileNotifications(lambda: files, notified.release)
    notifications.start()
    assert notified.acquire(timeout=20)  # the watch has started
    (tmp_path / "a" / "a.py").write_text("x")
    assert notified.acquire(timeout=20)
    files.append(str(tmp_path / "b" / "b.py"))
    assert notified.acquire(timeout=20)  # the new directory is watched
    notifications.stop()
    assert not thread_of(notifications).is_alive()


class CountingCallback(threading.Semaphore):
    """A callback that counts its calls."""

    def __init__(self):
        super().__init__(0)
        self.count = 0

    def __call__(self):
        self.count += 1
        self.release()


def test_changes_of_unwatched_files_are_ignored(tmp_path, expect_log):
    """One such file is the program's log file: watchfiles logs each change, which would change the log file
    again.
    """
    need_watchfiles()
    notified = CountingCallback()
    notifications = FileNotifications(lambda: [str(tmp_path / "a.py")], notified)
    seen = threading.Semaphore(0)
    note_handled_changes(notifications, seen.release)
    notifications.start()
    assert notified.acquire(timeout=20)
    (tmp_path / "server.log").write_text("x")
    assert seen.acquire(timeout=20)  # the change was reported and handled
    assert notified.count == 1
    (tmp_path / "a.py").write_text("x")
    assert notified.acquire(timeout=20)
    notifications.stop()


def test_watchfiles_does_not_log_changes(monkeypatch):
    need_watchfiles()
    log = logging.getLogger("watchfiles")
    monkeypatch.setattr(log, "level", logging.NOTSET)
    FileNotifications(list, print)
    assert log.level == logging.WARNING
    log.setLevel(logging.DEBUG)  # a level that the program has set does not change
    FileNotifications(list, print)
    assert log.level == logging.DEBUG


def test_notifications_stop_with_the_loop(monkeypatch, tmp_path):
    """`asyncio.run` closes the loop without a notification."""
    need_watchfiles()
    monkeypatch.setattr(_watcher, "source_files", lambda: [str(tmp_path / "a.py")])

    async def main():
        watcher = _watcher.Watcher(ioloop.IOLoop.current(), 1000, 1)
        watcher.start()
        return thread_of(watcher)

    thread = asyncio.run(main())
    thread.join(20)
    assert not thread.is_alive()


def test_failure_of_notifications_is_logged(expect_log):
    need_watchfiles()

    def fail():
        raise OSError("no more watches")

    notifications = FileNotifications(fail, lambda: None)
    with expect_log("tornado.general", "notifications of changed files failed .no more watches."):
        notifications.start()
        thread_of(notifications).join(20)
    notifications.stop()
