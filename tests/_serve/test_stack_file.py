"""The file in memory for the stacks of a worker."""

from __future__ import annotations

import contextlib
import faulthandler
import os

from tornado._serve.stack_file import StackFile


def test_stacks_are_read_once_and_printable():
    with contextlib.closing(StackFile()) as file:
        assert file.read() == ""
        for _ in range(2):
            faulthandler.dump_traceback(file.fileno())
            os.write(file.fileno(), b"\x1b[2J\xff")
            text = file.read()
            assert "most recent call first" in text
            assert text.endswith("\n\\x1b[2J\\xff")
            assert file.read() == ""


def test_size_of_a_record_is_limited():
    with contextlib.closing(StackFile()) as file:
        os.write(file.fileno(), b"x" * 10**6)
        assert len(file.read()) == 256 * 1024
        assert file.read() == ""


def test_closed_file_is_empty():
    file = StackFile()
    file.close()
    file.close()
    assert file.fileno() == -1
    assert file.read() == ""
