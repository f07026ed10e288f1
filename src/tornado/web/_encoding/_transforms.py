"""Output transforms, such as compression, which change the head and the body of responses."""

from __future__ import annotations

from typing import Any

from tornado import httputil
from tornado._wire.content_negotiation import choose_coding, weak_tag
from tornado.web._encoding._background_compression import CompressionQueue
from tornado.web._encoding._content_codings import GZIP, MAX_AT_ONCE, Coding, Compressor, ContentCodings
from tornado.web._execution._response import ResponseOwner, response_of


class OutputTransform:
    """A transformation of the status, the headers and the body of a response.

    One instance is created per request.

    :param request: the request.
    """

    def __init__(self, request: httputil.HTTPServerRequest) -> None:
        pass

    def transform_first_chunk(
        self, status_code: int, headers: httputil.HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, httputil.HTTPHeaders, bytes]:
        """Change the head and the first part of the body.

        :param finishing: whether `chunk` is the whole body.
        :returns: the status, headers and chunk to send.
        """
        return status_code, headers, chunk

    def transform_chunk(self, chunk: bytes, finishing: bool) -> bytes:
        """Change a subsequent part of the body."""
        return chunk


class _Compression(OutputTransform):
    """The base class of transforms that compress bodies with the coding that Accept-Encoding selects.

    The compressed body is a different representation (RFC 9110 section 8.8.3). Its strong Etag becomes weak,
    and ``Vary: Accept-Encoding`` is added to compressed and uncompressed responses.

    If a body is sent in parts, the compressor is flushed after each, so that the client can decode it. A part
    of more than `.MAX_AT_ONCE` bytes is passed to a `.CompressionQueue` if this is the last transform. The
    queue compresses it in a thread, one slice at a time, as fast as the client reads. Such a body has no
    Content-Length.
    """

    #: The names of the codings to choose from, in order of preference.
    _names: tuple[str, ...] = ()
    #: The queue for large parts, or None; set by `tornado.web._encoding._background_compression.prepare`.
    _queue: CompressionQueue | None = None

    def __init__(self, request: httputil.HTTPServerRequest) -> None:
        self.request = request
        self._name = choose_coding(request.headers.get("Accept-Encoding"), self._names)
        self._compressor: Compressor | None = None

    # -- defined by subclasses --

    def _coding(self, name: str) -> tuple[Coding, int]:
        """Return the coding with the given name, and its level."""
        raise NotImplementedError

    def _compressible_type(self, content_type: str) -> bool:
        """Whether to compress bodies of a media type, given in lower case and without parameters."""
        raise NotImplementedError

    def _min_length(self) -> int:
        """Return the minimum size, in bytes, of a complete body to be compressed."""
        raise NotImplementedError

    def _may_change(self, headers: httputil.HTTPHeaders) -> bool:
        """Whether the headers set by the program permit a change of the response."""
        return True

    # -- common to all --

    def transform_first_chunk(
        self, status_code: int, headers: httputil.HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, httputil.HTTPHeaders, bytes]:
        """Decide whether to compress the response, and compress the first part."""
        _add_vary(headers)
        name = self._name
        if name is None:
            return status_code, headers, chunk
        if status_code == 304:
            self._set_confirmed_etag(headers)
        if status_code in (204, 206, 304) or not self._should_compress(headers, chunk, finishing):
            return status_code, headers, chunk
        headers["Content-Encoding"] = name
        etag = headers.get("Etag")
        if etag is not None:
            headers["Etag"] = weak_tag(etag)
        coding, level = self._coding(name)
        if self.request.method == "HEAD" and not (finishing and 0 < len(chunk) <= MAX_AT_ONCE):
            # The length of the compressed body is not known; RFC 9110 section 9.3.2 permits omitting it.
            chunk = b""
        elif finishing and self._queue is None:
            chunk = coding.whole(chunk, level)
            headers["Content-Length"] = str(len(chunk))
            return status_code, headers, chunk
        else:
            self._compressor = coding.begin(level)
            chunk = self.transform_chunk(chunk, finishing)
        headers.pop("Content-Length", None)
        return status_code, headers, chunk

    def _should_compress(self, headers: httputil.HTTPHeaders, chunk: bytes, finishing: bool) -> bool:
        content_type = headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if (
            "Content-Encoding" in headers
            or not self._compressible_type(content_type)
            or "Content-Range" in headers
            or not self._may_change(headers)
        ):
            return False
        if not finishing:
            return True
        length = len(chunk)
        if not chunk and self.request.method == "HEAD":
            content_length = headers.get("Content-Length", "")
            length = int(content_length) if content_length.isdecimal() and len(content_length) < 20 else 0
        return length >= self._min_length()

    def _is_idle(self, content_type: str, length: int) -> bool:
        """Whether a body of this media type and length (in bytes), written in parts, is not compressed."""
        return self._name is None or not self._compressible_type(content_type)

    def _set_confirmed_etag(self, headers: httputil.HTTPHeaders) -> None:
        """Set the Etag of a 304 response: weak if the client has the compressed representation."""
        etag = headers.get("Etag")
        if etag is not None and "W/" + etag in self.request.headers.get("If-None-Match", ""):
            headers["Etag"] = "W/" + etag

    def transform_chunk(self, chunk: bytes, finishing: bool) -> bytes:
        """Compress a part, so that the client can decode everything written so far."""
        compressor = self._compressor
        if compressor is None:
            return chunk
        if self._queue is not None:
            self._queue.put(compressor, chunk, finishing)
            return b""
        if finishing:
            return compressor.compress(chunk) + compressor.finish()
        if not chunk:
            return b""  # all previous input has been flushed
        return compressor.compress(chunk) + compressor.flush()


class GZipContentEncoding(_Compression):
    """Compression with gzip for clients that accept it (setting ``compress_response=True``).

    A subclass may set other values of the class attributes, and is passed to the application as one of its
    ``transforms``. For other codings, see `ContentEncoding`.
    """

    #: The media types to compress, in addition to ``text/*``.
    CONTENT_TYPES = frozenset(
        """
        application/atom+xml application/javascript application/json application/x-javascript
        application/xhtml+xml application/xml image/svg+xml
        """.split()
    )
    #: The compression level. Higher levels take much more time and make the output only slightly smaller.
    GZIP_LEVEL = 6
    #: The minimum size, in bytes, of a complete body to be compressed.
    MIN_LENGTH = 1024

    _names = ("gzip",)

    def _coding(self, name: str) -> tuple[Coding, int]:
        return GZIP, self.GZIP_LEVEL

    def _compressible_type(self, content_type: str) -> bool:
        return content_type.startswith("text/") or content_type in self.CONTENT_TYPES

    def _min_length(self) -> int:
        return self.MIN_LENGTH


class ContentEncoding(_Compression):
    """Compression with zstd, br or gzip, as the client prefers; see `ContentCodings`.

    A response with ``Cache-Control: no-transform`` is not compressed.

    :cvar CODINGS: the `ContentCodings` to use, set by subclasses.
    """

    CODINGS: ContentCodings

    def __init__(self, request: httputil.HTTPServerRequest) -> None:
        codings = self._codings = self.CODINGS
        self._names = codings.names
        super().__init__(request)

    def _coding(self, name: str) -> tuple[Coding, int]:
        return self._codings.coding(name)

    def _compressible_type(self, content_type: str) -> bool:
        return self._codings.compresses(content_type)

    def _min_length(self) -> int:
        return self._codings.min_length

    def _is_idle(self, content_type: str, length: int) -> bool:
        # `GZipContentEncoding` compresses even the smallest static files, for compatibility.
        return length < self._codings.min_length or super()._is_idle(content_type, length)

    def _may_change(self, headers: httputil.HTTPHeaders) -> bool:
        # RFC 9111 section 5.2.2.6 defines no-transform for intermediaries; programs use it to disable any
        # compression.
        directives = headers.get("Cache-Control")
        return directives is None or "no-transform" not in directives.lower()


def transforms_of(settings: dict[str, Any]) -> list[type[Any]]:
    """Return the transforms configured by an application's settings.

    :raises ValueError: if the value of ``compress_response`` is invalid.
    """
    setting = settings.get("compress_response")
    if setting and isinstance(setting, (ContentCodings, dict, list, tuple, str)):
        return [type("ContentEncoding", (ContentEncoding,), {"CODINGS": ContentCodings._of(setting)})]
    return [GZipContentEncoding] if setting or settings.get("gzip") else []


def are_unmodified(transforms: list[Any]) -> bool:
    """Whether all transforms are compressions whose methods are not overridden."""
    for transform in transforms:
        cls = type(transform)
        if (
            not isinstance(transform, _Compression)
            or cls.transform_first_chunk is not _Compression.transform_first_chunk
            or cls.transform_chunk is not _Compression.transform_chunk
        ):
            return False
    return True


def are_idle(transforms: list[Any], content_type: str, length: int) -> bool:
    """Whether transforms would change a response only by adding Vary.

    :param content_type: the media type in lower case, without parameters.
    :param length: the size of the body in bytes.
    """
    return are_unmodified(transforms) and all(each._is_idle(content_type, length) for each in transforms)


def drop_idle(handler: ResponseOwner, length: int) -> None:
    """Remove the transforms of a handler if they would not compress its response.

    Then the body can be sent on the fast paths for responses without transforms.

    :param length: the size of the body in bytes.
    """
    response = response_of(handler)
    transforms, headers = response.transforms, response.headers(handler)
    if response.state.head_sent or not are_unmodified(transforms):
        return
    content_type = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if (
        response.status_code == 206
        or "Content-Encoding" in headers
        or all(each._is_idle(content_type, length) or not each._may_change(headers) for each in transforms)
    ):
        response.transforms = []
        _add_vary(headers)


def _add_vary(headers: httputil.HTTPHeaders) -> None:
    present = headers.get("Vary")
    if not present:
        headers["Vary"] = "Accept-Encoding"
        return
    names = [name.strip().lower() for name in present.split(",")]
    if "accept-encoding" not in names and "*" not in names:
        headers["Vary"] = present + ", Accept-Encoding"
