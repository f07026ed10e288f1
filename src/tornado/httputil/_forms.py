"""Forms in request bodies: arguments and files, and how much of them is accepted."""

from __future__ import annotations

import dataclasses

from tornado._wire.errors import HTTPInputError
from tornado._wire.headers import HTTPHeaders
from tornado._wire.parameters import parse_parameters, split_parameters
from tornado._wire.urlencoded import parse_urlencoded
from tornado.util import ObjectDict

_MAX_CONTENT_TYPE_PARAMETERS = 64
_FIRST_PART = b"content-disposition:"
_URLENCODED = "application/x-www-form-urlencoded"
_MULTIPART = "multipart/form-data"


class HTTPFile(ObjectDict):
    """A file uploaded in a ``multipart/form-data`` body.

    It is a dict whose items can be reached as attributes, too.

    :ivar filename: as the client gave it; never use it as a path unchecked.
    :ivar body: its content, bytes.
    :ivar content_type: as the client gave it; ``application/unknown`` where it gave none.
    """

    filename: str
    body: bytes
    content_type: str


@dataclasses.dataclass
class ParseMultipartConfig:
    """What is accepted in ``multipart/form-data`` bodies."""

    #: Whether such bodies are parsed at all; if not, they are refused.
    enabled: bool = True

    #: The highest number of parts.
    max_parts: int = 100

    #: The most bytes that the header block of one part may have.
    max_part_header_size: int = 10 * 1024


@dataclasses.dataclass
class ParseUrlEncodedConfig:
    """What is accepted in ``application/x-www-form-urlencoded`` bodies and in queries."""

    #: The highest number of fields.
    max_arguments: int = 1000


@dataclasses.dataclass
class ParseBodyConfig:
    """What is accepted in forms, of either kind."""

    #: For ``multipart/form-data``.
    multipart: ParseMultipartConfig = dataclasses.field(default_factory=ParseMultipartConfig)

    #: For ``application/x-www-form-urlencoded``.
    urlencoded: ParseUrlEncodedConfig = dataclasses.field(default_factory=ParseUrlEncodedConfig)


#: What counts where a call gives no configuration.
default_config = ParseBodyConfig()


def set_parse_body_config(config: ParseBodyConfig) -> None:
    """Set what is accepted in forms from now on, in the whole process.

    It is meant for the start of a program; for single requests, see the ``config`` argument of
    `parse_body_arguments`.
    """
    global default_config
    default_config = config


def parse_query(query: str) -> dict[str, list[bytes]]:
    """The arguments of a query, within the limit of the default configuration.

    :raises HTTPInputError: if there are more.
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
    """Parse a form and add what is in it to ``arguments`` and ``files``; other types of body are left alone.

    :arg content_type: the Content-Type field. Only ``application/x-www-form-urlencoded`` and
        ``multipart/form-data`` are forms.
    :arg arguments: name -> values; values are bytes.
    :arg files: name -> files.
    :arg headers: if given, a form with a Content-Encoding is refused.
    :arg config: limits; those of `set_parse_body_config` where it is None.
    :raises HTTPInputError: if the form is malformed or passes a limit.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind != _URLENCODED and kind != _MULTIPART:
        return
    if headers is not None and "Content-Encoding" in headers:
        raise HTTPInputError(f"Unsupported Content-Encoding of a form: {headers['Content-Encoding']!r}")
    if config is None:
        config = default_config
    if kind == _MULTIPART:
        boundary = multipart_boundary(content_type)
        parse_multipart_form_data(boundary, body, arguments, files, config=config.multipart)
        return
    try:
        found = parse_urlencoded(body, config.urlencoded.max_arguments)
    except HTTPInputError as error:
        # Many clients, among them curl, label any data so unless they are told otherwise.
        raise HTTPInputError(
            f"{error}; data that is not a form needs a Content-Type other than {kind}"
        ) from error
    if arguments:
        for name, values in found.items():
            arguments.setdefault(name, []).extend(values)
    else:
        arguments.update(found)


def multipart_boundary(content_type: str) -> bytes:
    """The boundary parameter of a Content-Type field; two that differ would let two readers see two
    bodies.

    :raises HTTPInputError: if there is none, or more than one.
    """
    parts = split_parameters(content_type, _MAX_CONTENT_TYPE_PARAMETERS + 1)
    names = [part.partition("=")[0].strip().lower() for part in parts]
    if names.count("boundary") > 1:
        raise HTTPInputError("invalid multipart/form-data: more than one boundary in the Content-Type")
    boundary = parse_parameters(content_type, max_count=_MAX_CONTENT_TYPE_PARAMETERS)[1].get("boundary")
    if not boundary:
        raise HTTPInputError("invalid multipart/form-data: no boundary in the Content-Type")
    return boundary.encode("utf-8")


def parse_multipart_form_data(
    boundary: bytes,
    data: bytes,
    arguments: dict[str, list[bytes]],
    files: dict[str, list[HTTPFile]],
    *,
    config: ParseMultipartConfig | None = None,
) -> None:
    """Parse a whole ``multipart/form-data`` body and add its parts to ``arguments`` and ``files``.

    A part with a filename that is not empty is a file.

    :arg boundary: as in the Content-Type field, in quotes or not.
    :arg config: limits; those of `set_parse_body_config` where it is None.
    :raises HTTPInputError: if the body is malformed or passes a limit.
    """
    # Late: a program without uploads does not pay for it at its start.
    from tornado._wire.multipart import check_boundary, parse_multipart

    if config is None:
        config = default_config.multipart
    if not config.enabled:
        raise HTTPInputError("multipart/form-data parsing is disabled")
    if data[: len(_FIRST_PART)].lower() == _FIRST_PART:
        # By RFC 2046 section 5.1.1 this is a preamble, up to the first delimiter. Clients that leave that one
        # out get by on Tornado, so their first part is taken for one here too.
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
