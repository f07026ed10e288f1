"""Request bodies: small ones in memory, large ones in a temporary file."""

from __future__ import annotations

from io import BytesIO
from typing import IO, Any, cast

from tornado.httputil import HTTPServerRequest


class Spool:
    """Collects a body of any size.

    :arg limit: how many bytes may be in memory. With the first byte more, all go to a temporary file, where
        the rest follows.
    """

    def __init__(self, limit: int) -> None:
        self.size = 0
        self._limit = limit
        self._file: IO[bytes] = BytesIO()

    def write(self, data: bytes) -> None:
        """Add bytes at the end."""
        size = self.size + len(data)
        if self.size <= self._limit < size:
            self._to_disk()
        self._file.write(data)
        self.size = size

    def _to_disk(self) -> None:
        import tempfile  # late: most programs never get here

        memory = cast(BytesIO, self._file)
        self._file = cast("IO[bytes]", tempfile.TemporaryFile(prefix="tornado-wsgi-"))  # noqa: SIM115 - close() does
        self._file.write(memory.getbuffer())

    def rewind(self) -> IO[bytes]:
        """The file, at its beginning."""
        self._file.seek(0)
        return self._file

    def read(self) -> bytes:
        """All of it, in memory; whoever else reads the file goes on where he was."""
        place = self._file.tell()
        try:
            return self.rewind().read()
        finally:
            self._file.seek(place)

    def close(self) -> None:
        """Give the memory, or the temporary file, back."""
        self._file.close()


class SpooledRequest(HTTPServerRequest):
    """A request whose body is in a `Spool`.

    ``body``, ``arguments``, ``body_arguments`` and ``files`` are made of it when they are asked for, which a
    WSGI application never does.

    :arg limit: see `Spool`.
    """

    def __init__(self, limit: int, **arguments: Any) -> None:
        self._spool = Spool(limit)
        super().__init__(**arguments)
        # Back to what is computed by need.
        for name in ("arguments", "body_arguments", "files"):
            del self.__dict__[name]
        self._own_body: bytes | None = None

    @property
    def body(self) -> bytes:
        """The whole body, in memory."""
        return self._spool.read() if self._own_body is None else self._own_body

    @body.setter
    def body(self, value: bytes) -> None:
        self._own_body = value

    def _input(self) -> tuple[IO[bytes], int]:
        """The body as a file at its beginning, and its size."""
        if self._own_body is not None:
            return BytesIO(self._own_body), len(self._own_body)
        return self._spool.rewind(), self._spool.size
