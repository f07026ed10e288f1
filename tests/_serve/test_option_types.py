from __future__ import annotations

import getpass
import os
import sys

import pytest

from tornado._serve import option_types
from tornado._serve.option_types import available_processors, choice, integer, optional


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        (integer(1), "1", 1),
        (choice("a", "b"), "b", "b"),
        (optional(integer(1)), "off", None),
        (optional(integer(1)), "7", 7),
        (option_types.DURATION, "30", 30.0),
        (option_types.DURATION, "1.5s", 1.5),
        (option_types.DURATION, "500ms", 0.5),
        (option_types.DURATION, "10 m", 600.0),
        (option_types.DURATION, "1h", 3600.0),
        (option_types.SIZE, "4096", 4096),
        (option_types.SIZE, "512M", 512 * 2**20),
        (option_types.SIZE, "2GiB", 2 * 2**30),
        (option_types.SIZE, "64 kb", 64 * 2**10),
        (option_types.FLAG, "yes", True),
        (option_types.FLAG, "Off", False),
        (option_types.MODE, "660", 0o660),
        (option_types.MODE, "0o600", 0o600),
        (option_types.WORKERS, "3", 3),
        (option_types.USER, getpass.getuser(), getpass.getuser()),
        (option_types.USER, "123456", "123456"),
        (option_types.GROUP, "0", "0"),
        (option_types.PROXY, "10.0.0.1", "10.0.0.1/32"),
        (option_types.PROXY, "10.0.0.0/8", "10.0.0.0/8"),
        (option_types.PROXY, "unix", "unix"),
        (option_types.LOOP, "auto", "auto"),
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
        (option_types.DURATION, "-1", "^$"),
        (option_types.DURATION, "1d", "^$"),
        (option_types.DURATION, "nan", "^$"),
        (option_types.SIZE, "0M", "^$"),
        (option_types.SIZE, "1T", "^$"),
        (option_types.FLAG, "2", "^$"),
        (option_types.MODE, "999", "^$"),
        (option_types.MODE, "66", "^$"),
        (option_types.WORKERS, "0", "^$"),
        (option_types.TEXT, "", "^$"),
        (option_types.FILE, "", "^$"),
        (option_types.FILE, "/nowhere", "No such file"),
        (option_types.FILE, "/", "directory"),
        (option_types.NEW_FILE, "/nowhere/pid", "'/nowhere' does not exist"),
        (option_types.NEW_FILE, "/", "is a directory"),
        (option_types.USER, "no such", "there is no such user"),
        (option_types.GROUP, "no such", "there is no such group"),
        (option_types.PROXY, "proxy", "^$"),
        (option_types.PROXY, "10.0.0.1/8", "host bits set"),
        (option_types.LOOP, "trio", "^$"),
    ],
)
def test_refused_values(kind, text, reason):
    with pytest.raises(ValueError, match=reason):
        kind.parse(text)


def test_uvloop_must_be_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "uvloop", None)
    with pytest.raises(ValueError, match="pip install uvloop"):
        option_types.LOOP.parse("uvloop")


@pytest.mark.parametrize(
    ("quota", "limit"), [("150000 100000", 2), ("50000 100000", 1), ("max 100000", None)]
)
def test_quota_limits_the_processors(tmp_path, quota, limit):
    file = tmp_path / "cpu.max"
    file.write_text(quota)
    own = len(os.sched_getaffinity(0))
    assert available_processors(str(file)) == (own if limit is None else min(own, limit))


def test_auto_is_the_number_of_processors():
    assert option_types.WORKERS.parse("auto") == available_processors()
