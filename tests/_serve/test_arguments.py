from __future__ import annotations

import pytest

from tornado._serve.arguments import ConfigurationError, parse, suggestion


def test_target_values_and_switches():
    parsed = parse(["app:x", "--workers", "2", "--bind=:80", "--bind", "unix:a=b", "--help", "--config", "c"])
    assert parsed.target == "app:x"
    assert parsed.values == {"workers": ["2"], "bind": [":80", "unix:a=b"]}
    assert parsed.switches == {"--help"}
    assert parsed.config == "c"


def test_last_value_of_an_option_counts():
    assert parse(["--workers=2", "--workers=3"]).values == {"workers": ["3"]}


def test_flags_have_no_value_or_an_explicit_one():
    assert parse(["--reload", "app"]).values == {"reload": ["true"]}
    assert parse(["--reload", "app"]).target == "app"
    assert parse(["--reload=no"]).values == {"reload": ["no"]}
    assert parse(["--no-reload"]).values == {"reload": ["false"]}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--worker=2"], r"unknown option --worker; did you mean --workers\?"),
        (["--print-confg"], r"did you mean --print-config\?"),
        (["--xyz"], "unknown option --xyz$"),
        (["-w", "2"], "unknown option -w$"),
        (["--no-workers"], "unknown option --no-workers"),
        (["--no-reload=1"], "unknown option --no-reload"),
        (["--workers"], "--workers: expected a value, such as --workers=VALUE, got none"),
        (["--workers", "--reload"], "--workers: expected a value, got the option --reload"),
        (["a", "b"], "unexpected argument 'b': the target is already 'a'"),
    ],
)
def test_wrong_command_lines_are_explained(words, message):
    with pytest.raises(ConfigurationError, match=message):
        parse(words)


def test_names_that_are_not_similar_are_not_suggested():
    assert suggestion("serv", ["serve"]) == "; did you mean serve?"
    assert suggestion("grace", ["serve", "reload"]) == ""
