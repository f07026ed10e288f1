"""The log format, and the handlers that the options ask for."""

from __future__ import annotations

import logging
import logging.handlers
import sys
import time
from types import ModuleType, SimpleNamespace

import pytest

from tornado import log
from tornado.log import LogFormatter, define_logging_options, enable_pretty_logging
from tornado.options import OptionParser

TIME = 1_600_000_000.25


def record(message, *args, level=logging.INFO, exc_info=None, created=TIME):
    made = logging.LogRecord("name", level, "/path/module.py", 12, message, args, exc_info)
    made.created = created
    return made


@pytest.fixture
def formatter():
    made = LogFormatter(color=False)
    made.converter = time.gmtime
    return made


PREFIX = "[I 200913 12:26:40 module:12] "


def test_the_loggers():
    names = [each.name for each in (log.access_log, log.app_log, log.gen_log)]
    assert names == ["tornado.access", "tornado.application", "tornado.general"]


@pytest.mark.parametrize(
    ("message", "args", "expected"),
    [
        ("hello %s", ("x",), "hello x"),
        ("é\u20ac", (), "é\u20ac"),
        (b"\xc3\xa9", (), "b'\\xc3\\xa9'"),
        ("%s", (b"\xe9",), "b'\\xe9'"),
        ({"a": 1}, (), "{'a': 1}"),
        ("two\nlines\n[I 200913 forged]", (), "two\n    lines\n    [I 200913 forged]"),
    ],
)
def test_lines(formatter, message, args, expected):
    assert formatter.format(record(message, *args)) == PREFIX + expected


def test_messages_that_are_bytes(formatter):
    made = record("")
    for message, expected in ((b"\xc3\xa9", "é"), (b"\xe9", "b'\\xe9'")):
        made.getMessage = lambda message=message: message
        assert formatter.format(made) == PREFIX + expected


def test_a_message_that_cannot_be_formatted(formatter):
    text = formatter.format(record("%d", "x"))
    assert text.startswith(PREFIX + "Bad message (TypeError(")
    assert "'msg': '%d'" in text


def test_exceptions_and_stacks_are_indented(formatter):
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        made = record("failed\n", exc_info=sys.exc_info())
    made.stack_info = "Stack:\n  here"
    lines = formatter.format(made).splitlines()
    assert lines[0] == PREFIX + "failed"
    assert lines[1] == "    Traceback (most recent call last):"
    assert lines[-4:] == ["    ValueError: first", "    second", "    Stack:", "      here"]


def test_colors_by_level(formatter):
    formatter._colors = {logging.ERROR: "<red>"}
    formatter._normal = "<normal>"
    assert formatter.format(record("x", level=logging.ERROR)).startswith(
        "<red>[E 200913 12:26:40 module:12]<normal> x"
    )
    assert formatter.format(record("x")) == PREFIX + "x"


def test_the_time_is_formatted_once_a_second(formatter, monkeypatch):
    calls = []
    strftime = time.strftime
    monkeypatch.setattr(time, "strftime", lambda *args: calls.append(args) or strftime(*args))
    for created in (TIME, TIME + 0.7, TIME + 0.75, TIME + 1, TIME):
        formatter.format(record("x", created=created))
    assert len(calls) == 3
    assert formatter.formatTime(record("x", created=TIME + 61), "%M") == "27"
    assert formatter.formatTime(record("x"), None).startswith("2020-09-13 12:26:40,")


def test_other_styles():
    assert LogFormatter("{levelname}|{message}", style="{", color=False).format(record("x")) == "INFO|x"
    assert LogFormatter("no fields at all", color=False).format(record("x")) == "no fields at all"


class Terminal:
    def isatty(self):
        return True


def terminal(monkeypatch, curses, colorama=None):
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(log, "curses", curses)
    monkeypatch.setattr(log, "colorama", colorama)
    return LogFormatter(colors={logging.INFO: 2})


def test_colors_of_the_terminal(monkeypatch):
    curses = SimpleNamespace(
        setupterm=lambda: None,
        tigetnum=lambda name: 8,
        tigetstr=lambda name: {"setf": b"color", "sgr0": b"normal"}.get(name),
        tparm=lambda start, number: start + b"%d" % number,
    )
    formatter = terminal(monkeypatch, curses)
    assert (formatter._colors, formatter._normal) == ({logging.INFO: "color2"}, "normal")


def test_a_terminal_without_colors(monkeypatch):
    curses = SimpleNamespace(setupterm=lambda: None, tigetnum=lambda name: -1)
    assert terminal(monkeypatch, curses)._colors == {}

    def fail():
        raise OSError("no such terminal")

    assert terminal(monkeypatch, SimpleNamespace(setupterm=fail))._colors == {}


def test_colors_of_colorama(monkeypatch):
    colorama = ModuleType("colorama")
    colorama.initialise = SimpleNamespace(wrapped_stderr=None)  # type: ignore[attr-defined]
    assert terminal(monkeypatch, None, colorama)._colors == {}
    colorama.initialise.wrapped_stderr = stderr = Terminal()  # type: ignore[attr-defined]
    monkeypatch.setattr(log, "_stderr_supports_color", log._stderr_supports_color)
    monkeypatch.setattr(sys, "stderr", stderr)
    formatter = LogFormatter(colors={logging.INFO: 2})
    assert formatter._colors == {logging.INFO: "\x1b[2;32m"}


def test_no_terminal_at_all(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    assert not log._stderr_supports_color()
    assert log._optional("no_such_module_anywhere") is None


# --- handlers ---


@pytest.fixture
def logger():
    made = logging.Logger("of this test")  # noqa: LOG001 - one that no other test can reach
    yield made
    for handler in made.handlers:
        handler.close()


@pytest.fixture
def options():
    parser = OptionParser()
    define_logging_options(parser)
    return parser


def kinds(logger):
    return [type(handler) for handler in logger.handlers]


def test_standard_error_by_default(options, logger):
    enable_pretty_logging(options, logger)
    assert kinds(logger) == [logging.StreamHandler]
    assert logger.level == logging.INFO
    assert isinstance(logger.handlers[0].formatter, LogFormatter)


def test_not_where_there_is_a_handler(options, logger):
    logger.addHandler(logging.NullHandler())
    enable_pretty_logging(options, logger)
    assert kinds(logger) == [logging.NullHandler]
    options.log_to_stderr = True
    enable_pretty_logging(options, logger)
    assert kinds(logger) == [logging.NullHandler, logging.StreamHandler]


@pytest.mark.parametrize("level", ["none", "None", None])
def test_nothing_at_all(options, logger, level):
    options.logging = level
    enable_pretty_logging(options, logger)
    assert (kinds(logger), logger.level) == ([], 0)


def test_a_level_that_does_not_exist(options, logger):
    options.logging = "loud"
    with pytest.raises(ValueError, match="debug, info, warning, error, none, not 'loud'"):
        enable_pretty_logging(options, logger)


def test_files_rotated_by_size(options, logger, tmp_path):
    options.log_file_prefix = str(tmp_path / "log")
    options.log_file_max_size = 100
    options.log_file_num_backups = 2
    enable_pretty_logging(options, logger)
    assert kinds(logger) == [logging.handlers.RotatingFileHandler]
    for _ in range(20):
        logger.error("a line with \u20ac")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "log.1", "log.2"]
    assert "\u20ac" in (tmp_path / "log").read_text("utf-8")


def test_files_rotated_by_time(options, logger, tmp_path):
    options.log_file_prefix = str(tmp_path / "log")
    options.log_rotate_mode = "time"
    options.log_rotate_when = "H"
    options.log_rotate_interval = 2
    options.log_to_stderr = True
    enable_pretty_logging(options, logger)
    assert kinds(logger) == [logging.handlers.TimedRotatingFileHandler, logging.StreamHandler]
    assert logger.handlers[0].interval == 7200


def test_files_rotated_by_something_else(options, logger, tmp_path):
    options.log_file_prefix = str(tmp_path / "log")
    options.log_rotate_mode = "phase of the moon"
    with pytest.raises(ValueError, match="phase of the moon"):
        enable_pretty_logging(options, logger)


def test_parsing_turns_it_on(options, monkeypatch):
    root = logging.Logger("root of this test")  # noqa: LOG001 - not the real one
    monkeypatch.setattr(logging, "getLogger", lambda: root)
    options.parse_command_line(["program", "--logging=debug"])
    assert root.level == logging.DEBUG


def test_the_global_options_are_the_default(logger, monkeypatch):
    from tornado.options import options

    with pytest.raises(Exception, match="already defined"):
        define_logging_options()
    monkeypatch.setattr(options._options["logging"], "_value", "warning")
    enable_pretty_logging(logger=logger)
    assert logger.level == logging.WARNING
