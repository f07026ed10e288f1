"""Forms in request bodies: arguments, files and limits."""

from __future__ import annotations

import dataclasses

from tornado._wire.errors import HTTPInputError
from tornado._wire.field_parameters import parse_parameters, split_parameters
from tornado._wire.headers import HTTPHeaders
from tornado._wire.urlencoded import parse_urlencoded
from tornado.util import ObjectDict

_MAX_CONTENT_TYPE_PARAMETERS = 64
_FIRST_PART = b"content-disposition:"
_URLENCODED = "application/x-www-form-urlencoded"
_MULTIPART = "multipart/form-data"


class HTTPFile(ObjectDict):
    """A file uploaded in a ``multipart/form-data`` body.

    It is a dict whose items are also attributes.

    :ivar filename: the name sent by the client; never use it as a path without checking it.
    :ivar body: the content, as bytes.
    :ivar content_type: the type sent by the client; ``application/unknown`` if it sent none.
    """

    filename: str
    body: bytes
    content_type: str


@dataclasses.dataclass
class ParseMultipartConfig:
    """Limits on ``multipart/form-data`` bodies."""

    #: Whether such bodies are parsed; if not, they are rejected.
    enabled: bool = True

    #: The maximum number of parts.
    max_parts: int = 100

    #: The maximum size of the header section of one part, in bytes.
    max_part_header_size: int = 10 * 1024


@dataclasses.dataclass
class ParseUrlEncodedConfig:
    """Limits on ``application/x-www-form-urlencoded`` bodies and query strings."""

    #: The maximum number of fields.
    max_arguments: int = 1000


@dataclasses.dataclass
class ParseBodyConfig:
    """Limits on forms of both kinds."""

    #: Limits on ``multipart/form-data``.
    multipart: ParseMultipartConfig = dataclasses.field(default_factory=ParseMultipartConfig)

    #: Limits on ``application/x-www-form-urlencoded``.
    urlencoded: ParseUrlEncodedConfig = dataclasses.field(default_factory=ParseUrlEncodedConfig)


#: The configuration for calls without a ``config`` argument.
default_config = ParseBodyConfig()


def set_parse_body_config(config: ParseBodyConfig) -> None:
    """Set the limits on forms for the whole process.

    Call it when the program starts. To set limits for single requests, use the ``config`` argument of
    `parse_body_arguments`.
    """
    global default_config
    default_config = config


def parse_query(query: str) -> dict[str, list[bytes]]:
    """Parse the arguments in a query string; the limits are those of the default configuration.

    :raises HTTPInputError: if there are too many arguments.
    """
    return parse_urlencoded(query, default_config.urlencoded.max_arguments)


def is_form(content_type: str) -> bool:
    """Whether a body of this type is a form: ``application/x-www-form-urlencoded`` or
    ``multipart/form-data``."""
    return content_type.partition(";")[0].strip().lower() in (_URLENCODED, _MULTIPART)


def parse_body_arguments(
    content_type: str,
    body: bytes,
    arguments: dict[str, list[bytes]],
    files: dict[str, list[HTTPFile]],
    headers: HTTPHeaders | None = None,
    *,
    config: ParseBodyConfig | None = None,
) -> None:
    """Parse a form and add its content to ``arguments`` and ``files``. Other types of body are ignored.

    :param content_type: the Content-Type field. Only ``application/x-www-form-urlencoded`` and
        ``multipart/form-data`` are forms.
    :param arguments: name -> values; values are bytes.
    :param files: name -> files.
    :param headers: if given, a form with a Content-Encoding field is rejected.
    :param config: the limits; None for the limits set by `set_parse_body_config`.
    :raises HTTPInputError: if the form is malformed or exceeds a limit.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind != _URLENCODED and kind != _MULTIPART:
        return
    if headers is not None and "Content-Encoding" in headers:
        coding = headers["Content-Encoding"]
        raise HTTPInputError(
            f"Unsupported Content-Encoding of a form: {coding!r}; decompress_request=True accepts gzip"
        )
    if config is None:
        config = default_config
    if kind == _MULTIPART:
        boundary = multipart_boundary(content_type)
        parse_multipart_form_data(boundary, body, arguments, files, config=config.multipart)
        return
    try:
        found = parse_urlencoded(body, config.urlencoded.max_arguments)
    except HTTPInputError as error:
        # Many clients, such as curl, send this Content-Type for any data unless another one is specified.
        raise HTTPInputError(
            f"{error}; data that is not a form needs a Content-Type other than {kind}"
        ) from error
    if arguments:
        for name, values in found.items():
            arguments.setdefault(name, []).extend(values)
    else:
        arguments.update(found)


def multipart_boundary(content_type: str) -> bytes:
    """Return the boundary parameter of a Content-Type field.

    :raises HTTPInputError: if it is missing or repeated. With two boundaries, two programs could read
        different content from the same body.
    """
    parts = split_parameters(content_type, _MAX_CONTENT_TYPE_PARAMETERS + 1)
    names = [part.partition("=")[0].strip().lower() for part in parts]
    if names.count("boundary") > 1:
        raise HTTPInputError("invalid multipart/form-data: more than one boundary parameter in Content-Type")
    boundary = parse_parameters(content_type, max_count=_MAX_CONTENT_TYPE_PARAMETERS)[1].get("boundary")
    if not boundary:
        raise HTTPInputError("invalid multipart/form-data: no boundary parameter in Content-Type")
    return boundary.encode("utf-8")


def parse_multipart_form_data(
    boundary: bytes,
    data: bytes,
    arguments: dict[str, list[bytes]],
    files: dict[str, list[HTTPFile]],
    *,
    config: ParseMultipartConfig | None = None,
) -> None:
    """Parse a complete ``multipart/form-data`` body and add its parts to ``arguments`` and ``files``.

    A part with a non-empty filename is a file.

    :param boundary: the boundary as in the Content-Type field, with or without quotes.
    :param config: the limits; None for the limits set by `set_parse_body_config`.
    :raises HTTPInputError: if the body is malformed or exceeds a limit.
    """
    # Imported late, because programs without uploads do not need it.
    from tornado._wire.multipart import check_boundary, parse_multipart

    if config is None:
        config = default_config.multipart
    if not config.enabled:
        raise HTTPInputError("multipart/form-data parsing is disabled")
    if data[: len(_FIRST_PART)].lower() == _FIRST_PART:
        # According to RFC 2046 section 5.1.1, the data before the first delimiter is a preamble. However,
        # clients that omit the first delimiter work with Tornado, so this data is accepted as the first part
        # here as well.
        data = b"--%b\r\n%b" % (check_boundary(boundary), data)
    parts = parse_multipart(
        boundary, data, max_parts=config.max_parts, max_header_size=config.max_part_header_size
    )
    for part, content in parts:
        if part.filename:
            uploaded = HTTPFile(
                filename=part.filename, body=content, content_type=part.content_type or "application/unknown"
            )
            files.setdefault(part.name, []).append(uploaded)
        else:
            arguments.setdefault(part.name, []).append(content)
