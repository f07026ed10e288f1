"""The modules of the package: their names, which of them are public, and their imports."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

#: Public modules that need an optional package, and the name of the package.
NEEDS = {
    "tornado.curl_httpclient": "pycurl",
    "tornado.platform.caresresolver": "pycares",
    "tornado.platform.twisted": "twisted",
    "tornado.testing.pytest": "pytest",
}


def package_folder() -> Path:
    """Return the folder of the package under test."""
    spec = importlib.util.find_spec("tornado")
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0])


def sources() -> dict[str, Path]:
    """Return all modules of the package by dotted name, without upstream's test suite if it is installed."""
    folder = package_folder()
    found = {}
    for path in sorted(folder.rglob("*.py")):
        parts = list(path.relative_to(folder.parent).with_suffix("").parts)
        if parts[-1] == "__init__":
            del parts[-1]
        if parts[1:2] != ["test"]:
            found[".".join(parts)] = path
    return found


def public_modules() -> list[str]:
    """Return the names of the public modules."""
    return [name for name in sources() if not any(part.startswith("_") for part in name.split("."))]


def load(name: str) -> ModuleType:
    """Import a module of the package; skip the test if an optional package that it needs is not installed."""
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    return importlib.import_module(name)


@dataclass(frozen=True)
class Import:
    """An import of the module ``imported`` by the module ``importer`` on ``line``, with dotted names."""

    importer: str
    imported: str
    line: int
    #: Whether it is under ``if TYPE_CHECKING``.
    typing_only: bool = False


def imports(name: str, path: Path, known: set[str]) -> list[Import]:
    """Return all imports of a module: at the top, inside functions, and by a dotted name in a string.

    :param known: the names of all modules. A name imported from a package is the submodule of that name if
        it is in ``known``.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    for_typing = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")
        for statement in node.body
        for inner in ast.walk(statement)
    }
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    return [
        Import(name, target, getattr(node, "lineno", 0), id(node) in for_typing)
        for node in ast.walk(tree)
        for target in _targets(node, package, known)
    ]


def _targets(node: ast.AST, package: str, known: set[str]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield alias.name
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            parents = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*parents, base]) if base else ".".join(parents)
        for alias in node.names:
            submodule = f"{base}.{alias.name}"
            yield submodule if submodule in known else base
    elif isinstance(node, ast.Call) and node.args:
        called = ast.unparse(node.func).rpartition(".")[2]
        named = node.args[0]
        if (
            called in ("import_module", "import_object", "__import__")
            and isinstance(named, ast.Constant)
            and isinstance(named.value, str)
        ):
            dotted = named.value
            while dotted not in known and dotted.startswith("tornado."):
                dotted = dotted.rpartition(".")[0]
            yield dotted


def cycles(graph: Mapping[str, set[str]]) -> list[set[str]]:
    """Return the largest groups of modules in which each module imports each other one, at least indirectly.

    These are the strongly connected components of more than one module.

    :param graph: the imported modules by importer.
    """
    reached: dict[str, set[str]] = {}
    for name in graph:
        todo, seen = [name], set()
        while todo:
            for imported in graph.get(todo.pop(), ()):
                if imported not in seen:
                    seen.add(imported)
                    todo.append(imported)
        reached[name] = seen
    groups = {
        frozenset(other for other in seen if name in reached.get(other, ()))
        for name, seen in reached.items()
        if name in seen
    }
    return sorted((set(group) for group in groups if len(group) > 1), key=sorted)
