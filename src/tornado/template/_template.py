"""The class `Template`, which compiles its source to a function and calls the function to render a page."""

from __future__ import annotations

import functools
import linecache
from importlib.machinery import ModuleSpec
from types import CodeType
from typing import TYPE_CHECKING, Any, Protocol

from tornado.escape import to_unicode
from tornado.template import _runtime
from tornado.template._errors import ParseError, add_place, places_of
from tornado.template._runtime import STANDARD_ESCAPE
from tornado.template._whitespace import filter_whitespace, mode_for_name
from tornado.util import exec_in

if TYPE_CHECKING:
    from tornado.template import _codegen


class Loader(Protocol):
    """The part of `BaseLoader` that a template uses."""

    autoescape: str | None
    namespace: dict[str, Any]
    whitespace: str | None

    def load(self, name: str, parent_path: str | None = None) -> Template: ...


class _Unset:
    """The default of arguments for which None has a meaning."""

    def __repr__(self) -> str:
        return "..."


_UNSET = _Unset()
_MAX_NOTES = 20


def _assigns(code: CodeType, name: str) -> bool:
    """Whether a name is a local variable of the code or of a nested function."""
    inner = (constant for constant in code.co_consts if isinstance(constant, CodeType))
    return name in code.co_varnames or name in code.co_cellvars or any(_assigns(part, name) for part in inner)


def _to_template_error(error: SyntaxError, code: _codegen.Code) -> SyntaxError:
    """Convert an error in generated code to an error that refers to the line of the template."""
    lineno = error.lineno or 0
    place = GeneratedSource(code).locate(lineno)
    if place is None:
        return error
    generated = code.source.split("\n")[lineno - 1]
    lines = code.sources.get(place[0], "").split("\n")
    text = lines[place[1] - 1] if 0 < place[1] <= len(lines) else generated.strip()
    # Both the generated line and the template line contain the code of the tag. Only its columns can be
    # mapped.
    copied = generated.rpartition("  # ")[0].strip().removeprefix("_tt_tmp = ").removesuffix(":")
    offset = end = None
    if error.offset and copied and text.count(copied) == 1:
        shift = text.index(copied) - generated.index(copied)
        if 0 <= error.offset - 1 - generated.index(copied) <= len(copied):
            offset = error.offset + shift
            if error.end_lineno == lineno and error.end_offset:
                end = min(error.end_offset + shift, text.index(copied) + len(copied) + 1)
    template_error = SyntaxError(error.msg, (*place, offset, text, place[1], end))
    if place[1] and text:
        add_place(template_error, *place, code.sources.get(place[0], ""))
    return template_error


def _add_place_note(error: Exception, names: dict[str, Any], source: GeneratedSource) -> None:
    """Add a note with the template line to an error, for logs that show only the generated code."""
    lineno = 0
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_globals is names:
            lineno = trace.tb_lineno
        trace = trace.tb_next
    place = source.locate(lineno)
    if place is None:
        return
    note = f"in template {place[0]}, line {place[1]}"
    if via := source.includers(lineno):
        note += " (from " + ", ".join(f"{name}, line {line}" for name, line in reversed(via)) + ")"
    notes = getattr(error, "__notes__", [])
    if note not in notes and len(notes) < _MAX_NOTES:  # the same error may be raised repeatedly
        error.add_note(note)


class GeneratedSource:
    """The ``__loader__`` of generated code, for tracebacks and for finding the template line.

    :param root: the directory of the templates, if they are files.
    """

    def __init__(self, code: _codegen.Code, root: str | None = None) -> None:
        self._code = code
        self.root = root

    def get_source(self, fullname: str | None = None) -> str:
        """Return the generated code; called by `linecache`."""
        return self._code.source

    def locate(self, lineno: int) -> tuple[str, int] | None:
        """Return the name and line of the template for a line of the generated code.

        The debug page finds this object as ``__loader__`` in the globals of a frame in the traceback.
        """
        if 0 < lineno <= len(self._code.places):
            return self._code.places[lineno - 1]
        return None

    def includers(self, lineno: int) -> tuple[tuple[str, int], ...]:
        """Return the name and line of the tags that include the template from `locate`, outermost first."""
        return self._code.via[lineno - 1] if 0 < lineno <= len(self._code.via) else ()

    def template_source(self, template: str) -> str:
        """Return the source of a template that is part of the code; empty for any other name."""
        return self._code.sources.get(template, "")


class Template:
    """A compiled template.

    >>> Template("<li>{{ name }}</li>").generate(name="M&M")
    b'<li>M&amp;M</li>'

    :param template_string: the source, as text or UTF-8 bytes.
    :param name: the name shown in messages. Names of other templates in the source are relative to it.
    :param loader: the loader for the templates that this template extends or includes.
    :param compress_whitespace: the former spelling of ``whitespace="single"`` (True) or ``"all"`` (False).
    :param autoescape: the name of the function that escapes expressions, None for no escaping. By default
        the setting of the loader, or ``xhtml_escape``.
    :param whitespace: a mode of `filter_whitespace`. By default the setting of the loader, or else
        ``single`` for names that end with ``.html`` or ``.js`` and ``all`` for others.
    :raises ParseError: if the template is not well-formed.
    :raises SyntaxError: if its Python code is not valid; the error contains the line in the template.
    """

    def __init__(
        self,
        template_string: str | bytes,
        name: str = "<string>",
        loader: Loader | None = None,
        compress_whitespace: bool | _Unset = _UNSET,
        autoescape: str | _Unset | None = _UNSET,
        whitespace: str | None = None,
    ) -> None:
        # These modules are imported here and in `_compile`, so a program without templates starts faster.
        from tornado.template._nodes import File
        from tornado.template._parser import parse

        self.name: str = to_unicode(name)
        if not isinstance(compress_whitespace, _Unset):
            if whitespace is not None:
                raise ValueError("compress_whitespace and whitespace are mutually exclusive: pass whitespace")
            whitespace = "single" if compress_whitespace else "all"
        self.whitespace: str = (
            whitespace or (loader.whitespace if loader else None) or mode_for_name(self.name)
        )
        filter_whitespace(self.whitespace, "")  # raises ValueError if the mode is unknown
        if isinstance(autoescape, _Unset):
            autoescape = loader.autoescape if loader else STANDARD_ESCAPE
        self.namespace: dict[str, Any] = loader.namespace if loader else {}
        self.loader = loader
        self.file: File = File(self.name, autoescape, source=self._decode(template_string))
        try:
            parse(self.file.source, self.file, self.whitespace)
            self.autoescape: str | None = self.file.autoescape
            self._compile()
        except (ParseError, SyntaxError) as error:
            if not places_of(error) and error.filename == self.name and error.lineno:
                add_place(error, self.name, error.lineno, self.file.source)
            raise

    def _decode(self, source: str | bytes) -> str:
        try:
            # Editors of Windows begin a file with a byte order mark, which is not part of the page.
            return to_unicode(source).removeprefix("\ufeff")
        except UnicodeDecodeError as error:
            error.add_note(f"in template {self.name}: templates must be UTF-8")
            raise

    def _compile(self) -> None:
        from tornado.template import _codegen

        load = self.loader.load if self.loader else None
        files = _codegen.ancestry(self.file, load)
        code = _codegen.generate(files, load)
        compiled = self._to_bytecode(code)
        if _assigns(compiled, STANDARD_ESCAPE):
            code = _codegen.generate(files, load, shadowed=True)
            compiled = self._to_bytecode(code)
        #: The generated Python source, and its code object.
        self.code: str = code.source
        self.compiled = compiled
        root = getattr(self.loader, "root", None)
        source = GeneratedSource(code, root if isinstance(root, str) else None)
        module = self.name.replace(".", "_")
        self._names = {
            **_runtime.NAMES,
            "__name__": module,
            "__loader__": source,
            "__spec__": ModuleSpec(module, source),  # type: ignore[arg-type]
        }

    @property
    def _filename(self) -> str:
        return f"{self.name.replace('.', '_')}.generated.py"

    def _to_bytecode(self, code: _codegen.Code) -> CodeType:
        try:
            return compile(code.source, self._filename, "exec", dont_inherit=True)
        except SyntaxError as error:
            template_error = _to_template_error(error, code)
        # The error is raised outside of the `except` block. Otherwise its context would be the original
        # error, which refers to the generated code.
        raise template_error

    def generate(self, /, **kwargs: Any) -> bytes:
        """Render the template with the arguments as its variables, and return the output."""
        names = {**self._names, **self.namespace, **kwargs}
        function = names[STANDARD_ESCAPE]
        if function is not _runtime.NAMES[STANDARD_ESCAPE]:
            # The program has replaced xhtml_escape.
            names["_tt_escape"] = functools.partial(_runtime.escape_with, function=function)
        exec_in(self.compiled, names)
        try:
            # pop() prevents a reference cycle between the function and its globals.
            page: bytes = names.pop("_tt_execute")()
        except BaseException as error:
            if isinstance(error, Exception):
                _add_place_note(error, names, self._names["__loader__"])
            # linecache identifies sources by file name, and may have cached the source of another template
            # with the same name.
            linecache.cache.pop(self._filename, None)
            raise
        return page
