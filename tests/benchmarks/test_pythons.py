"""The benchmark of interpreters: its table, and the peers that it measures."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.macro.pythons.__main__ import DOCUMENT, HEADING, origin, section, write
from benchmarks.macro.pythons.measure import adapt, build
from benchmarks.macro.server.peers import PEERS
from compliance.pythons.interpreters import Interpreter
from compliance.pythons.root_directory import RootDirectory

RESULTS = {
    "3.14": {
        "build": {"version": "3.14.1", "origin": "Debian", "options": "none", "openssl": "3.6.5"},
        "ours": {"root": 100, "item": 200, "echo": 300, "get": 4000},
        "tornado": {"root": 1000, "item": 1000, "echo": 1000, "get": 8000},
    }
}
ROW = (
    "| 3.14.1 | 100 / 1,000 (0.10x) | 200 / 1,000 (0.20x) | 300 / 1,000 (0.30x) | 4,000 / 8,000 (0.50x) "
    "| Debian | none | 3.6.5 |"
)


def test_section_is_replaced(tmp_path: Path) -> None:
    document = tmp_path / "benchmarks.md"
    document.write_text(f"# Benchmarks\n\n{HEADING}\n\nold\n\n## Files\n\ntext\n")
    write(RESULTS, document)
    text = document.read_text()
    assert ROW in text
    assert "old" not in text
    assert text.startswith(f"# Benchmarks\n\n{HEADING}\n\n")
    assert text.endswith("|\n\n## Files\n\ntext\n")
    write(RESULTS, document)
    assert document.read_text() == text


def test_section_at_the_end(tmp_path: Path) -> None:
    document = tmp_path / "benchmarks.md"
    document.write_text(f"# Benchmarks\n\n{HEADING}\n")
    write(RESULTS, document)
    assert document.read_text() == f"# Benchmarks\n\n{section(RESULTS)}"


def test_document_without_the_section_is_not_changed(tmp_path: Path) -> None:
    document = tmp_path / "benchmarks.md"
    document.write_text("# Benchmarks\n")
    with pytest.raises(ValueError, match="has no heading '## Versions of Python'"):
        write(RESULTS, document)
    assert document.read_text() == "# Benchmarks\n"


def test_document_has_the_section() -> None:
    assert f"\n{HEADING}\n" in DOCUMENT.read_text()


def test_peers_do_not_share_an_environment() -> None:
    ours, tornado = adapt(PEERS["ours"]), adapt(PEERS["tornado"])
    assert Path(ours.environment["PYTHONPATH"], "tornado/web/__init__.py").exists()
    assert "PYTHONPATH" not in tornado.environment
    assert tornado.requirements == ("tornado==6.6.1",)


def test_origin_of_an_interpreter() -> None:
    root = RootDirectory("sid")
    assert origin(Interpreter("3.14", "/usr/bin/python3.14", root)) == "Debian"
    assert origin(Interpreter("3.14t", "/opt/x/bin/python3.14t", root)) == "built from Debian's source"
    assert origin(Interpreter("3.12", "/root/.pyenv/versions/3.12.1/bin/python3.12")) == "pyenv"


def test_build_names_the_version_of_openssl() -> None:
    assert set(build()) == {"version", "compiler", "options", "openssl"}
    assert build()["openssl"][0].isdigit()
