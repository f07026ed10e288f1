"""The scenarios: how a body is sent and how the handler reads it."""

from __future__ import annotations

from dataclasses import dataclass

_HEAD = b'--frontier\r\nContent-Disposition: form-data; name="file"; filename="file.bin"\r\n\r\n'
_TAIL = b"\r\n--frontier--\r\n"


@dataclass(frozen=True)
class Scenario:
    """A kind of upload."""

    name: str
    title: str
    path: str
    #: Whether the body is a form with one file.
    form: bool = False
    #: Whether the scenario needs an API that Tornado does not have.
    ours: bool = False
    #: The size of a chunk in bytes; 0 for a body with Content-Length.
    chunk: int = 0

    def head(self, port: int, size: int) -> bytes:
        """Return the request head, followed by the start of the form if the body is a form."""
        fields = [f"POST {self.path} HTTP/1.1", f"Host: 127.0.0.1:{port}"]
        if self.form:
            fields.append("Content-Type: multipart/form-data; boundary=frontier")
            size += len(_HEAD) + len(_TAIL)
        fields.append("Transfer-Encoding: chunked" if self.chunk else f"Content-Length: {size}")
        return "\r\n".join([*fields, "", ""]).encode() + (_HEAD if self.form else b"")

    def piece(self, size: int) -> bytes:
        """Return ``size`` bytes of content, with the framing of a chunk if the body is chunked."""
        if not self.chunk:
            return bytes(size)
        count, rest = divmod(size, self.chunk)
        return _chunk(self.chunk) * count + (_chunk(rest) if rest else b"")

    def tail(self) -> bytes:
        """Return the bytes after the content."""
        return _TAIL if self.form else b"0\r\n\r\n" if self.chunk else b""


def _chunk(size: int) -> bytes:
    return b"%x\r\n%b\r\n" % (size, bytes(size))


SCENARIOS = {
    scenario.name: scenario
    for scenario in [
        Scenario("whole", "read whole into `request.body`", "/whole"),
        Scenario("streamed", "passed to `data_received`", "/streamed"),
        Scenario("chunked", "as `whole`, sent in chunks of 8 KiB", "/whole", chunk=8192),
        Scenario("form", "a form with one file, read whole", "/form", form=True),
        Scenario(
            "spooled", "a form with one file, written to disk (`UploadHandler`)", "/spooled", True, True
        ),
    ]
}
