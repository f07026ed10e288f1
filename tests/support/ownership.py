"""The private attributes that a file touches although another file defines them.

An attribute is private if its name begins with one underscore. A *reach* is an access to a private attribute
in a file that does not own it:

- ``x._name``, read, written or deleted, or
- its name as a string: ``getattr(x, "_name")``, also with ``setattr``, ``hasattr``, ``delattr``,
  ``attrgetter`` and ``patch.object``.

A file owns the names that it defines: by a function, a class, a variable, an entry of ``__slots__``, or an
assignment to an attribute of ``self`` or ``cls``. An access through ``self``, ``cls``, ``super()`` or
``type(self)`` is never a reach, because a subclass may use the attributes of its base class. Neither is a
name of an imported module, as in ``sys._getframe``, or a method of named tuples. Private attributes of other
packages, such as those of asyncio's event loops, do count.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

#: The documented methods and attributes of named tuples, whose names begin with an underscore.
_NAMED_TUPLE = {"_asdict", "_field_defaults", "_fields", "_make", "_replace"}
#: Text without which a file cannot contain a reach.
_CANDIDATE = re.compile(r"(?<!\bself)(?<!\bcls)\._[^\W_]|[\"']_[^\W_]")
_NAMED_BY_STRING = {"getattr", "setattr", "hasattr", "delattr", "attrgetter", "object"}


@dataclass(frozen=True)
class Reach:
    """An access to the private attribute ``name`` of another file's class."""

    path: Path
    line: int
    name: str
    #: The access as source text.
    text: str
    #: Whether it assigns or deletes the attribute.
    writes: bool

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {'writes' if self.writes else 'reads'} {self.text}"


def is_private(name: str) -> bool:
    """Whether the name begins with exactly one underscore and has further characters."""
    return len(name) > 1 and name[0] == "_" != name[1]


def defined_names(tree: ast.AST) -> set[str]:
    """Return the names that a file owns."""
    return _analysed(tree)[0]


def reaches(path: Path) -> list[Reach]:
    """Return the accesses of a file to private attributes that it does not own, by line."""
    text = path.read_text(encoding="utf-8")
    if not _CANDIDATE.search(text):
        return []  # true for most files, whose parsing would take seconds
    names, modules, accesses = _analysed(ast.parse(text, str(path)))
    owned = names | _NAMED_TUPLE
    found = [
        Reach(path, node.lineno, name, ast.unparse(node), writes)
        for node, name, target, writes in accesses
        if name not in owned and not (isinstance(target, ast.Name) and target.id in modules)
    ]
    return sorted(found, key=lambda each: each.line)


def _analysed(tree: ast.AST) -> tuple[set[str], set[str], list[tuple[ast.expr, str, ast.AST, bool]]]:
    """Return the names that a file owns, the modules it imports, and the accesses to private attributes.

    An access consists of its node, the attribute's name, the object, and whether it writes. Those through
    ``self`` and the like are left out.
    """
    names: set[str] = set()
    modules: set[str] = set()
    accesses = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            writes = not isinstance(node.ctx, ast.Load)
            if not _is_own(node.value):
                if is_private(node.attr):
                    accesses.append((node, node.attr, node.value, writes))
            elif isinstance(node.ctx, ast.Store):
                names.add(node.attr)
        elif isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Store):
                names.add(node.id)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            if ast.unparse(node.targets[0]) == "__slots__":
                names.update(text for inner in ast.walk(node.value) for text in _constant(inner))
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            modules.update(_imported_modules(node))
        elif isinstance(node, ast.Call):
            accesses += [(node, *each) for each in _named_by_string(node)]
    return names, modules, accesses


def _named_by_string(node: ast.Call) -> Iterator[tuple[str, ast.AST, bool]]:
    """Yield the name, the object and whether it writes, for each private attribute named by a string."""
    function = getattr(node.func, "attr", getattr(node.func, "id", ""))
    if function in _NAMED_BY_STRING and node.args and not _is_own(node.args[0]):
        for name in [name for argument in node.args for name in _constant(argument) if is_private(name)]:
            yield name, node.args[0], function not in ("getattr", "hasattr", "attrgetter")


def _constant(node: ast.AST) -> list[str]:
    return [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []


def _is_own(node: ast.AST) -> bool:
    if isinstance(node, ast.Name):
        return node.id in ("self", "cls")
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func.id == "super" or (node.func.id == "type" and all(map(_is_own, node.args)))
    return False


def _imported_modules(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    """Yield the names that an import binds to modules: names of classes begin with a capital letter."""
    for alias in node.names:
        if isinstance(node, ast.Import):
            yield alias.asname or alias.name.partition(".")[0]
        elif not alias.name.lstrip("_")[:1].isupper():
            yield alias.asname or alias.name
