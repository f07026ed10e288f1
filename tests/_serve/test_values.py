from __future__ import annotations

import getpass
import os
import sys

import pytest

from tornado._serve import values
from tornado._serve.values import available_processors, choice, integer, optional


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        (integer(1), "1", 1),
        (choice("a", "b"), "b", "b"),
        (optional(integer(1)), "off", None),
        (optional(integer(1)), "7", 7),
        (values.DURATION, "30", 30.0),
        (values.DURATION, "1.5s", 1.5),
        (values.DURATION, "500ms", 0.5),
        (values.DURATION, "10 m", 600.0),
        (values.DURATION, "1h", 3600.0),
        (values.SIZE, "4096", 4096),
        (values.SIZE, "512M", 512 * 2**20),
        (values.SIZE, "2GiB", 2 * 2**30),
        (values.SIZE, "64 kb", 64 * 2**10),
        (values.FLAG, "yes", True),
        (values.FLAG, "Off", False),
        (values.MODE, "660", 0o660),
        (values.MODE, "0o600", 0o600),
        (values.WORKERS, "3", 3),
        (values.USER, getpass.getuser(), getpass.getuser()),
        (values.USER, "123456", "123456"),
        (values.GROUP, "0", "0"),
        (values.PROXY, "10.0.0.1", "10.0.0.1/32"),
        (values.PROXY, "10.0.0.0/8", "10.0.0.0/8"),
        (values.PROXY, "unix", "unix"),
        (values.LOOP, "auto", "auto"),
    ],
)
def test_accepted_values(kind, text, expected):
    assert kind.parse(text) == expected


@pytest.mark.parametrize(
    ("kind", "text", "reason"),
    [
        (integer(1), "0", "^$"),
        (integer(1), "1.0", "^$"),
        (integer(1), "²", "^$"),
        (choice("a", "b"), "c", "^$"),
        (optional(integer(1)), "", "^$"),
        (values.DURATION, "-1", "^$"),
        (values.DURATION, "1d", "^$"),
        (values.DURATION, "nan", "^$"),
        (values.SIZE, "0M", "^$"),
        (values.SIZE, "1T", "^$"),
        (values.FLAG, "2", "^$"),
        (values.MODE, "999", "^$"),
        (values.MODE, "66", "^$"),
        (values.WORKERS, "0", "^$"),
        (values.TEXT, "", "^$"),
        (values.FILE, "", "^$"),
        (values.FILE, "/nowhere", "No such file"),
        (values.FILE, "/", "directory"),
        (values.NEW_FILE, "/nowhere/pid", "'/nowhere' does not exist"),
        (values.NEW_FILE, "/", "is a directory"),
        (values.USER, "no such", "there is no such user"),
        (values.GROUP, "no such", "there is no such group"),
        (values.PROXY, "proxy", "^$"),
        (values.PROXY, "10.0.0.1/8", "host bits set"),
        (values.LOOP, "trio", "^$"),
    ],
)
def test_refused_values(kind, text, reason):
    with pytest.raises(ValueError, match=reason):
        kind.parse(text)


def test_uvloop_must_be_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "uvloop", None)
    with pytest.raises(ValueError, match="pip install uvloop"):
        values.LOOP.parse("uvloop")


@pytest.mark.parametrize(
    ("quota", "limit"), [("150000 100000", 2), ("50000 100000", 1), ("max 100000", None)]
)
def test_quota_limits_the_processors(tmp_path, quota, limit):
    file = tmp_path / "cpu.max"
    file.write_text(quota)
    own = len(os.sched_getaffinity(0))
    assert available_processors(str(file)) == (own if limit is None else min(own, limit))


def test_auto_is_the_number_of_processors():
    assert values.WORKERS.parse("auto") == available_processors()
