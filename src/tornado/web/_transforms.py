"""Changes to a response on its way out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tornado import httputil
from tornado._wire.content_codings import choose_coding, weak_tag
from tornado.web._background_compression import CompressionQueue
from tornado.web._content_codings import GZIP, MAX_AT_ONCE, Coding, Compressor, ContentCodings

if TYPE_CHECKING:
    from tornado.web._handler import RequestHandler


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


class _Compression(OutputTransform):
    """Compresses by the coding that the request's Accept-Encoding chooses, whatever the codings may be.

    A compressed representation is another one than the plain (RFC 9110 section 8.8.3): its strong Etag
    becomes weak, and ``Vary: Accept-Encoding`` is added to both.

    Of a body in parts, each is compressed to a point up to which the client can decode. Where this is the
    last transform of a response of ours, a part of more than `.MAX_AT_ONCE` bytes is left to a
    `.CompressionQueue`, which compresses it in a thread, slice by slice, as the client takes it; such a body
    has no Content-Length.
    """

    #: Of the codings to choose from.
    _names: tuple[str, ...] = ()
    #: Where large parts go, once there was one; set by whoever writes the response.
    _backlog: CompressionQueue | None = None

    def __init__(self, request: httputil.HTTPServerRequest) -> None:
        self.request = request
        self._name = choose_coding(request.headers.get("Accept-Encoding"), self._names)
        self._compressor: Compressor | None = None

    # -- what kinds of it decide --

    def _coding(self, name: str) -> tuple[Coding, int]:
        """The coding of that name, and its level."""
        raise NotImplementedError

    def _compressible_type(self, content_type: str) -> bool:
        """Whether bodies of that type, in lower case and without parameters, are compressed."""
        raise NotImplementedError

    def _min_length(self) -> int:
        """Bytes below which a whole body is not compressed."""
        raise NotImplementedError

    def _may_change(self, headers: httputil.HTTPHeaders) -> bool:
        """Whether the program allows a change to this response."""
        return True

    # -- the same for all --

    def transform_first_chunk(
        self, status_code: int, headers: httputil.HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, httputil.HTTPHeaders, bytes]:
        """Decide whether to compress, and begin."""
        _add_vary(headers)
        name = self._name
        if name is None:
            return status_code, headers, chunk
        if status_code == 304:
            self._confirm_tag(headers)
        if status_code in (204, 206, 304) or not self._wanted(headers, chunk, finishing):
            return status_code, headers, chunk
        headers["Content-Encoding"] = name
        etag = headers.get("Etag")
        if etag is not None:
            headers["Etag"] = weak_tag(etag)
        coding, level = self._coding(name)
        if self.request.method == "HEAD" and not (finishing and 0 < len(chunk) <= MAX_AT_ONCE):
            # The length is that of something which is not made; RFC 9110 section 9.3.2 lets it be left out.
            chunk = b""
        elif finishing and self._backlog is None:
            chunk = coding.whole(chunk, level)
            headers["Content-Length"] = str(len(chunk))
            return status_code, headers, chunk
        else:
            self._compressor = coding.begin(level)
            chunk = self.transform_chunk(chunk, finishing)
        headers.pop("Content-Length", None)
        return status_code, headers, chunk

    def _wanted(self, headers: httputil.HTTPHeaders, chunk: bytes, finishing: bool) -> bool:
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
            announced = headers.get("Content-Length", "")
            length = int(announced) if announced.isdecimal() and len(announced) < 20 else 0
        return length >= self._min_length()

    def _is_idle(self, content_type: str, length: int) -> bool:
        """Whether a body of that type and length, written in parts, is sent as it is."""
        return self._name is None or not self._compressible_type(content_type)

    def _confirm_tag(self, headers: httputil.HTTPHeaders) -> None:
        """Name the representation that the client has: a compressed one, if its tag is weak."""
        etag = headers.get("Etag")
        if etag is not None and "W/" + etag in self.request.headers.get("If-None-Match", ""):
            headers["Etag"] = "W/" + etag

    def transform_chunk(self, chunk: bytes, finishing: bool) -> bytes:
        """Compress a part; what was written before a flush can be read by the client after it."""
        compressor = self._compressor
        if compressor is None:
            return chunk
        if self._backlog is not None:
            self._backlog.put(compressor, chunk, finishing)
            return b""
        if finishing:
            return compressor.compress(chunk) + compressor.finish()
        if not chunk:
            return b""  # all that came before has been flushed
        return compressor.compress(chunk) + compressor.flush()


class GZipContentEncoding(_Compression):
    """Compresses text for clients that accept gzip (setting ``compress_response=True``).

    Subclasses set the class attributes to others, and are given to the application as its ``transforms``. For
    more than gzip there is `ContentEncoding`.
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

    _names = ("gzip",)

    def _coding(self, name: str) -> tuple[Coding, int]:
        return GZIP, self.GZIP_LEVEL

    def _compressible_type(self, content_type: str) -> bool:
        return content_type.startswith("text/") or content_type in self.CONTENT_TYPES

    def _min_length(self) -> int:
        return self.MIN_LENGTH


class ContentEncoding(_Compression):
    """Compresses by zstd, br or gzip, whichever the client prefers; see `ContentCodings`, which the setting
    ``compress_response`` takes.

    A response with ``Cache-Control: no-transform`` is left alone.

    :cvar CODINGS: `ContentCodings` to go by; subclasses set their own.
    """

    CODINGS: ContentCodings

    def __init__(self, request: httputil.HTTPServerRequest) -> None:
        codings = self._codings = self.CODINGS
        self._names = codings._names
        super().__init__(request)

    def _coding(self, name: str) -> tuple[Coding, int]:
        return self._codings._chosen[name]

    def _compressible_type(self, content_type: str) -> bool:
        return self._codings._compressible(content_type)

    def _min_length(self) -> int:
        return self._codings.min_length

    def _is_idle(self, content_type: str, length: int) -> bool:
        # `GZipContentEncoding` compresses the smallest of static files, as ever.
        return length < self._codings.min_length or super()._is_idle(content_type, length)

    def _may_change(self, headers: httputil.HTTPHeaders) -> bool:
        # RFC 9111 section 5.2.2.6 speaks to intermediaries; programs use it to speak to compressors at large.
        directives = headers.get("Cache-Control")
        return directives is None or "no-transform" not in directives.lower()


def transforms_of(settings: dict[str, Any]) -> list[type[Any]]:
    """The transforms that an application's settings ask for.

    :raises ValueError: if ``compress_response`` holds what it may not.
    """
    setting = settings.get("compress_response")
    if setting and isinstance(setting, (ContentCodings, dict, list, tuple, str)):
        return [type("ContentEncoding", (ContentEncoding,), {"CODINGS": ContentCodings._of(setting)})]
    return [GZipContentEncoding] if setting or settings.get("gzip") else []


def are_ours(transforms: list[Any]) -> bool:
    """Whether all of them compress, and do it as it is written here."""
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
    """Whether transforms would but add Vary to a response of that type (in lower case, without parameters)
    and length.
    """
    return are_ours(transforms) and all(each._is_idle(content_type, length) for each in transforms)


def drop_idle(handler: RequestHandler, length: int) -> None:
    """Take the handler's transforms off a response of known length that they would not compress, so that its
    body may go the ways that are open without them.
    """
    transforms, headers = handler._transforms, handler._headers
    if handler._headers_written or not are_ours(transforms):
        return
    content_type = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if (
        handler._status_code == 206
        or "Content-Encoding" in headers
        or all(each._is_idle(content_type, length) or not each._may_change(headers) for each in transforms)
    ):
        handler._transforms = []
        _add_vary(headers)


def _add_vary(headers: httputil.HTTPHeaders) -> None:
    present = headers.get("Vary")
    if not present:
        headers["Vary"] = "Accept-Encoding"
        return
    names = [name.strip().lower() for name in present.split(",")]
    if "accept-encoding" not in names and "*" not in names:
        headers["Vary"] = present + ", Accept-Encoding"
