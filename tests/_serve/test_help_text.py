from __future__ import annotations

from tornado._serve.help_text import TEXTS, serve_help
from tornado._serve.options import TABLE


def test_each_option_is_described_under_its_group():
    text = serve_help()
    for option in TABLE:
        assert f"\n  {option.flag}" in text
        assert f"\n{option.group}:\n" in text


def test_lines_fit_into_a_terminal():
    for text in (serve_help(), *TEXTS.values()):
        assert max(len(line) for line in text.splitlines()) <= 110
