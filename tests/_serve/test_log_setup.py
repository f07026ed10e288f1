from __future__ import annotations

import json
import logging
import os
import re
import sys

import pytest

from tornado._serve.log_setup import JSONFormatter, log_report, set_up
from tornado.log import access_log, gen_log


@pytest.fixture(autouse=True)
def root_logger():
    """Undo the changes of the loggers."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    access_log.setLevel(logging.NOTSET)


def test_text(capsys):
    set_up("text", "common")
    logging.getLogger("app").info("hello")
    access_log.info("200 GET /")
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("[I ")
    assert first.endswith("] hello")
    assert second.endswith("200 GET /")


def test_access_log_can_be_turned_off():
    set_up("text", "off")
    assert not access_log.isEnabledFor(logging.CRITICAL)


def test_json(capsys):
    set_up("json", "common")
    logging.getLogger("app").info("hello %s", "ä\n")
    [line] = capsys.readouterr().err.splitlines()
    found = json.loads(line)
    assert len(found.pop("time")) == len("2026-01-02T03:04:05.678Z")
    assert found == {"level": "info", "logger": "app", "message": "hello ä\n", "process": os.getpid()}


def test_text_has_the_logger_of_this_package_instead_of_a_private_module(capsys):
    set_up("text", "common")
    gen_log.info("hello")
    logging.getLogger("tornado.channels").info("hello")
    logging.getLogger("app").info("hello")
    places = [line.partition("] ")[0].split()[-1] for line in capsys.readouterr().err.splitlines()]
    assert places[:2] == ["tornado.general", "tornado.channels"]
    assert re.fullmatch(r"test_log_setup:\d+", places[2])


@pytest.mark.parametrize("is_stack", [False, True])
@pytest.mark.parametrize("log_format", ["text", "json"])
def test_report_of_several_lines_is_one_record(capsys, log_format, is_stack):
    set_up(log_format, "common")
    log_report(logging.INFO, "it has failed", "one\ntwo", is_stack=is_stack)
    output = capsys.readouterr().err
    if log_format == "text":
        assert output.endswith("] it has failed\n    one\n    two\n")
    else:
        found = json.loads(output)
        assert (found["message"], found["stack" if is_stack else "exception"]) == (
            "it has failed",
            "one\ntwo",
        )


def test_json_is_printable(capsys):
    """A terminal interprets C1 controls and marks of the direction of writing."""
    set_up("json", "common")
    text = "ä \x1b[2J \x9b2J \x7f \u202e \u2028 \udcff"
    logging.getLogger("app").info("%s", text)
    line = capsys.readouterr().err
    assert line[:-1].isprintable()
    assert "ä" in line
    assert json.loads(line)["message"] == text


@pytest.mark.parametrize(("value", "found"), [("5d61", "5d61"), ("-", None), (None, None)])
def test_json_has_the_identifier_of_the_request(value, found):
    record = logging.LogRecord("app", logging.INFO, __file__, 1, "hello", (), None)
    if value is not None:
        record.request_id = value
    assert json.loads(JSONFormatter().format(record)).get("request_id") == found


def test_json_of_an_exception():
    try:
        raise OSError("no disk")
    except OSError:
        record = logging.LogRecord("app", logging.ERROR, __file__, 1, "failed", (), sys.exc_info())
    record.created = 1.5
    found = json.loads(JSONFormatter().format(record))
    assert found["time"] == "1970-01-01T00:00:01.500Z"
    assert found["exception"].endswith("OSError: no disk")
