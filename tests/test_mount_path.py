"""The paths under which applications of other interfaces are mounted."""

from __future__ import annotations

import pytest

from tornado._mount_path import MountPath


def test_root_consists_of_both_paths():
    path = MountPath("/api/", "/shop")
    assert (path.mount, path.prefix, path.root) == ("/api", "/shop", "/shop/api")


@pytest.mark.parametrize(
    ("mount", "path", "expected"),
    [("/a", "/a", True), ("/a", "/a/b", True), ("/a", "/ab", False), ("/a", "/", False), ("", "/x", True)],
)
def test_requests_below_the_mount_path(mount, path, expected):
    assert MountPath(mount, "/proxy").contains(path) is expected


@pytest.mark.parametrize("value", ["api", "/a%20b", "/a?b", "/ä", "/a b"])
def test_invalid_paths_are_rejected(value):
    with pytest.raises(ValueError, match="mount must be a path"):
        MountPath(value, "")
    with pytest.raises(ValueError, match="root_path must be a path"):
        MountPath("", value)
