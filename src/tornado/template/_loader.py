"""Where templates come from: a directory, a dictionary, or whatever a subclass thinks of."""

from __future__ import annotations

import errno
import itertools
import os
import posixpath
import threading
from typing import Any

from tornado.template._errors import ParseError, TemplateNotFoundError
from tornado.template._runtime import STANDARD_ESCAPE
from tornado.template._template import Template

# Files of a directory that a missing one's name is compared with.
_MOST_COMPARED = 500


class BaseLoader:
    """Loads templates by name, and keeps them.

    A subclass defines ``_create_template(name)``, and `resolve_path` where names may be relative to each
    other.

    :arg autoescape: the name of the function that expressions go through, None for none; a template may say
        otherwise.
    :arg namespace: names that all templates know.
    :arg whitespace: a mode of `filter_whitespace` for all templates.
    """

    def __init__(
        self,
        autoescape: str | None = STANDARD_ESCAPE,
        namespace: dict[str, Any] | None = None,
        whitespace: str | None = None,
    ) -> None:
        self.templates: dict[str, Template] = {}
        self.namespace: dict[str, Any] = namespace or {}
        self.autoescape: str | None = autoescape
        self.whitespace: str | None = whitespace
        # Held while a template is made. Making one loads those it extends and includes, hence reentrant.
        self.lock: threading.RLock = threading.RLock()
        self._being_made: list[str] = []

    def reset(self) -> None:
        """Forget the templates, so that their sources are read again."""
        with self.lock:
            self.templates = {}

    def resolve_path(self, name: str, parent_path: str | None = None) -> str:
        """The full name of a template that is mentioned in another one.

        :arg name: as it is written there.
        :arg parent_path: the full name of the other one.
        """
        raise NotImplementedError(f"{type(self).__qualname__} has to define resolve_path()")

    def load(self, name: str, parent_path: str | None = None) -> Template:
        """The template of a name; see `resolve_path` for the arguments.

        :raises TemplateNotFoundError: where there is none.
        :raises ParseError: where it is not well-formed, or includes or extends itself.
        """
        name = self.resolve_path(name, parent_path=parent_path)
        with self.lock:
            if name not in self.templates:
                self.templates[name] = self._make(name)
            return self.templates[name]

    def _make(self, name: str) -> Template:
        if name in self._being_made:
            circle = " -> ".join([*self._being_made[self._being_made.index(name) :], name])
            raise ParseError(f"templates that extend or include themselves: {circle}", name)
        self._being_made.append(name)
        try:
            return self._create_template(name)
        finally:
            self._being_made.pop()

    def _create_template(self, name: str) -> Template:
        raise NotImplementedError(f"{type(self).__qualname__} has to define _create_template()")


class Loader(BaseLoader):
    """Loads templates from the files below a directory.

    An absolute name is opened wherever it is: programs compute such names themselves, as Panel does for its
    index page. Never make one of a request's input.

    :arg root_directory: the directory. Links in it may lead elsewhere, relative names may not.
    :arg kwargs: the arguments of `BaseLoader`.
    """

    def __init__(self, root_directory: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.root: str = os.path.abspath(root_directory)

    def resolve_path(self, name: str, parent_path: str | None = None) -> str:
        """A name relative to the root; one in a template starts from that template's directory."""
        if not parent_path or parent_path.startswith(("<", "/")) or name.startswith("/"):
            return name
        directory = os.path.dirname(os.path.join(self.root, parent_path))
        return os.path.relpath(os.path.join(directory, name), self.root)

    def _create_template(self, name: str) -> Template:
        path = os.path.abspath(os.path.join(self.root, name))
        if not os.path.isabs(name) and not path.startswith(os.path.join(self.root, "")):
            raise _not_found(f"template {name!r} lies outside of the template directory {self.root}", path)
        try:
            with open(path, "rb") as file:
                source = file.read()
        except (FileNotFoundError, NotADirectoryError):
            error = _not_found(f"template {name!r} not found in the template directory {self.root}", path)
            if close := _similar(path):
                error.add_note(f"did you mean {posixpath.join(posixpath.dirname(name), close)!r}?")
            raise error from None
        return Template(source, name=name, loader=self)


class DictLoader(BaseLoader):
    """Loads templates from a dictionary of sources by name, for tests and small programs.

    :arg dict: name -> source.
    :arg kwargs: the arguments of `BaseLoader`.
    """

    def __init__(self, dict: dict[str, str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dict = dict

    def resolve_path(self, name: str, parent_path: str | None = None) -> str:
        """A name with slashes; one in a template starts from that template's part before its last slash."""
        if not parent_path or parent_path.startswith(("<", "/")) or name.startswith("/"):
            return name
        return posixpath.normpath(posixpath.join(posixpath.dirname(parent_path), name))

    def _create_template(self, name: str) -> Template:
        try:
            source = self.dict[name]
        except KeyError:
            known = ", ".join(sorted(self.dict)[:10]) or "none at all"
            raise _not_found(
                f"template {name!r} not found in the dictionary, which has {known}", name
            ) from None
        return Template(source, name=name, loader=self)


def _similar(path: str) -> str | None:
    """The name in a missing file's directory that is most like its own."""
    import difflib  # late, as a server in good order does not need it

    directory, name = os.path.split(path)
    try:
        with os.scandir(directory) as entries:
            names = [entry.name for entry in itertools.islice(entries, _MOST_COMPARED)]
    except OSError:
        return None
    return next(iter(difflib.get_close_matches(name[:255], names, n=1)), None)


def _not_found(message: str, path: str) -> TemplateNotFoundError:
    return TemplateNotFoundError(errno.ENOENT, message, path)
