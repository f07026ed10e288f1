"""What can be wrong with a template."""

from __future__ import annotations

from typing import NamedTuple

# A template that includes itself through ever new names may fail at any depth.
_MOST_PLACES = 20


class SourcePlace(NamedTuple):
    """A line of a template, with the template's whole source."""

    template: str
    line: int
    source: str


def add_place(error: Exception, template: str, line: int, source: str) -> None:
    """Note on an error which line of a template it is about, innermost first; `places_of` tells them.

    Tools that show errors find the source there: a template that does not compile leaves no frame in a
    traceback.
    """
    places: list[SourcePlace] = error.__dict__.setdefault("_template_places", [])
    place = SourcePlace(template, line, source)
    if len(places) < _MOST_PLACES and place not in places:
        places.append(place)


def note_once(error: BaseException, note: str) -> None:
    """Add a note to an error, unless it has it: a program may raise the same object again and again."""
    if note not in getattr(error, "__notes__", ()):
        error.add_note(note)


def places_of(error: BaseException) -> list[SourcePlace]:
    """The lines of templates that `add_place` has noted on an error, innermost first."""
    places: list[SourcePlace] = getattr(error, "_template_places", [])
    return places


class ParseError(Exception):
    """A template is not well-formed.

    :arg message: what is wrong.
    :arg filename: the template's name.
    :arg lineno: the line in the template, counted from 1.
    """

    def __init__(self, message: str, filename: str | None = None, lineno: int = 0) -> None:
        super().__init__(message, filename, lineno)
        self.message = message
        #: Where the error is, for tools that show it.
        self.filename = filename
        self.lineno = lineno

    def __str__(self) -> str:
        """The message with its place: ``message at name:line``."""
        return f"{self.message} at {self.filename}:{self.lineno}"


class TemplateNotFoundError(FileNotFoundError, KeyError):
    """A loader has no template of a name.

    It is what `open` raises and what a dictionary raises, as that is what programs catch; the message
    names the template and where it was sought.
    """

    def __str__(self) -> str:
        """The message alone."""
        return str(self.strerror)
