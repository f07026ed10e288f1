"""Precompressed files, such as ``app.js.br`` for ``app.js``.

A precompressed file is another representation of the same resource (RFC 9110 section 3.2). Its entity tag and
ranges differ from those of the original, its media type is the same, and responses with either have the field
Vary. It is served only if it is a regular file below the root and not older than the original.
Otherwise, an outdated file would be served after a change of the original.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from tornado._wire.content_negotiation import choose_coding
from tornado.web._errors import HTTPError
from tornado.web._files._static_paths import Directories, OpenFile, open_within, try_stat

#: The suffixes of precompressed files by content coding, in the server's order of preference.
SUFFIXES = {"br": ".br", "zstd": ".zst", "gzip": ".gz"}


class PrecompressedFile(NamedTuple):
    """The representation to send if a file has precompressed variants.

    :ivar file: the precompressed file, or None to send the original.
    :ivar coding: its content coding, or None for the original.
    """

    file: OpenFile | None
    coding: str | None


def wanted(own: Any, setting: Any) -> tuple[str, ...]:
    """Return the content codings to look for.

    :param own: the attribute ``precompressed`` of the class; None means that the setting applies.
    :param setting: the setting ``static_precompressed``.
    :raises ValueError: if the value is not a list of codings, or a coding is unknown.
    """
    chosen = setting if own is None else own
    if not chosen:
        return ()
    if chosen is True:
        return tuple(SUFFIXES)
    if not isinstance(chosen, Iterable):
        raise ValueError(f"static_precompressed must be True or a list of codings, got {chosen!r}")
    names: Sequence[str] = (chosen,) if isinstance(chosen, str) else tuple(chosen)
    for name in names:
        if not isinstance(name, str) or name not in SUFFIXES:
            raise ValueError(
                f"static_precompressed: unknown coding {name!r}; accepted are {', '.join(SUFFIXES)}"
            )
    return tuple(names)


def find(
    plain: OpenFile, codings: Sequence[str], accept_encoding: str | None, root: str, links_into: Directories
) -> PrecompressedFile | None:
    """Choose between a file and its precompressed variants; None if it has no variants."""
    available = [coding for coding in codings if _is_current(plain, plain.path + SUFFIXES[coding])]
    if not available:
        return None
    while available:
        coding = choose_coding(accept_encoding, available)
        if coding is None:
            break
        try:
            file = open_within(plain.path + SUFFIXES[coding], root, links_into)
        except (OSError, HTTPError):
            available.remove(coding)  # deleted since the check, or a link to a file outside the root
            continue
        if _is_not_older(file.stat.st_mtime_ns, plain):
            return PrecompressedFile(file, coding)
        file.close()
        available.remove(coding)
    return PrecompressedFile(None, None)


def _is_current(plain: OpenFile, path: str) -> bool:
    found = try_stat(path)
    return found is not None and stat.S_ISREG(found.st_mode) and _is_not_older(found.st_mtime_ns, plain)


def _is_not_older(modified: int, plain: OpenFile) -> bool:
    return modified >= plain.stat.st_mtime_ns
