"""Find turns of phrase that the text of this project avoids: ``scripts/prose [PATH...]``.

The rules and their exceptions are in ``rules.toml``. Docstrings, comments, messages of exceptions and log
records, and Markdown paragraphs are read. The exit status is 1 if a rule applies anywhere, or if an exception
is not needed any more.
"""

from __future__ import annotations

import ast
import io
import re
import subprocess
import sys
import tokenize
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
RULES = Path(__file__).with_name("rules.toml")
#: Quotations: code between backticks, and text between quotation marks.
_QUOTED = re.compile(r"``.+?``|`[^`]+`|\"[^\"\n]{1,60}\"", re.DOTALL)
_DOCTEST = re.compile(r"^\s*(?:>>>|\.\.\.).*$", re.MULTILINE)
#: Methods of loggers, and their wrappers, whose first string is a message.
_LOGGING = frozenset({"debug", "info", "warning", "error", "exception", "critical", "log"})


@dataclass(frozen=True)
class Passage:
    """A piece of prose.

    :ivar line: the number of its first line.
    """

    path: str
    line: int
    text: str


@dataclass(frozen=True)
class Rule:
    """A turn of phrase to avoid.

    :ivar unless_after: a pattern; the rule does not apply after text that ends with a match of it.
    :ivar advice: what to write instead.
    """

    name: str
    pattern: re.Pattern[str]
    unless_after: re.Pattern[str] | None
    advice: str

    def matches(self, text: str) -> Iterator[str]:
        """Return the phrases in `text` that the rule is about."""
        for match in self.pattern.finditer(text):
            if self.unless_after is None or not self.unless_after.search(text[: match.start()]):
                yield " ".join(match.group().split())


@dataclass(frozen=True)
class Permitted:
    """An exception: a phrase that is correct in one file."""

    path: str
    phrase: str
    reason: str


def load() -> tuple[list[Rule], list[Permitted]]:
    """Read the rules and their exceptions.

    :raises KeyError: if a rule lacks its advice, or an exception its reason.
    """
    data = tomllib.loads(RULES.read_text(encoding="utf-8"))
    rules = [
        Rule(
            each["name"],
            _compiled(each["pattern"], case=each.get("case", False)),
            _compiled(each["unless_after"]) if "unless_after" in each else None,
            each["advice"],
        )
        for each in data["rule"]
    ]
    return rules, [
        Permitted(each["path"], each["phrase"], each["reason"]) for each in data.get("exception", [])
    ]


def _compiled(pattern: str, case: bool = False) -> re.Pattern[str]:
    return re.compile(pattern, re.MULTILINE | (0 if case else re.IGNORECASE))


def passages(path: Path, name: str) -> Iterator[Passage]:
    """Return the prose of a Python or Markdown file.

    :param name: the file's path as reports show it.
    """
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        yield from _paragraphs(text, name)
        return
    yield from _strings(ast.parse(text), name)
    yield from _comments(text, name)


def _strings(tree: ast.Module, name: str) -> Iterator[Passage]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            docstring = ast.get_docstring(node)
            if docstring:
                yield Passage(name, node.body[0].lineno, _DOCTEST.sub("", docstring))
        elif isinstance(node, ast.Raise) and node.exc is not None:
            yield from _messages(node.exc, name)
        elif isinstance(node, ast.Call) and _is_logging(node.func):
            yield from _messages(node, name)


def _is_logging(function: ast.expr) -> bool:
    return isinstance(function, ast.Attribute) and function.attr in _LOGGING


def _messages(node: ast.expr, name: str) -> Iterator[Passage]:
    for leaf in ast.walk(node):
        if isinstance(leaf, ast.Constant) and isinstance(leaf.value, str) and leaf.value.count(" ") > 1:
            yield Passage(name, leaf.lineno, leaf.value)


def _comments(text: str, name: str) -> Iterator[Passage]:
    block: list[str] = []
    first = last = 0
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type != tokenize.COMMENT:
            continue
        if block and token.start[0] != last + 1:
            yield Passage(name, first, " ".join(block))
            block = []
        if not block:
            first = token.start[0]
        block.append(token.string.lstrip("#: "))
        last = token.start[0]
    if block:
        yield Passage(name, first, " ".join(block))


def _paragraphs(text: str, name: str) -> Iterator[Passage]:
    block: list[str] = []
    fenced = False
    first = 1
    for number, line in enumerate([*text.split("\n"), ""], 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
            line = ""
        if line.strip() and not fenced:
            if not block:
                first = number
            block.append(line)
        elif block:
            yield Passage(name, first, "\n".join(block))
            block = []


def check(found: list[Passage], rules: list[Rule], permitted: list[Permitted]) -> list[str]:
    """Return a line for each phrase that a rule is about, and for each exception that is not needed.

    :param found: passages; they include those of all files that `permitted` names.
    """
    problems = []
    used = set()
    for passage in found:
        text = _QUOTED.sub("``", passage.text)
        for rule in rules:
            for phrase in rule.matches(text):
                here = {
                    each for each in permitted if each.path == passage.path and each.phrase in passage.text
                }
                used |= here
                if not here:
                    problems.append(f"{passage.path}:{passage.line}: {rule.name}: {phrase!r}. {rule.advice}")
    names = {passage.path for passage in found}
    problems += [
        f"rules.toml: the exception {each.phrase!r} of {each.path} is not needed"
        for each in permitted
        if each not in used and each.path in names
    ]
    return problems


def files(arguments: list[str]) -> list[Path]:
    """Return the Python and Markdown files that git tracks, below `arguments` or everywhere.

    :raises subprocess.CalledProcessError: outside a git checkout.
    """
    command = ["git", "ls-files", "-z", "--", *(arguments or ["."])]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    paths = [ROOT / each for each in listed.split("\0") if each]
    return [each for each in paths if each.suffix in {".py", ".md"} and each.is_file()]


def main(arguments: list[str]) -> Any:
    rules, permitted = load()
    found = [passage for path in files(arguments) for passage in passages(path, str(path.relative_to(ROOT)))]
    problems = check(found, rules, permitted)
    print("\n".join([*problems, f"{len(problems)} problems in {len(found)} passages"]))  # noqa: T201
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
