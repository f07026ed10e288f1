"""The selection of files for the type checkers, which ``scripts/check`` runs for each platform."""

from __future__ import annotations

from tests.platforms.type_checkers import CHECKS, PLATFORMS, VERSIONS, posix_modules


def test_modules_that_need_fork_are_ignored_on_windows_only() -> None:
    found = posix_modules()
    assert "src/tornado/_serve/forking.py" in found
    assert all(path.startswith(("src/tornado/_serve/", "src/tornado/_forked_children.py")) for path in found)


def test_both_checkers_run_for_each_platform_and_version() -> None:
    runs = {(each.platform, each.version) for each in CHECKS if each.checker == "pyright"}
    assert runs == {(platform, version) for platform in PLATFORMS for version in VERSIONS}
    assert len([each for each in CHECKS if each.checker == "mypy"]) == len(runs) - 1
