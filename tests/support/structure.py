"""Facts about classes and functions, from their source: boolean state, branches.

Also `differences`, which compares such facts with a table that may only shrink.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
#: Classes derived from these describe dictionaries, values and interfaces; they have no state.
_STATELESS_BASES = {"TypedDict", "NamedTuple", "Protocol", "Enum", "Flag", "IntEnum", "IntFlag", "StrEnum"}
_BRANCHES = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler)


def boolean_state(definition: ast.ClassDef) -> set[str]:
    """Return the boolean attributes of a class, or nothing if its instances are values.

    A boolean attribute is one that the class body, or a method through ``self``, annotates as ``bool`` or
    assigns True or False to. Attributes of base classes do not count, and neither do local variables or
    public attributes of the class that no method assigns: those are settings, which subclasses override.

    Instances are values if no method other than ``__init__``, ``__new__`` and ``__post_init__`` assigns any
    of these attributes: the parsed head of a message, a frozen dataclass, a class that only describes
    settings. A ``TypedDict``, a ``NamedTuple``, a ``Protocol`` and an ``Enum`` have no state either.
    """
    if any(ast.unparse(base).rpartition(".")[2] in _STATELESS_BASES for base in definition.bases):
        return set()
    names: set[str] = set()
    assigned: set[str] = set()
    changed: set[str] = set()
    for statement in definition.body:
        for target, is_boolean in _assignments(statement):
            if is_boolean and isinstance(target, ast.Name):
                names.add(target.id)
    for method in definition.body:
        if not isinstance(method, _FUNCTIONS):
            continue
        for statement in ast.walk(method):
            for target, is_boolean in _assignments(statement):
                if not isinstance(target, ast.Attribute) or ast.unparse(target.value) != "self":
                    continue
                assigned.add(target.attr)
                if is_boolean:
                    names.add(target.attr)
                if method.name not in ("__init__", "__new__", "__post_init__"):
                    changed.add(target.attr)
    settings = {name for name in names if not name.startswith("_") and name not in assigned}
    return names - settings if names & changed else set()


def _assignments(statement: ast.AST) -> Iterator[tuple[ast.AST, bool]]:
    """Yield each target of an assignment, and whether the value or the annotation is boolean."""
    match statement:
        case ast.AnnAssign():
            annotation = ast.unparse(statement.annotation)
            yield statement.target, _is_boolean(statement.value) or annotation in ("bool", "Final[bool]")
        case ast.Assign():
            for target in statement.targets:
                if isinstance(target, ast.Tuple) and isinstance(statement.value, ast.Tuple):
                    for each, value in zip(target.elts, statement.value.elts, strict=False):
                        yield each, _is_boolean(value)
                elif isinstance(target, ast.Tuple):
                    yield from ((each, False) for each in target.elts)
                else:
                    yield target, _is_boolean(statement.value)


def _is_boolean(value: ast.AST | None) -> bool:
    return isinstance(value, ast.Constant) and isinstance(value.value, bool)


def branches(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the number of branches of a function: ``if``, ``elif``, loops, ``except`` and ``case``.

    Functions and classes inside it are counted separately. Conditional expressions and ``and`` do not count.
    """
    count = 0
    todo: list[ast.AST] = [*function.body]
    while todo:
        node = todo.pop()
        if isinstance(node, (*_FUNCTIONS, ast.ClassDef, ast.Lambda)):
            continue
        if isinstance(node, _BRANCHES):
            count += 1
        elif isinstance(node, ast.Match):
            count += len(node.cases)
        todo.extend(ast.iter_child_nodes(node))
    return count


def definitions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, ast.AST]]:
    """Yield all classes and functions of a file, each with its qualified name, such as ``Class.method``."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
            name = prefix + node.name
            yield name, node
            yield from definitions(node, f"{name}.")
        else:
            yield from definitions(node, prefix)


def differences(found: Mapping[str, int], allowed: Mapping[str, int], table: str) -> list[str]:
    """Return a line for each count that differs from the allowed one, with the change that is required.

    :param found: the counts that are not 0.
    :param table: the name of the table of allowed counts, for the lines.
    """
    lines = []
    for name in sorted({*found, *allowed}):
        count, limit = found.get(name, 0), allowed.get(name, 0)
        if count > limit:
            lines.append(f"{name}: {count}, but at most {limit} allowed")
        elif not count:
            lines.append(f"{name}: 0 now, remove it from {table}")
        elif count < limit:
            lines.append(f"{name}: {count} now, lower it from {limit} in {table}")
    return lines
