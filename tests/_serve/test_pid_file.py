"""The PID file and its lock."""

from __future__ import annotations

import os

import pytest

from tornado._serve.pid_file import PidFile, PidFileError


def test_file_contains_the_process_and_is_removed(tmp_path):
    path = tmp_path / "pid"
    file = PidFile(str(path))
    assert path.read_text() == f"{os.getpid()}\n"
    file.remove()
    file.remove()
    assert not path.exists()


def test_file_that_a_killed_process_has_left_is_replaced(tmp_path):
    path = tmp_path / "pid"
    path.write_text("1\n" * 20)
    file = PidFile(str(path))
    assert path.read_text() == f"{os.getpid()}\n"
    file.remove()


def test_locked_file_names_its_process(tmp_path):
    file = PidFile(str(tmp_path / "pid"))
    with pytest.raises(PidFileError, match=f"in use by process {os.getpid()}; stop that process, or choose"):
        PidFile(str(tmp_path / "pid"))
    file.remove()


def test_file_of_another_process_is_not_removed(tmp_path):
    path = tmp_path / "pid"
    first = PidFile(str(path))
    path.rename(tmp_path / "old")
    second = PidFile(str(path))
    first.remove()
    assert path.exists()
    second.remove()


def test_path_is_resolved_before_the_directory_changes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = PidFile("pid")
    monkeypatch.chdir("/")
    file.remove()
    assert not (tmp_path / "pid").exists()


def test_file_that_cannot_be_opened(tmp_path):
    with pytest.raises(PidFileError, match=r"cannot open the PID file '.*': No such file.*--pid-file"):
        PidFile(str(tmp_path / "nowhere" / "pid"))


def test_descriptor_of_the_previous_program_keeps_the_lock(tmp_path):
    path = str(tmp_path / "pid")
    first = PidFile(path)
    second = PidFile(path, first.descriptor)
    with pytest.raises(PidFileError):
        PidFile(path)
    second.remove()
