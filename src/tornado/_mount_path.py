"""The paths under which `.ASGIContainer` and `.WSGIContainer` mount an application."""

from __future__ import annotations


class MountPath:
    """The path of an application: the prefix that a proxy removes, and the mount path below it.

    :param mount: the beginning of the path of the application's requests.
    :param root_path: a path that a proxy has removed from the path of each request.
    :raises ValueError: if one of them is not an absolute path without escapes.
    :ivar mount: `mount` without a slash at its end.
    :ivar prefix: `root_path` without a slash at its end.
    :ivar root: both: the path under which clients reach the application.
    """

    __slots__ = ("mount", "prefix", "root")

    def __init__(self, mount: str, root_path: str) -> None:
        self.mount: str = _checked("mount", mount)
        self.prefix: str = _checked("root_path", root_path)
        self.root: str = self.prefix + self.mount

    def contains(self, path: str) -> bool:
        """Whether a request with this path is one for the application."""
        mount = self.mount
        return not mount or path == mount or path.startswith(mount + "/")


def _checked(name: str, value: str) -> str:
    path = value.rstrip("/")
    if path and (not path.startswith("/") or not path.isascii() or any(each in path for each in "?#% ")):
        raise ValueError(
            f"{name} must be a path such as '/api', without escapes and query, got {value!r:.100}"
        )
    return path


__all__ = ["MountPath"]
