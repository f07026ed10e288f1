"""`LogWriter`: lines are neither lost nor torn, and writing them never waits."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.support.server import ExpectLog
from tests.support.threads import in_threads
from tornado.web._observation import _log_writer
from tornado.web._observation._log_writer import LogWriter

FULL = Path("/dev/full")


@pytest.fixture(autouse=True)
def short_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_log_writer, "_INTERVAL", 0.001)
    monkeypatch.setattr(_log_writer, "_RETRY_INTERVAL", 0.001)


def lines(count: int, name: str = "line") -> list[str]:
    return [f"{name} {number}\n" for number in range(count)]


def test_burst_is_written_completely_and_in_order(tmp_path: Path) -> None:
    path = tmp_path / "log"
    writer = LogWriter(str(path))
    for line in lines(200_000):
        writer.write(line)
    writer.close(60)
    assert path.read_text() == "".join(lines(200_000))
    assert writer.lost == 0


def test_close_between_two_writes_ends_the_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread must not miss a `close` between the end of an interval and its next wait."""
    reached, released = threading.Event(), threading.Event()
    calls = threading.Semaphore(0)

    class Event(threading.Event):
        def clear(self) -> None:
            if threading.current_thread().name == "tornado access log":
                reached.set()
                released.wait()
            super().clear()

        def set(self) -> None:
            super().set()
            calls.release()

    before = set(threading.enumerate())  # with those of applications in other tests
    with monkeypatch.context() as patch:
        patch.setattr(threading, "Event", Event)
        writer = LogWriter(str(tmp_path / "log"))
    writer.write("line\n")
    calls.acquire()
    reached.wait()
    closing = threading.Thread(target=writer.close)
    closing.start()
    for _ in range(2):
        calls.acquire()
    released.set()
    closing.join()
    assert (tmp_path / "log").read_text() == "line\n"
    assert set(threading.enumerate()) <= before


def test_writer_can_be_used_again_after_close(tmp_path: Path) -> None:
    path = tmp_path / "log"
    writer = LogWriter(str(path))
    for _ in range(3):
        writer.write("line\n")
        writer.close()
        writer.close()
    assert path.read_text() == "line\n" * 3


def test_file_is_opened_again_after_rotation(tmp_path: Path) -> None:
    path, old = tmp_path / "log", tmp_path / "log.1"
    writer = LogWriter(str(path))
    writer.write("first\n")
    wait_for(path, "first\n")
    path.rename(old)
    writer.write("second\n")
    wait_for(path, "second\n")
    path.unlink()
    writer.write("third\n")
    wait_for(path, "third\n")
    writer.close()
    assert old.read_text() == "first\n"


def wait_for(path: Path, text: str) -> None:
    """Wait until a file has this content."""
    changed = threading.Event()
    while not (path.exists() and path.read_text() == text):
        changed.wait(0.001)


def test_blocked_file_delays_no_line_and_loss_is_reported(tmp_path: Path, expect_log: ExpectLog) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    writer = LogWriter(str(path), max_pending=100_000)
    with expect_log("tornado.general", r"access log .*: \d+ lines were lost|access log .*: lines are lost"):
        # The pipe holds 64 KiB, and nothing reads it.
        with expect_log("tornado.general", "access log .*: lines are lost"):
            for line in lines(50_000):
                writer.write(line)
        assert 0 < writer.lost < 50_000
        select.select([reader], [], [])
        os.set_blocking(reader, True)
        received: list[bytes] = []
        thread = threading.Thread(target=lambda: received.extend(iter(lambda: os.read(reader, 65536), b"")))
        thread.start()
        writer.close(60)
        thread.join()
    os.close(reader)
    found = b"".join(received).decode().splitlines(keepends=True)
    assert len(found) + writer.lost == 50_000
    # All lines that were accepted have arrived whole and in order.
    assert found == sorted(found, key=lambda line: int(line.split()[1]))
    assert set(found) <= set(lines(50_000))


@pytest.mark.skipif(not FULL.exists(), reason="requires /dev/full")
def test_lines_for_a_full_disk_are_kept_until_there_is_space(tmp_path: Path, expect_log: ExpectLog) -> None:
    path, target = tmp_path / "log", tmp_path / "file"
    path.symlink_to(FULL)
    failed = threading.Event()
    writer = LogWriter(str(path))
    with expect_log(
        "tornado.general", "cannot be written, trying again: .*No space left on device"
    ) as expected:
        for line in lines(10):
            writer.write(line)
        while not expected.records:
            failed.wait(0.001)
        replacement = tmp_path / "replacement"
        replacement.symlink_to(target)
        replacement.replace(path)
        writer.write("last\n")
        wait_for(target, "".join(lines(10)) + "last\n")
    writer.close()
    assert writer.lost == 0


@pytest.mark.skipif(not FULL.exists(), reason="requires /dev/full")
def test_memory_for_a_full_disk_is_bounded(expect_log: ExpectLog) -> None:
    writer = LogWriter(str(FULL), max_pending=1000)
    with expect_log("tornado.general", "cannot be written|lines were lost|lines are lost"):
        for line in lines(1000):
            writer.write(line)
        writer.close()
    assert writer.lost == 1000


def test_directory_that_does_not_exist_is_reported(tmp_path: Path, expect_log: ExpectLog) -> None:
    writer = LogWriter(str(tmp_path / "missing" / "log"))
    with expect_log("tornado.general", "cannot be written.*No such file|1 lines were lost"):
        writer.write("line\n")
        writer.close()


PROCESSES = """
import os, sys
from tornado.web._observation._log_writer import LogWriter
writer = LogWriter(sys.argv[1])
writer.write("parent\\n")
children = []
for name in "ab":
    pid = os.fork()
    if not pid:
        for number in range(20_000):
            writer.write(f"{name} {number} {'x' * 50}\\n")
        sys.exit()
    children.append(pid)
for pid in children:
    os.waitpid(pid, 0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="requires fork")
def test_processes_share_a_file_and_write_their_lines_at_exit(tmp_path: Path) -> None:
    path = tmp_path / "log"
    subprocess.run([sys.executable, "-W", "ignore", "-c", PROCESSES, str(path)], check=True, timeout=60)
    found = path.read_text().splitlines(keepends=True)
    assert found.count("parent\n") == 1
    for name in "ab":
        own = [line for line in found if line.startswith(f"{name} ")]
        assert own == [f"{name} {number} {'x' * 50}\n" for number in range(20_000)]


def test_standard_output_is_used_without_a_path() -> None:
    program = """
from tornado.web._observation._log_writer import LogWriter
LogWriter().write("line \\u20ac\\n")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, timeout=60)
    assert done.stdout.decode() == "line \u20ac\n"
    assert done.stderr == b""


def test_line_that_arrives_while_a_batch_is_taken_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log"
    writer = LogWriter(str(path))
    late = lines(3, "late")

    class BatchSize:
        def __index__(self) -> int:
            if late:
                writer.write(late.pop(0))
            return 4096

    monkeypatch.setattr(_log_writer, "_MAX_BATCH", BatchSize())
    writer.write("first\n")
    writer.close(60)
    written = path.read_text().splitlines(keepends=True)
    assert written == ["first\n", *lines(3 - len(late), "late")]


def test_lines_of_several_threads_are_written_once(tmp_path: Path) -> None:
    path = tmp_path / "log"
    writer = LogWriter(str(path))

    def write(number: int) -> None:
        for line in lines(5000, f"thread {number}"):
            writer.write(line)

    in_threads(write)
    writer.close(60)
    expected = [line for number in range(4) for line in lines(5000, f"thread {number}")]
    assert sorted(path.read_text().splitlines(keepends=True)) == sorted(expected)
    assert writer.lost == 0
