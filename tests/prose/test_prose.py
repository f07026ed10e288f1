"""The prose check finds the phrases that its rules describe."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.prose.__main__ import Passage, Permitted, Rule, check, load, passages

RULES, PERMITTED = load()

#: For each rule: its name, text that it finds, and similar text that it accepts.
EXAMPLES = [
    ("people", "The peer who sent it.", "Users who deploy it."),
    ("people", "Nobody reads it.", "It is never read."),
    ("is no", "This is no token.", "It is None, and there is no token."),
    ("headless clause", "What waits is sent.", "What happens if it closes?"),
    ("metaphor", "It lets go of the socket.", "It releases the socket."),
    ("so many", "Closes so many at a time.", "It took so much that a limit is needed."),
    ("is to be", "The body is to be read.", "The body must be read."),
    ("word order", "It waits for ever.", "It waits without a limit."),
    ("field spelling", "Return it.\n\n:arg name: the name.", "Return it.\n\n:param name: the name."),
]


@pytest.mark.parametrize(("name", "odd", "plain"), EXAMPLES)
def test_rule_finds_odd_phrase_and_accepts_plain_one(name: str, odd: str, plain: str) -> None:
    (rule,) = [each for each in RULES if each.name == name]
    assert list(rule.matches(odd))
    assert not list(rule.matches(plain))


def test_every_rule_has_an_example() -> None:
    assert {each.name for each in RULES} == {name for name, *_ in EXAMPLES}


def test_passages_of_python_are_docstrings_comments_and_messages(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text(
        '"""First."""\n\n# Second\n# line.\nx = "not a message at all"\n\n\n'
        'def f():\n    """Third.\n\n    >>> f()  # who\n    """\n'
        '    log.warning("the fourth one: %s", x)\n    raise ValueError(f"the fifth one: {x}")\n'
    )
    found = {" ".join(each.text.split()) for each in passages(path, "module.py")}
    assert found == {"First.", "Second line.", "Third.", "the fourth one: %s", "the fifth one:"}


def test_passages_of_markdown_leave_out_fenced_code(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text("# Title\n\nOne\nparagraph.\n\n```python\nwho = 1\n\nhe = 2\n```\nAfter.\n")
    found = [(each.line, each.text) for each in passages(path, "page.md")]
    assert found == [(1, "# Title"), (3, "One\nparagraph."), (11, "After.")]


def test_quotations_are_not_checked() -> None:
    assert not check([Passage("a.py", 1, 'The header "X-Who: who" and `nobody`.')], RULES, [])


def test_exception_permits_its_phrase_and_is_reported_without_use() -> None:
    rule = Rule("people", re.compile("who"), None, "Name it.")
    passage = Passage("a.md", 7, "the one who asks")
    permitted = Permitted("a.md", "one who asks", "a quotation")
    assert check([passage], [rule], []) == ["a.md:7: people: 'who'. Name it."]
    assert check([passage], [rule], [permitted]) == []
    (problem,) = check([Passage("a.md", 7, "fine")], [rule], [permitted])
    assert "is not needed" in problem
