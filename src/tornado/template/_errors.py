"""Errors in templates."""

from __future__ import annotations

from typing import NamedTuple

# Maximum number of places per error. A template that includes itself under different names can fail at any
# depth.
_MAX_PLACES = 20


class SourceLocation(NamedTuple):
    """A line of a template, with the source of the whole template."""

    template: str
    line: int
    source: str


def add_place(error: Exception, template: str, line: int, source: str) -> None:
    """Store a template line that an error refers to, for `places_of`. The innermost line is added first.

    Tools that show errors read the source from the error, because a template that does not compile has no
    frame in the traceback.
    """
    places: list[SourceLocation] = error.__dict__.setdefault("_template_places", [])
    place = SourceLocation(template, line, source)
    if len(places) < _MAX_PLACES and place not in places:
        places.append(place)


def note_once(error: BaseException, note: str) -> None:
    """Add a note to an error unless the error has it already. A program may raise one error object
    repeatedly.
    """
    if note not in getattr(error, "__notes__", ()):
        error.add_note(note)


def places_of(error: BaseException) -> list[SourceLocation]:
    """Return the template lines that `add_place` has stored on an error, innermost first."""
    places: list[SourceLocation] = getattr(error, "_template_places", [])
    return places


class ParseError(Exception):
    """A template is not well-formed.

    :param message: a description of the error.
    :param filename: the name of the template.
    :param lineno: the line in the template, starting from 1.
    """

    def __init__(self, message: str, filename: str | None = None, lineno: int = 0) -> None:
        super().__init__(message, filename, lineno)
        self.message = message
        #: The location of the error, for tools that show it.
        self.filename = filename
        self.lineno = lineno

    def __str__(self) -> str:
        """Return the message with its location: ``message at name:line``."""
        return f"{self.message} at {self.filename}:{self.lineno}"


class TemplateNotFoundError(FileNotFoundError, KeyError):
    """A loader did not find a template. The message contains its name and where the loader searched.

    It is both a FileNotFoundError and a KeyError, because upstream's loaders raise these and programs catch
    them.
    """

    def __str__(self) -> str:
        """Return only the message."""
        return str(self.strerror)
