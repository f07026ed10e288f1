from __future__ import annotations

import tornado._serve.option_types
from tornado._serve.program_error import ProgramError, only_frames_of_ours, program_traceback


def failing():
    raise OSError("no disk")


def caught(function, *arguments):
    try:
        function(*arguments)
    except Exception as error:
        return error
    raise AssertionError


def test_report_without_a_cause_is_the_message():
    assert ProgramError("cannot load").report() == "cannot load\n"


def test_report_ends_with_the_message():
    report = ProgramError("cannot load", caught(failing)).report()
    assert report.startswith("Traceback (most recent call last):\n")
    assert report.endswith("OSError: no disk\ncannot load\n")


def test_frames_of_the_package_are_removed_only_at_the_start():
    # Its last frame is in the package, as if the program had called it.
    error = caught(lambda: tornado._serve.option_types.BIND.parse(":x"))
    text = program_traceback(error)
    assert text.index("test_program_error.py") < text.index("bind.py")
    assert not only_frames_of_ours(error.__traceback__)
    error.__traceback__ = error.__traceback__.tb_next.tb_next
    assert "bind.py" not in program_traceback(error)
    assert only_frames_of_ours(error.__traceback__)


def test_frames_of_causes_are_removed_as_well():
    def raise_from(cause):
        raise ValueError("outer") from cause

    inner = caught(tornado._serve.option_types.BIND.parse, ":x")
    text = program_traceback(caught(raise_from, inner))
    assert "the number must be from" in text
    assert "The above exception was the direct cause" in text
