"""`UploadedFile`: content in memory or on disk, moving and removing it."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import sys
from typing import Any

import pytest

from tests.support.web import remove, write_job
from tornado.httputil import HTTPHeaders
from tornado.web import UploadedFile
from tornado.web._input import _uploaded_file
from tornado.web._input._uploaded_file import Part

LARGE = bytes(range(256)) * 4096


def uploaded(folder: Any, spool_size: int = 64) -> UploadedFile:
    return UploadedFile(Part("name", "dir/file.txt", None, HTTPHeaders()), str(folder), spool_size)


async def received(folder: Any, content: bytes, piece: int = 65536) -> UploadedFile:
    """Return a complete file that was received in pieces."""
    upload = uploaded(folder)
    for at in range(0, len(content), piece):
        waiting = upload.write(content[at : at + piece])
        if waiting is not None:
            await waiting
    ending = upload.complete()
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
    await remove(upload)
    assert upload.file.closed
    assert os.listdir(tmp_path) == []


def test_attributes_before_completion(tmp_path):
    upload = uploaded(tmp_path)
    assert upload.file is None
    with pytest.raises(ValueError, match="has not been received"):
        _ = upload.body
    assert "'dir/file.txt' application/unknown 0 bytes, in memory" in repr(upload)
    assert upload["content_type"] == "application/unknown"
    with pytest.raises(KeyError):
        upload["size"]


async def test_move_before_completion(tmp_path):
    with pytest.raises(ValueError, match="has not been received"):
        await uploaded(tmp_path).move_to(tmp_path / "x")


@pytest.mark.parametrize("content", [b"small", LARGE])
async def test_moved_file_is_not_removed(tmp_path, content):
    upload = await received(tmp_path, content)
    target = tmp_path / "target"
    assert await upload.move_to(target) == upload.path == str(target)
    assert upload.file.read() == content
    await remove(upload)
    assert os.listdir(tmp_path) == ["target"]
    assert target.read_bytes() == content


@pytest.mark.parametrize("content", [b"small", LARGE])
async def test_existing_file_is_overwritten_only_on_request(tmp_path, content):
    target = tmp_path / "target"
    target.write_bytes(b"mine")
    upload = await received(tmp_path, content)
    with pytest.raises(FileExistsError):
        await upload.move_to(target)
    assert target.read_bytes() == b"mine"
    await upload.move_to(target, overwrite=True)
    assert target.read_bytes() == content
    await remove(upload)


@pytest.mark.parametrize("overwrite", [False, True])
async def test_move_to_another_file_system(tmp_path, monkeypatch, overwrite):
    replace = os.replace

    def elsewhere(source: str, target: str) -> None:
        if "upload-" in source and ".upload-" not in source:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        replace(source, target)

    monkeypatch.setattr(_uploaded_file.os, "replace", elsewhere)
    upload = await received(tmp_path, LARGE)
    await upload.move_to(tmp_path / "target", overwrite=overwrite)
    assert upload.file.read() == LARGE
    await remove(upload)
    assert os.listdir(tmp_path) == ["target"]
    assert (tmp_path / "target").read_bytes() == LARGE


@pytest.mark.parametrize("number", [errno.EXDEV, errno.EACCES])
@pytest.mark.parametrize("overwrite", [False, True])
async def test_failed_move_leaves_no_file(tmp_path, monkeypatch, number, overwrite):
    def refuse(source: str, target: str) -> None:
        raise OSError(number, "no")

    upload = await received(tmp_path, LARGE)
    with monkeypatch.context() as patch:
        patch.setattr(_uploaded_file.os, "replace", refuse)
        with pytest.raises(OSError, match="no"):
            await upload.move_to(tmp_path / "target", overwrite=overwrite)
    assert os.listdir(tmp_path) == [os.path.basename(upload.path)]
    await remove(upload)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("early", [False, True])
async def test_kept_file_is_not_removed(tmp_path, early):
    upload = uploaded(tmp_path)
    if early:
        assert upload.keep() is None
    upload.write(LARGE)
    await upload.complete()
    if not early:
        assert upload.keep() == upload.path
    await remove(upload)
    assert upload.file.read() == LARGE
    upload.file.close()
    assert os.listdir(tmp_path) == [os.path.basename(upload.path)]


async def test_file_removed_by_the_program(tmp_path):
    upload = await received(tmp_path, LARGE)
    os.unlink(upload.path)
    await remove(upload)
    await remove(upload)


async def test_file_is_removed_when_the_object_is_collected(tmp_path):
    upload = await received(tmp_path, LARGE)
    assert len(os.listdir(tmp_path)) == 1
    del upload
    gc.collect()
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("content", [b"small", LARGE])
@pytest.mark.parametrize("kept", [False, True])
async def test_remove_now_removes_files_that_are_not_kept(tmp_path, content, kept):
    upload = await received(tmp_path, content)
    if kept:
        upload.keep()
    upload.remove_now()
    assert upload.file.closed is not kept
    assert len(os.listdir(tmp_path)) == (kept and len(content) > 64)
    upload.file.close()


async def test_remove_now_during_a_write(tmp_path):
    upload = uploaded(tmp_path)
    upload.write(LARGE)
    assert write_job(upload) is not None
    upload.remove_now()
    assert upload.write(b"late") is None
    await asyncio.wait([write_job(upload)])
    await asyncio.sleep(0)  # the job may have been done before
    assert os.listdir(tmp_path) == []


async def test_content_is_complete_without_writev(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.delattr(os, "writev", raising=False)
    upload = await received(tmp_path, LARGE)
    assert upload.body == LARGE
    await remove(upload)


async def test_content_is_complete_after_partial_writes(tmp_path, monkeypatch):
    writev = os.writev
    monkeypatch.setattr(_uploaded_file.os, "writev", lambda fd, chunks: writev(fd, [chunks[0][:100]]))
    upload = await received(tmp_path, LARGE)
    assert upload.body == LARGE
    await remove(upload)


@pytest.fixture
def umask():
    """Set a umask with which the group may read and others have no permissions."""
    before = os.umask(0o027)
    yield
    os.umask(before)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no POSIX permissions")
@pytest.mark.parametrize("content", [b"small", LARGE])
@pytest.mark.parametrize("elsewhere", [False, True])
async def test_permissions_are_those_of_a_new_file(tmp_path, monkeypatch, umask, content, elsewhere):
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
        await remove(upload)


async def test_broken_link_is_replaced(tmp_path):
    target = tmp_path / "target"
    target.symlink_to("nowhere")
    upload = await received(tmp_path, LARGE)
    await upload.move_to(target, overwrite=True)
    assert not target.is_symlink()
    assert target.read_bytes() == LARGE
    await remove(upload)


async def test_error_removing_one_file_does_not_affect_others(tmp_path, monkeypatch, expect_log):
    files = [await received(tmp_path, LARGE) for _ in range(3)]
    unlink = os.unlink

    def refuse(path: str) -> None:
        if path == files[0].path:
            raise PermissionError(errno.EPERM, "no")
        unlink(path)

    with monkeypatch.context() as patch:
        patch.setattr(_uploaded_file.os, "unlink", refuse)
        with expect_log("tornado.application", "Could not remove the uploaded file"):
            await _uploaded_file.remove_all(files)
    assert os.listdir(tmp_path) == [os.path.basename(files[0].path)]


@pytest.mark.parametrize("overwrite", [False, True])
async def test_move_to_a_directory(tmp_path, overwrite):
    file = await received(tmp_path, b"content")
    for target in (str(tmp_path), f"{tmp_path}/"):
        kind = IsADirectoryError if overwrite else FileExistsError
        with pytest.raises(kind, match=r"move_to\(\) expects the path of the file itself"):
            await file.move_to(target, overwrite=overwrite)
    file.remove_now()
