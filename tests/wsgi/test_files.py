"""`FileWrapper` alone; tests/wsgi/test_invocation.py tests responses that use it."""

from __future__ import annotations

import io

from tornado.wsgi._files import FileWrapper


def test_blocks_have_at_least_64_kib():
    data = bytes(200_000)
    blocks = list(FileWrapper(io.BytesIO(data), 1))
    assert b"".join(blocks) == data
    assert [len(block) for block in blocks] == [65536, 65536, 65536, 200_000 - 3 * 65536]
    assert len(next(iter(FileWrapper(io.BytesIO(data), 100_000)))) == 100_000


def test_close_closes_the_file():
    file = io.BytesIO()
    iter(FileWrapper(file)).close()
    assert file.closed

    class OnlyRead:
        def read(self, size):
            return b""

    FileWrapper(OnlyRead()).close()
