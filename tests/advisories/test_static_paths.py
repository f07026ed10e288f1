"""Path traversal: requests for files outside the static directory."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.server import ExpectLog, ask
from tornado import web

SECRET = b"secret"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A directory with secret files next to it, one of them in a directory with the same prefix."""
    root = tmp_path / "static"
    (root / "sub").mkdir(parents=True)
    (root / "a.txt").write_text("public")
    (tmp_path / "static-private").mkdir()
    for place in (
        tmp_path / "secret.txt",
        tmp_path / "static-private" / "secret.txt",
        tmp_path / "statics.txt",
    ):
        place.write_bytes(SECRET)
    return root


async def get(root: Path, path: str, **options: Any) -> Any:
    return await ask([("/(.*)", web.StaticFileHandler, {"path": str(root), **options})], path=path)


@pytest.mark.parametrize(
    "path",
    [
        "/../static-private/secret.txt",
        "/%2e%2e/static-private/secret.txt",
        "/..%2fstatic-private%2fsecret.txt",
        "/sub/../../static-private/secret.txt",
        "/../statics.txt",
        "/-private/secret.txt",
    ],
)
async def test_traversal_by_prefix(root: Path, path: str, expect_log: ExpectLog) -> None:
    """``/static-private`` begins with ``/static`` but is not inside it."""
    with expect_log("tornado.general", "", required=False):
        response = await get(root, path)
    assert response.code in (403, 404)
    assert SECRET not in response.body


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/%252e%252e/secret.txt",
        "/..%5csecret.txt",
        "/..\\secret.txt",
        "/sub/%2e%2e/%2e%2e/secret.txt",
        "/a.txt/../../secret.txt",
        "/{absolute}",
        "/%2f{absolute}",
        "/a.txt%00.png",
        "/../secret.txt%00a.txt",
    ],
)
async def test_traversal_by_dots_and_absolute_paths(root: Path, path: str, expect_log: ExpectLog) -> None:
    with expect_log("tornado.general", "", required=False):
        response = await get(root, path.replace("{absolute}", f"{root.parent}/secret.txt"))
    assert response.code in (400, 403, 404)
    assert SECRET not in response.body


@pytest.mark.parametrize("target", ["file", "directory", "chain", "relative"])
async def test_traversal_by_symlink(root: Path, target: str, expect_log: ExpectLog) -> None:
    secret = root.parent / "secret.txt"
    if target == "directory":
        (root / "link").symlink_to(root.parent)
        path = "/link/secret.txt"
    else:
        path = "/link"
        if target == "chain":
            (root / "between").symlink_to(secret)
            secret = root / "between"
        (root / "link").symlink_to("../secret.txt" if target == "relative" else secret)
    with expect_log("tornado.general", "is not in root"):
        response = await get(root, path)
    assert response.code == 403
    with expect_log("tornado.general", "is not in root"):
        response = await get(root, path, default_filename="index.html")
    assert response.code == 403


async def test_traversal_by_symlink_of_the_default_file(root: Path, expect_log: ExpectLog) -> None:
    (root / "sub" / "index.html").symlink_to(root.parent / "secret.txt")
    with expect_log("tornado.general", "is not in root"):
        response = await get(root, "/sub/", default_filename="index.html")
    assert response.code == 403


@pytest.mark.skipif(os.name == "nt", reason="such names cannot be made on Windows")
@pytest.mark.parametrize("name", ["a.txt:stream", "b.txt::$DATA"])
async def test_traversal_by_ntfs_stream(root: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On NTFS, a name with a colon refers to a stream of a file and could bypass checks of the file name."""
    (root / name).write_bytes(SECRET)
    monkeypatch.setattr(sys, "platform", "win32")
    for path in ("/" + name, "/" + name.replace(":", "%3A"), "/sub/../" + name):
        assert (await get(root, path)).code == 404
    monkeypatch.undo()
    assert (await get(root, "/" + name)).body == SECRET


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no FIFOs on this system")
async def test_traversal_to_fifo_is_rejected(root: Path, expect_log: ExpectLog) -> None:
    """Opening a FIFO would block until a writer opens it."""
    os.mkfifo(root / "fifo")
    with expect_log("tornado.general", "is not a file"):
        assert (await get(root, "/fifo")).code == 403
