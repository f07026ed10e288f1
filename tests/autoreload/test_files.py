"""The source files of a program, and the detection of changes in them."""

from __future__ import annotations

import os
import sys
import types

import pytest

from tornado.autoreload import _files
from tornado.autoreload._files import SourceFiles


@pytest.fixture(autouse=True)
def only_files_of_the_test(monkeypatch):
    monkeypatch.setattr(_files, "extra", set())
    monkeypatch.setattr(_files, "expected", set())
    monkeypatch.setattr(_files, "source_files", lambda: sorted(_files.extra))


def touch(path, text, time):
    path.write_text(text)
    os.utime(path, (time, time))
    _files.extra.add(str(path))
    return str(path)


def test_change_is_detected(tmp_path):
    path = touch(tmp_path / "settings.txt", "1", 1_000)
    _files.extra.add(str(tmp_path / "missing"))
    files = SourceFiles()
    assert files.find_changes() == []
    assert files.find_changes() == []
    touch(tmp_path / "settings.txt", "2", 900)  # an older time is also a change
    assert files.find_changes() == [path]
    touch(tmp_path / "settings.txt", "longer", 900)  # another size is also a change
    assert files.find_changes() == [path]
    assert files.find_changes() == []
    assert files.stamps([path, "other"]) == {path: (900 * 10**9, 6)}


def test_stamps_of_the_previous_program(tmp_path):
    """The file changed between the last check of the previous program and the first check of this one."""
    path = touch(tmp_path / "a.txt", "1", 1_000)
    same = touch(tmp_path / "b.txt", "1", 1_000)
    stamps = SourceFiles()
    stamps.find_changes()
    passed = _files.parse_stamps({each: list(stamp) for each, stamp in stamps.stamps([path, same]).items()})
    touch(tmp_path / "a.txt", "2", 2_000)
    assert SourceFiles(passed).find_changes() == [path]
    assert _files.parse_stamps(None) == {}
    assert _files.parse_stamps({"a": 1}) == {}


def test_files_modified_since_a_time(tmp_path):
    touch(tmp_path / "old.txt", "1", 1_000)
    path = touch(tmp_path / "new.txt", "1", 3_000)
    files = SourceFiles(since=2_000 * 10**9)
    assert files.find_changes() == [path]
    assert files.find_changes() == []


def test_file_with_a_syntax_error(tmp_path):
    path = touch(tmp_path / "program.py", "x = = 1", 1_000)
    text = touch(tmp_path / "text.txt", "x = = 1", 1_000)
    files = SourceFiles()
    assert files.check([path, text, str(tmp_path / "gone.py")]) == [path]
    assert "invalid syntax" in files.broken[path]
    assert f'File "{path}", line 1' in files.broken[path]
    touch(tmp_path / "program.py", "x = 1", 2_000)
    assert files.check([path]) == []
    assert files.broken == {}


@pytest.mark.parametrize("source", ["x = 1\0", "# coding: nothing\n", "(" * 1000, "'\\N{no such}'"])
def test_other_errors_in_files(tmp_path, source):
    path = touch(tmp_path / "program.py", source, 1_000)
    files = SourceFiles()
    files.check([path])
    assert path in files.broken[path]


def test_error_of_a_removed_file_is_dropped(tmp_path):
    path = touch(tmp_path / "program.py", "x = = 1", 1_000)
    files = SourceFiles()
    files.check([path])
    os.remove(path)
    files.check([])
    assert files.broken == {}


def test_files_of_modules(monkeypatch, tmp_path):
    monkeypatch.undo()
    compiled = types.ModuleType("compiled")
    compiled.__file__ = str(tmp_path / "compiled.pyc")
    for name, module in (("compiled", compiled), ("odd", object()), ("builtin", types.ModuleType("builtin"))):
        monkeypatch.setitem(sys.modules, name, module)
    files = _files.source_files()
    assert _files.__file__ in files
    assert str(tmp_path / "compiled.py") in files


def test_appearance_of_an_expected_file_is_a_change(tmp_path):
    """A new file is a change, whatever its modification time. A file that already existed is not a change."""
    path, there = str(tmp_path / "missing.py"), touch(tmp_path / "there.py", "", 500)
    _files.expect(path)
    _files.expect(there)
    files = SourceFiles()
    assert files.find_changes() == []
    touch(tmp_path / "missing.py", "", 500)
    assert files.find_changes() == [path]
    assert files.find_changes() == []


def test_files_in_which_a_module_may_appear(tmp_path, monkeypatch):
    package = types.ModuleType("package")
    package.__path__ = [str(tmp_path / "elsewhere")]
    monkeypatch.setitem(sys.modules, "package", package)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "a"), str(tmp_path / "b")])
    for name, roots in (
        ("absent", ["a", "b"]),
        ("absent.part", ["a/absent", "b/absent"]),
        ("package.part", ["elsewhere"]),
    ):
        _files.extra.clear()
        _files.expect_module(name)
        last = name.rpartition(".")[2]
        for root in roots:
            _files.extra.remove(str(tmp_path / root / f"{last}.py"))
            _files.extra.remove(str(tmp_path / root / last / "__init__.py"))
            _files.extra.remove(str(tmp_path / root / last / "__main__.py"))
        assert _files.extra == set()
