"""Changes to a response on its way out."""

from __future__ import annotations

import zlib
from typing import Any

from tornado import httputil


class OutputTransform:
    """Changes status, headers and body of responses; one object is made for each request.

    :param request: the request to be answered.
    """

    def __init__(self, request: httputil.HTTPServerRequest) -> None:
        pass

    def transform_first_chunk(
        self, status_code: int, headers: httputil.HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, httputil.HTTPHeaders, bytes]:
        """Change the head and the first part of the body.

        :param finishing: whether `chunk` is the last one too.
        :returns: status, headers and chunk, as they are to be sent.
        """
        return status_code, headers, chunk

    def transform_chunk(self, chunk: bytes, finishing: bool) -> bytes:
        """Change a further part of the body."""
        return chunk


class GZipContentEncoding(OutputTransform):
    """Compresses text for clients that accept gzip (setting ``compress_response``).

    A compressed representation is another one than the plain (RFC 9110 section 8.8.3): its strong Etag
    becomes weak, and ``Vary: Accept-Encoding`` is added to both.
    """

    #: Content types that are compressed, besides ``text/*``.
    CONTENT_TYPES = frozenset(
        """
        application/atom+xml application/javascript application/json application/x-javascript
        application/xhtml+xml application/xml image/svg+xml
        """.split()
    )
    #: zlib's level; 6 is the usual compromise, the higher ones cost more than they save.
    GZIP_LEVEL = 6
    #: Bytes below which a whole response is sent as it is.
    MIN_LENGTH = 1024

    def __init__(self, request: httputil.HTTPServerRequest) -> None:
        self.request = request
        self._gzipping = _accepts_gzip(request.headers.get("Accept-Encoding", ""))
        self._compressor: Any = None

    def _compressible_type(self, content_type: str) -> bool:
        return content_type.startswith("text/") or content_type in self.CONTENT_TYPES

    def transform_first_chunk(
        self, status_code: int, headers: httputil.HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, httputil.HTTPHeaders, bytes]:
        """Decide whether to compress, and begin."""
        _add_vary(headers)
        if not self._gzipping:
            return status_code, headers, chunk
        if status_code == 304:
            self._confirm_tag(headers)
        self._gzipping = status_code not in (204, 206, 304) and self._wanted(headers, chunk, finishing)
        if not self._gzipping:
            return status_code, headers, chunk
        headers["Content-Encoding"] = "gzip"
        _weaken_tag(headers)
        if finishing and not chunk:
            del headers["Content-Length"]  # of HEAD: nothing was compressed, so the length is not known
            return status_code, headers, chunk
        self._compressor = zlib.compressobj(self.GZIP_LEVEL, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
        chunk = self.transform_chunk(chunk, finishing)
        if finishing:
            headers["Content-Length"] = str(len(chunk))
        elif "Content-Length" in headers:
            del headers["Content-Length"]
        return status_code, headers, chunk

    def _wanted(self, headers: httputil.HTTPHeaders, chunk: bytes, finishing: bool) -> bool:
        content_type = headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if "Content-Encoding" in headers or not self._compressible_type(content_type):
            return False
        if not finishing:
            return True
        length = len(chunk)
        if not chunk and self.request.method == "HEAD":
            announced = headers.get("Content-Length", "")
            length = int(announced) if announced.isdecimal() else 0
        return length >= self.MIN_LENGTH

    def _confirm_tag(self, headers: httputil.HTTPHeaders) -> None:
        """Name the representation that the client has: a compressed one, if its tag is weak."""
        etag = headers.get("Etag")
        if etag is not None and "W/" + etag in self.request.headers.get("If-None-Match", ""):
            headers["Etag"] = "W/" + etag

    def transform_chunk(self, chunk: bytes, finishing: bool) -> bytes:
        """Compress a part; what was written before a flush can be read by the client after it."""
        if self._compressor is None:
            return chunk
        compressor = self._compressor
        compressed: bytes = compressor.compress(chunk)
        compressed += compressor.flush(zlib.Z_FINISH if finishing else zlib.Z_SYNC_FLUSH)
        return compressed


def _add_vary(headers: httputil.HTTPHeaders) -> None:
    if "Vary" in headers:
        headers["Vary"] += ", Accept-Encoding"
    else:
        headers["Vary"] = "Accept-Encoding"


def _weaken_tag(headers: httputil.HTTPHeaders) -> None:
    etag = headers.get("Etag")
    if etag is not None and not etag.startswith("W/"):
        headers["Etag"] = "W/" + etag


def _accepts_gzip(header: str) -> bool:
    """Whether an Accept-Encoding field allows gzip (RFC 9110 section 12.5.3)."""
    star = False
    for part in header.split(",", 50)[:50]:
        coding, _, parameters = part.strip().lower().partition(";")
        name, _, weight = parameters.strip().partition("=")
        refused = name.strip() == "q" and weight.strip().rstrip("0").rstrip(".") in ("", "0")
        coding = coding.strip()
        if coding in ("gzip", "x-gzip"):
            return not refused
        if coding == "*":
            star = not refused
    return star
