"""Template loaders for directories and dictionaries, and their base class."""

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

# Maximum number of file names in a directory that are compared with the name of a missing file.
_MAX_COMPARED = 500


class BaseLoader:
    """Base class of loaders, which load templates by name and cache them.

    A subclass defines ``_create_template(name)`` and `resolve_path`.

    :param autoescape: the name of the function that escapes expressions, None for no escaping. A template may
        override it.
    :param namespace: names that all templates can use, and their values.
    :param whitespace: the mode of `filter_whitespace` for all templates.
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
        # The lock is held while a template is created. It is reentrant, because creating a template loads the
        # templates that it refers to.
        self.lock: threading.RLock = threading.RLock()
        self._loading: list[str] = []

    def reset(self) -> None:
        """Clear the cache, so that templates are loaded again."""
        with self.lock:
            self.templates = {}

    def resolve_path(self, name: str, parent_path: str | None = None) -> str:
        """Return the full name of a template that another template refers to.

        :param name: the name as it is written in the other template.
        :param parent_path: the full name of the other template.
        """
        raise NotImplementedError(f"{type(self).__qualname__} must define resolve_path()")

    def load(self, name: str, parent_path: str | None = None) -> Template:
        """Load a template, or return it from the cache; see `resolve_path` for the arguments.

        :raises TemplateNotFoundError: if the template does not exist.
        :raises ParseError: if the template is not well-formed, or includes or extends itself.
        """
        name = self.resolve_path(name, parent_path=parent_path)
        with self.lock:
            if name not in self.templates:
                self.templates[name] = self._load(name)
            return self.templates[name]

    def _load(self, name: str) -> Template:
        if name in self._loading:
            cycle = " -> ".join([*self._loading[self._loading.index(name) :], name])
            raise ParseError(f"template extends or includes itself: {cycle}", name)
        self._loading.append(name)
        try:
            return self._create_template(name)
        finally:
            self._loading.pop()

    def _create_template(self, name: str) -> Template:
        raise NotImplementedError(f"{type(self).__qualname__} must define _create_template()")


class Loader(BaseLoader):
    """Loads templates from files in a directory.

    An absolute name may be outside of the directory: programs such as Panel use such names. Never construct a
    template's name from data in a request.

    :param root_directory: the directory. Symbolic links in it may point outside; relative names may not.
    :param kwargs: the arguments of `BaseLoader`.
    """

    def __init__(self, root_directory: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.root: str = os.path.abspath(root_directory)

    def resolve_path(self, name: str, parent_path: str | None = None) -> str:
        """Return a name relative to the root. Names in a template are relative to its directory."""
        if not parent_path or parent_path.startswith(("<", "/")) or name.startswith("/"):
            return name
        directory = os.path.dirname(os.path.join(self.root, parent_path))
        return os.path.relpath(os.path.join(directory, name), self.root)

    def _create_template(self, name: str) -> Template:
        path = os.path.abspath(os.path.join(self.root, name))
        if not os.path.isabs(name) and not path.startswith(os.path.join(self.root, "")):
            raise _not_found(f"template {name!r} is outside of the template directory {self.root}", path)
        try:
            with open(path, "rb") as file:
                source = file.read()
        except (FileNotFoundError, NotADirectoryError):
            error = _not_found(f"template {name!r} not found in the template directory {self.root}", path)
            if close := _similar_name(path):
                error.add_note(f"did you mean {posixpath.join(posixpath.dirname(name), close)!r}?")
            raise error from None
        return Template(source, name=name, loader=self)


class DictLoader(BaseLoader):
    """Loads templates from a dictionary, for tests and small programs.

    :param dict: template name -> source.
    :param kwargs: the arguments of `BaseLoader`.
    """

    def __init__(self, dict: dict[str, str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dict = dict

    def resolve_path(self, name: str, parent_path: str | None = None) -> str:
        """Return the full name. Names in a template are relative to the part of its name up to the last
        slash.
        """
        if not parent_path or parent_path.startswith(("<", "/")) or name.startswith("/"):
            return name
        return posixpath.normpath(posixpath.join(posixpath.dirname(parent_path), name))

    def _create_template(self, name: str) -> Template:
        try:
            source = self.dict[name]
        except KeyError:
            known = ", ".join(sorted(self.dict)[:10]) or "no templates"
            raise _not_found(
                f"template {name!r} not found in the dictionary, which contains {known}", name
            ) from None
        return Template(source, name=name, loader=self)


def _similar_name(path: str) -> str | None:
    """Return the file name most similar to that of a missing file, in the same directory."""
    import difflib  # imported here because it is needed only for errors

    directory, name = os.path.split(path)
    try:
        with os.scandir(directory) as entries:
            names = [entry.name for entry in itertools.islice(entries, _MAX_COMPARED)]
    except OSError:
        return None
    return next(iter(difflib.get_close_matches(name[:255], names, n=1)), None)


def _not_found(message: str, path: str) -> TemplateNotFoundError:
    return TemplateNotFoundError(errno.ENOENT, message, path)
