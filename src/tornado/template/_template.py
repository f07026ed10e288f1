"""The template class: from source to a function, and from that to a page."""

from __future__ import annotations

import functools
import linecache
from importlib.machinery import ModuleSpec
from types import CodeType
from typing import TYPE_CHECKING, Any

from tornado.escape import to_unicode
from tornado.template import _codegen, _runtime
from tornado.template._nodes import File
from tornado.template._parse import parse
from tornado.template._whitespace import filter_whitespace, mode_for_name
from tornado.util import exec_in

if TYPE_CHECKING:
    from tornado.template._loader import BaseLoader


class _Unset:
    """Stands for an argument that was left out, where None has a meaning."""

    def __repr__(self) -> str:
        return "..."


_UNSET = _Unset()


def _assigns(code: CodeType, name: str) -> bool:
    """Whether a name is a local one anywhere in compiled code."""
    inner = (constant for constant in code.co_consts if isinstance(constant, CodeType))
    return name in code.co_varnames or name in code.co_cellvars or any(_assigns(part, name) for part in inner)


class GeneratedSource:
    """The ``__loader__`` of generated code: shows its lines in tracebacks and leads back to the template."""

    def __init__(self, code: _codegen.Code) -> None:
        self._code = code

    def get_source(self, fullname: str | None = None) -> str:
        """The generated code; `linecache` asks for it."""
        return self._code.source

    def locate(self, lineno: int) -> tuple[str, int] | None:
        """The template's name and line from which a line of the generated code comes.

        A debug page finds this object as ``__loader__`` in the globals of a traceback's frame.
        """
        if 0 < lineno <= len(self._code.places):
            return self._code.places[lineno - 1]
        return None


class Template:
    """A compiled template.

    >>> Template("<li>{{ name }}</li>").generate(name="M&M")
    b'<li>M&amp;M</li>'

    :arg template_string: the source, text or UTF-8.
    :arg name: what messages call it, and what relative names in it start from.
    :arg loader: gives the templates that this one extends or includes.
    :arg compress_whitespace: the old way to say ``whitespace="single"`` (True) or ``"all"`` (False).
    :arg autoescape: the name of the function that expressions go through, None for none. The loader's
        setting, or ``xhtml_escape``, where it is left out.
    :arg whitespace: a mode of `filter_whitespace`. The loader's setting where it is left out, else ``single``
        for names that end in ``.html`` or ``.js`` and ``all`` for others.
    :raises ParseError: where the template is not well-formed.
    :raises SyntaxError: where the Python code in it is not; it tells the place in the template.
    """

    def __init__(
        self,
        template_string: str | bytes,
        name: str = "<string>",
        loader: BaseLoader | None = None,
        compress_whitespace: bool | _Unset = _UNSET,
        autoescape: str | _Unset | None = _UNSET,
        whitespace: str | None = None,
    ) -> None:
        self.name = to_unicode(name)
        if not isinstance(compress_whitespace, _Unset):
            if whitespace is not None:
                raise ValueError("compress_whitespace and whitespace say the same: pass only the latter")
            whitespace = "single" if compress_whitespace else "all"
        self.whitespace = whitespace or (loader and loader.whitespace) or mode_for_name(self.name)
        filter_whitespace(self.whitespace, "")  # an unknown mode is told here, not at the first text
        if isinstance(autoescape, _Unset):
            autoescape = loader.autoescape if loader else _codegen.STANDARD_ESCAPE
        self.namespace: dict[str, Any] = loader.namespace if loader else {}
        self.loader = loader
        self.file = File(self.name, autoescape)
        parse(self._decode(template_string), self.file, self.whitespace)
        self.autoescape = self.file.autoescape
        self._compile()

    def _decode(self, source: str | bytes) -> str:
        try:
            return to_unicode(source)
        except UnicodeDecodeError as error:
            error.add_note(f"in template {self.name}: templates are UTF-8")
            raise

    def _compile(self) -> None:
        load = self.loader.load if self.loader else None
        files = _codegen.ancestry(self.file, load)
        code = _codegen.generate(files, load)
        compiled = self._to_bytecode(code)
        if _assigns(compiled, _codegen.STANDARD_ESCAPE):
            code = _codegen.generate(files, load, shadowed=True)
            compiled = self._to_bytecode(code)
        #: The generated Python source, and the same as a code object.
        self.code = code.source
        self.compiled = compiled
        source = GeneratedSource(code)
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
            place = GeneratedSource(code).locate(error.lineno or 0)
            if place is None:
                raise
            text = code.source.splitlines()[(error.lineno or 1) - 1].strip()
            raise SyntaxError(error.msg, (*place, None, text)) from error

    def generate(self, /, **kwargs: Any) -> bytes:
        """Run the template with these names and return the page."""
        names = {**self._names, **self.namespace, **kwargs}
        function = names[_codegen.STANDARD_ESCAPE]
        if function is not _runtime.NAMES[_codegen.STANDARD_ESCAPE]:
            # The program has an xhtml_escape of its own.
            names["_tt_escape"] = functools.partial(_runtime.escape_with, function=function)
        exec_in(self.compiled, names)
        try:
            # Taken out, so that the function and its globals are no cycle to be found by the collector.
            page: bytes = names.pop("_tt_execute")()
        except BaseException:
            # The traceback shows lines by their file name. Those of another template of the same name may be
            # known under it.
            linecache.cache.pop(self._filename, None)
            raise
        return page
