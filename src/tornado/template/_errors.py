"""What can be wrong with a template."""

from __future__ import annotations


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
