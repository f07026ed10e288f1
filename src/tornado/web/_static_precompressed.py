"""Files that were compressed beforehand: ``app.js.br`` beside ``app.js``.

Such a sibling is another representation of the same resource (RFC 9110 section 3.2): it has an entity tag and
ranges of its own, the media type of the original, and the answers of both say that they vary. It is served
only if it is a regular file inside the root and not older than the original, since nobody would see otherwise
that it was forgotten when the original changed.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from tornado._wire.content_codings import choose_coding
from tornado.web._errors import HTTPError
from tornado.web._static_paths import Directories, OpenFile, open_within, try_stat

#: How a sibling's name ends, by its coding, in the order of the server's preference.
SUFFIXES = {"br": ".br", "zstd": ".zst", "gzip": ".gz"}


class PrecompressedFile(NamedTuple):
    """What there is beside a file: the one to send and its coding, None for the file itself."""

    file: OpenFile | None
    coding: str | None


def wanted(own: Any, setting: Any) -> tuple[str, ...]:
    """The codings to look for, as the class says (None leaves it to the setting).

    :raises ValueError: for a coding that has no suffix here, or what is no list of names.
    """
    chosen = setting if own is None else own
    if not chosen:
        return ()
    if chosen is True:
        return tuple(SUFFIXES)
    if not isinstance(chosen, Iterable):
        raise ValueError(f"static_precompressed: neither True nor a list of codings: {chosen!r}")
    names: Sequence[str] = (chosen,) if isinstance(chosen, str) else tuple(chosen)
    for name in names:
        if not isinstance(name, str) or name not in SUFFIXES:
            raise ValueError(
                f"static_precompressed: unknown coding {name!r}; there are {', '.join(SUFFIXES)}"
            )
    return tuple(names)


def find(
    plain: OpenFile, codings: Sequence[str], accept_encoding: str | None, root: str, links_into: Directories
) -> PrecompressedFile | None:
    """Choose between a file and its siblings; None if there are none."""
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
            available.remove(coding)  # gone in this moment, or it leads out of the root
            continue
        if _not_older(file.stat.st_mtime_ns, plain):
            return PrecompressedFile(file, coding)
        file.close()
        available.remove(coding)
    return PrecompressedFile(None, None)


def _is_current(plain: OpenFile, path: str) -> bool:
    found = try_stat(path)
    return found is not None and stat.S_ISREG(found.st_mode) and _not_older(found.st_mtime_ns, plain)


def _not_older(modified: int, plain: OpenFile) -> bool:
    return modified >= plain.stat.st_mtime_ns
