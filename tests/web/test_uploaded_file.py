"""`UploadedFile`: a part's content in memory or on disk, and who removes it."""

from __future__ import annotations

import errno
import gc
import os
from typing import Any

import pytest

from tornado.httputil import HTTPHeaders
from tornado.web import UploadedFile, _uploaded_file
from tornado.web._uploaded_file import Part

LARGE = bytes(range(256)) * 4096


def uploaded(folder: Any, spool_size: int = 64) -> UploadedFile:
    return UploadedFile(Part("name", "dir/file.txt", None, HTTPHeaders()), str(folder), spool_size)


async def received(folder: Any, content: bytes, piece: int = 65536) -> UploadedFile:
    """A file that came in pieces."""
    upload = uploaded(folder)
    for at in range(0, len(content), piece):
        waiting = upload._write(content[at : at + piece])
        if waiting is not None:
            await waiting
    ending = upload._end()
    if ending is not None:
        await ending
    return upload


@pytest.mark.parametrize("size", [0, 1, 64, 65, 1000, 2**18, len(LARGE)])
@pytest.mark.parametrize("piece", [7, 65536])
async def test_content_is_in_memory_or_on_disk(tmp_path, size, piece):
    content = LARGE[: size if piece > 7 else min(size, 5000)]
    upload = await received(tmp_path, content, piece)
    assert (upload.path is None) == (len(content) <= 64)
    assert upload.body == upload["body"] == content
    assert upload.file.read() == content
    await upload._remove()
    assert upload.file.closed
    assert os.listdir(tmp_path) == []


def test_before_it_has_been_received(tmp_path):
    upload = uploaded(tmp_path)
    assert upload.file is None
    with pytest.raises(ValueError, match="has not been received"):
        _ = upload.body
    assert "'dir/file.txt' application/unknown 0 bytes, in memory" in repr(upload)
    assert upload["content_type"] == "application/unknown"
    with pytest.raises(KeyError):
        upload["size"]


async def test_moving_before_it_has_been_received(tmp_path):
    with pytest.raises(ValueError, match="has not been received"):
        await uploaded(tmp_path).move_to(tmp_path / "x")


@pytest.mark.parametrize("content", [b"small", LARGE])
async def test_moving(tmp_path, content):
    upload = await received(tmp_path, content)
    target = tmp_path / "target"
    assert await upload.move_to(target) == upload.path == str(target)
    assert upload.file.read() == content
    await upload._remove()
    assert os.listdir(tmp_path) == ["target"]
    assert target.read_bytes() == content


@pytest.mark.parametrize("content", [b"small", LARGE])
async def test_nothing_is_overwritten_unasked(tmp_path, content):
    target = tmp_path / "target"
    target.write_bytes(b"mine")
    upload = await received(tmp_path, content)
    with pytest.raises(FileExistsError):
        await upload.move_to(target)
    assert target.read_bytes() == b"mine"
    await upload.move_to(target, overwrite=True)
    assert target.read_bytes() == content
    await upload._remove()


@pytest.mark.parametrize("overwrite", [False, True])
async def test_moving_to_another_file_system(tmp_path, monkeypatch, overwrite):
    replace = os.replace

    def elsewhere(source: str, target: str) -> None:
        if "upload-" in source and ".upload-" not in source:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        replace(source, target)

    monkeypatch.setattr(_uploaded_file.os, "replace", elsewhere)
    upload = await received(tmp_path, LARGE)
    await upload.move_to(tmp_path / "target", overwrite=overwrite)
    assert upload.file.read() == LARGE
    await upload._remove()
    assert os.listdir(tmp_path) == ["target"]
    assert (tmp_path / "target").read_bytes() == LARGE


@pytest.mark.parametrize("number", [errno.EXDEV, errno.EACCES])
@pytest.mark.parametrize("overwrite", [False, True])
async def test_a_move_that_fails_leaves_nothing(tmp_path, monkeypatch, number, overwrite):
    def refuse(source: str, target: str) -> None:
        raise OSError(number, "no")

    upload = await received(tmp_path, LARGE)
    with monkeypatch.context() as patch:
        patch.setattr(_uploaded_file.os, "replace", refuse)
        with pytest.raises(OSError, match="no"):
            await upload.move_to(tmp_path / "target", overwrite=overwrite)
    assert os.listdir(tmp_path) == [os.path.basename(upload.path)]
    await upload._remove()
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("early", [False, True])
async def test_keeping(tmp_path, early):
    upload = uploaded(tmp_path)
    if early:
        assert upload.keep() is None
    upload._write(LARGE)
    await upload._end()
    if not early:
        assert upload.keep() == upload.path
    await upload._remove()
    assert upload.file.read() == LARGE
    upload.file.close()
    assert os.listdir(tmp_path) == [os.path.basename(upload.path)]


async def test_who_removes_it_himself(tmp_path):
    upload = await received(tmp_path, LARGE)
    os.unlink(upload.path)
    await upload._remove()
    await upload._remove()


async def test_a_file_nobody_removes_goes_with_its_object(tmp_path):
    upload = await received(tmp_path, LARGE)
    assert len(os.listdir(tmp_path)) == 1
    del upload
    gc.collect()
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("content", [b"small", LARGE])
@pytest.mark.parametrize("kept", [False, True])
async def test_removing_at_once(tmp_path, content, kept):
    upload = await received(tmp_path, content)
    if kept:
        upload.keep()
    upload._remove_now()
    assert upload.file.closed is not kept
    assert len(os.listdir(tmp_path)) == (kept and len(content) > 64)
    upload.file.close()


async def test_removing_at_once_while_it_is_written(tmp_path):
    upload = uploaded(tmp_path)
    upload._write(LARGE)
    assert upload._job is not None
    upload._remove_now()
    await upload._job
    assert upload._write(b"late") is None
    del upload
    gc.collect()
    assert os.listdir(tmp_path) == []


async def test_without_writev(tmp_path, monkeypatch):
    monkeypatch.delattr(_uploaded_file.os, "writev", raising=False)
    upload = await received(tmp_path, LARGE)
    assert upload.body == LARGE
    await upload._remove()


async def test_what_one_system_call_leaves(tmp_path, monkeypatch):
    writev = os.writev
    monkeypatch.setattr(_uploaded_file.os, "writev", lambda fd, chunks: writev(fd, [chunks[0][:100]]))
    upload = await received(tmp_path, LARGE)
    assert upload.body == LARGE
    await upload._remove()


@pytest.fixture
def umask():
    """Group may read, others nothing."""
    before = os.umask(0o027)
    yield
    os.umask(before)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
@pytest.mark.parametrize("content", [b"small", LARGE])
@pytest.mark.parametrize("elsewhere", [False, True])
async def test_permissions_are_those_of_any_new_file(tmp_path, monkeypatch, umask, content, elsewhere):
    replace = os.replace

    def across(source: str, target: str) -> None:
        if elsewhere and "upload-" in source and ".upload-" not in source:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        replace(source, target)

    monkeypatch.setattr(_uploaded_file.os, "replace", across)
    for name, there in (("new", None), ("over", None), ("replaced", 0o604)):
        target = tmp_path / name
        if there is not None:
            target.touch()
            target.chmod(there)
        upload = await received(tmp_path, content)
        await upload.move_to(target, overwrite=name != "new")
        assert target.stat().st_mode & 0o777 == (there or 0o640)
        assert upload.file.read() == content
        await upload._remove()


async def test_a_link_that_leads_nowhere_is_replaced(tmp_path):
    target = tmp_path / "target"
    target.symlink_to("nowhere")
    upload = await received(tmp_path, LARGE)
    await upload.move_to(target, overwrite=True)
    assert not target.is_symlink()
    assert target.read_bytes() == LARGE
    await upload._remove()


async def test_what_cannot_be_removed_does_not_keep_the_others(tmp_path, monkeypatch, expect_log):
    files = [await received(tmp_path, LARGE) for _ in range(3)]
    unlink = os.unlink

    def refuse(path: str) -> None:
        if path == files[0].path:
            raise PermissionError(errno.EPERM, "no")
        unlink(path)

    with monkeypatch.context() as patch:
        patch.setattr(_uploaded_file.os, "unlink", refuse)
        with expect_log("tornado.application", "Cannot remove the uploaded file"):
            await _uploaded_file.remove_all(files)
    assert os.listdir(tmp_path) == [os.path.basename(files[0].path)]


@pytest.mark.parametrize("overwrite", [False, True])
async def test_moving_to_where_a_directory_is(tmp_path, overwrite):
    file = await received(tmp_path, b"content")
    for target in (str(tmp_path), f"{tmp_path}/"):
        kind = IsADirectoryError if overwrite else FileExistsError
        with pytest.raises(kind, match=r"move_to\(\) takes the path that the file itself is to have"):
            await file.move_to(target, overwrite=overwrite)
    file._remove_now()
