"""The log format, the handlers that the options configure, and the access log."""

from __future__ import annotations

import asyncio
import logging
import logging.handlers
import os
import sys
import threading
import time
from types import ModuleType, SimpleNamespace
from unittest import mock

import pytest

from tests.support.log import colors, set_colors
from tornado import log
from tornado.log import LogFormatter, define_logging_options, enable_pretty_logging, escape_controls
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


def test_loggers_have_tornados_names():
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
def test_records_are_formatted_in_one_line(formatter, message, args, expected):
    assert formatter.format(record(message, *args)) == PREFIX + expected


def test_bytes_messages_are_decoded_or_shown_as_bytes(formatter):
    made = record("")
    for message, expected in ((b"\xc3\xa9", "é"), (b"\xe9", "b'\\xe9'")):
        made.getMessage = lambda message=message: message
        assert formatter.format(made) == PREFIX + expected


def test_message_that_cannot_be_formatted(formatter):
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
    set_colors(formatter, {logging.ERROR: "<red>"}, "<normal>")
    assert formatter.format(record("x", level=logging.ERROR)).startswith(
        "<red>[E 200913 12:26:40 module:12]<normal> x"
    )
    assert formatter.format(record("x")) == PREFIX + "x"


def test_time_is_formatted_once_per_second(formatter, monkeypatch):
    calls = []
    strftime = time.strftime
    monkeypatch.setattr(time, "strftime", lambda *args: calls.append(args) or strftime(*args))
    for created in (TIME, TIME + 0.7, TIME + 0.75, TIME + 1, TIME):
        formatter.format(record("x", created=created))
    assert len(calls) == 3
    assert formatter.formatTime(record("x", created=TIME + 61), "%M") == "27"
    assert formatter.formatTime(record("x"), None).startswith("2020-09-13 12:26:40,")


def test_other_styles_of_formats_are_accepted():
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


def test_colors_are_those_of_the_terminal(monkeypatch):
    curses = SimpleNamespace(
        setupterm=lambda: None,
        tigetnum=lambda name: 8,
        tigetstr=lambda name: {"setf": b"color", "sgr0": b"normal"}.get(name),
        tparm=lambda start, number: start + b"%d" % number,
    )
    formatter = terminal(monkeypatch, curses)
    assert colors(formatter) == ({logging.INFO: "color2"}, "normal")


def test_terminal_without_colors(monkeypatch):
    curses = SimpleNamespace(setupterm=lambda: None, tigetnum=lambda name: -1)
    assert colors(terminal(monkeypatch, curses))[0] == {}

    def fail():
        raise OSError("no such terminal")

    assert colors(terminal(monkeypatch, SimpleNamespace(setupterm=fail)))[0] == {}


def test_colors_are_available_with_colorama(monkeypatch):
    colorama = ModuleType("colorama")
    colorama.initialise = SimpleNamespace(wrapped_stderr=None)  # type: ignore[attr-defined]
    assert colors(terminal(monkeypatch, None, colorama))[0] == {}
    colorama.initialise.wrapped_stderr = stderr = Terminal()  # type: ignore[attr-defined]
    monkeypatch.setattr(log, "_stderr_supports_color", log._stderr_supports_color)
    monkeypatch.setattr(sys, "stderr", stderr)
    formatter = LogFormatter(colors={logging.INFO: 2})
    assert colors(formatter)[0] == {logging.INFO: "\x1b[2;32m"}


def test_output_is_not_a_terminal(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    assert not log._stderr_supports_color()
    assert log._import_optional("no_such_module_anywhere") is None


# --- handlers ---


@pytest.fixture
def logger():
    made = logging.Logger("of this test")  # noqa: LOG001 - not shared with other tests
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


def test_no_handler_is_added_if_logger_has_one(options, logger):
    logger.addHandler(logging.NullHandler())
    enable_pretty_logging(options, logger)
    assert kinds(logger) == [logging.NullHandler]
    options.log_to_stderr = True
    enable_pretty_logging(options, logger)
    assert kinds(logger) == [logging.NullHandler, logging.StreamHandler]


@pytest.mark.parametrize("level", ["none", "None", None])
def test_logging_none_changes_nothing(options, logger, level):
    options.logging = level
    enable_pretty_logging(options, logger)
    assert (kinds(logger), logger.level) == ([], 0)


def test_unknown_level_raises(options, logger):
    options.logging = "loud"
    with pytest.raises(ValueError, match="debug, info, warning, error or none, got 'loud'"):
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


def test_unknown_rotation_mode(options, logger, tmp_path):
    options.log_file_prefix = str(tmp_path / "log")
    options.log_rotate_mode = "phase of the moon"
    with pytest.raises(ValueError, match="phase of the moon"):
        enable_pretty_logging(options, logger)


def test_parse_command_line_enables_pretty_logging(options, monkeypatch):
    root = logging.Logger("root of this test")  # noqa: LOG001 - not the real root logger
    monkeypatch.setattr(logging, "getLogger", lambda: root)
    options.parse_command_line(["program", "--logging=debug"])
    assert root.level == logging.DEBUG


def test_global_options_are_the_default(logger):
    from tornado.options import options

    with pytest.raises(Exception, match="already defined"):
        define_logging_options()
    with mock.patch.object(options.mockable(), "logging", "warning"):
        enable_pretty_logging(logger=logger)
    assert logger.level == logging.WARNING


# The access log


class RecordingHandler(logging.Handler):
    """A handler that stores records."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def access_records():
    handler, logger = RecordingHandler(), log.access_log
    level, propagate = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    yield handler.records
    logger.removeHandler(handler)
    logger.setLevel(level)
    logger.propagate = propagate


#: The location and the time of the call: the only differences from a record that the logger creates.
PLACE = {"pathname", "filename", "module", "lineno", "funcName"}
TIMES = {"created", "msecs", "relativeCreated"}
SUMMARY = "%d %s %.2fms"


def same_fields(ours, theirs):
    left, right = vars(ours), vars(theirs)
    assert left.keys() == right.keys()
    differing = {name for name in left if left[name] != right[name]}
    assert differing <= PLACE | TIMES
    assert {name: type(value) for name, value in left.items()} == {n: type(v) for n, v in right.items()}
    return True


@pytest.mark.parametrize("level", [logging.INFO, logging.WARNING, logging.ERROR])
def test_access_record_has_the_same_fields_as_other_records(access_records, level, expect_log):
    with expect_log("tornado.access", "^200 GET", required=level > logging.INFO):
        compare_access_lines(access_records, level)


def compare_access_lines(access_records, level):
    for _ in range(2):  # without and with the cached fields
        before = time.time()
        log.log_access(level, SUMMARY, 200, "GET / (::1)", 1.25)
        after = time.time()
        log.access_log.log(level, SUMMARY, 200, "GET / (::1)", 1.25)
        ours, theirs = access_records[-2:]
        assert same_fields(ours, theirs)
        assert type(ours) is logging.LogRecord
        assert (ours.module, ours.funcName, ours.levelname) == ("log", "log_access", theirs.levelname)
        assert ours.getMessage() == theirs.getMessage() == "200 GET / (::1) 1.25ms"
        assert before <= ours.created <= after
        assert ours.msecs == int(ours.created % 1 * 1000)
        assert 0 <= ours.relativeCreated <= theirs.relativeCreated + 1


def test_access_records_do_not_share_fields(access_records):
    for number in range(2):
        log.log_access(logging.INFO, "%d", number)
        access_records[-1].added = number
    log.log_access(logging.INFO, "%d", 2)
    assert [record.getMessage() for record in access_records] == ["0", "1", "2"]
    assert [record.added for record in access_records[:2]] == [0, 1]
    assert not hasattr(access_records[2], "added")


def test_filters_of_the_logger_apply_to_access_records(access_records):
    def refuse(record):
        return record.args != ("hidden",)

    log.access_log.addFilter(refuse)
    try:
        log.log_access(logging.INFO, "%s", "hidden")
        log.log_access(logging.INFO, "%s", "shown")
    finally:
        log.access_log.removeFilter(refuse)
    assert [record.getMessage() for record in access_records] == ["shown"]


def test_record_factory_is_used_for_access_records(access_records):
    class Record(logging.LogRecord):
        pass

    factory = logging.getLogRecordFactory()
    logging.setLogRecordFactory(Record)
    try:
        log.log_access(logging.INFO, "%s", "line")
    finally:
        logging.setLogRecordFactory(factory)
    (record,) = access_records
    assert (type(record), record.getMessage()) == (Record, "line")
    assert (record.filename, record.funcName) == (
        "test_log.py",
        "test_record_factory_is_used_for_access_records",
    )


def test_custom_logger_class_creates_access_records(monkeypatch):
    class Logger(logging.Logger):
        def makeRecord(self, *args, **kwargs):
            made = super().makeRecord(*args, **kwargs)
            made.by = "Logger"
            return made

    logger, handler = Logger("access"), RecordingHandler()
    logger.addHandler(handler)
    monkeypatch.setattr(log, "access_log", logger)
    log.log_access(logging.INFO, "%s", "line")
    (record,) = handler.records
    assert (record.by, record.getMessage()) == ("Logger", "line")


def test_access_record_contains_thread(access_records):
    for name in ("first", "second"):  # one after the other, so the thread ID may be reused
        thread = threading.Thread(target=log.log_access, args=(logging.INFO, "%s", name), name=name)
        thread.start()
        thread.join()
        assert (access_records[-1].threadName, access_records[-1].thread) == (name, thread.ident)
    log.log_access(logging.INFO, "here")
    assert (access_records[-1].threadName, access_records[-1].thread) == (
        threading.current_thread().name,
        threading.get_ident(),
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")
def test_access_record_contains_process(access_records):
    log.log_access(logging.INFO, "parent")
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            log.log_access(logging.INFO, "child")
            os.write(writer, b"%d %d" % (access_records[-1].process, os.getpid()))
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as answer:
        named, real = answer.read().split()
    os.waitpid(child, 0)
    assert named == real == b"%d" % child
    assert access_records[-1].process == os.getpid()


def test_access_record_contains_task_name(access_records, monkeypatch):
    monkeypatch.setattr(log, "_RECORDS_HAVE_TASK_NAME", True)

    async def run():
        log.log_access(logging.INFO, "inside")
        asyncio.get_running_loop().call_soon(log.log_access, logging.INFO, "in a callback")
        await asyncio.sleep(0)

    async def main():
        await asyncio.create_task(run(), name="the task")

    asyncio.run(main())
    log.log_access(logging.INFO, "outside")
    monkeypatch.setattr(logging, "logAsyncioTasks", False, raising=False)
    log.log_access(logging.INFO, "not wanted")
    assert [record.taskName for record in access_records] == ["the task", None, None, None]


def test_control_characters_are_escaped():
    text = "a\x00\x1b[2J\x7f\x85\x9b2J\xa0\n\té"
    assert escape_controls(text) == "a\\x00\\x1b[2J\\x7f\\x85\\x9b2J\xa0\\x0a\té"


def test_formatter_escapes_c1_controls(formatter):
    line = formatter.format(record("GET /%s", "\x9b31m\x85é"))
    assert line.endswith("GET /\\x9b31m\\x85é")
