"""Splits a command line into options and the target; the values are interpreted by `.configuration`."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tornado._serve.options import TABLE

_BY_FLAG = {option.flag: option for option in TABLE}
#: Options of the command itself, which are not part of the configuration.
_OWN = ("--config", "--print-config", "--help", "--json", "--strict", "--wait")
#: The least similarity of a name to a known one at which the known one is suggested.
_SIMILAR = 0.75


class ConfigurationError(Exception):
    """The configuration is wrong. The text is for the user: it names the option, its source and its value."""


@dataclass(slots=True)
class Arguments:
    """A command line.

    :ivar target: the target, or None. For ``ctl``, the subcommand.
    :ivar words: further arguments.
    :ivar values: the texts of the options that are given, by the option's name.
    :ivar config: the name of the configuration file, or None.
    :ivar switches: the options of the command itself that are given, such as ``--help``.
    """

    target: str | None = None
    values: dict[str, list[str]] = field(default_factory=dict)
    config: str | None = None
    words: list[str] = field(default_factory=list)
    switches: set[str] = field(default_factory=set)


def parse(arguments: Sequence[str], max_words: int = 0) -> Arguments:
    """Split a command line.

    :param max_words: the number of arguments that may follow the target.
    :raises ConfigurationError: for an unknown option, a missing value, and a second target.
    """
    parsed = Arguments()
    rest = iter(arguments)
    for argument in rest:
        if not argument.startswith("-"):
            _set_target(parsed, argument, max_words)
            continue
        flag, equals, value = argument.partition("=")
        if flag in ("-h", "--help", "--print-config", "--json", "--strict", "--wait") and not equals:
            parsed.switches.add("--help" if flag == "-h" else flag)
        elif flag == "--config":
            parsed.config = value if equals else _next_value(flag, rest)
        else:
            _add_option(parsed, flag, value if equals else None, rest)
    return parsed


def _set_target(parsed: Arguments, argument: str, max_words: int) -> None:
    if parsed.target is not None and len(parsed.words) < max_words:
        parsed.words.append(argument)
        return
    if parsed.target is not None:
        raise ConfigurationError(
            f"unexpected argument {argument!r}: the target is already {parsed.target!r}; expected one "
            "module:name"
        )
    parsed.target = argument


def _add_option(parsed: Arguments, flag: str, value: str | None, rest: Iterable[str]) -> None:
    """Add an option. The value of a flag is ``true``, or ``false`` for ``--no-`` and its name."""
    option = _BY_FLAG.get(flag)
    if option is None:
        option = _BY_FLAG.get(f"--{flag.removeprefix('--no-')}")
        if option is None or option.kind.metavar or value is not None or not flag.startswith("--no-"):
            raise ConfigurationError(f"unknown option {flag}{suggestion(flag, (*_BY_FLAG, *_OWN))}")
        value = "false"
    elif value is None:
        value = _next_value(flag, rest) if option.kind.metavar else "true"
    if option.repeatable:
        parsed.values.setdefault(option.name, []).append(value)
    else:
        parsed.values[option.name] = [value]


def _next_value(flag: str, rest: Iterable[str]) -> str:
    for value in rest:
        if value.startswith("--"):
            raise ConfigurationError(
                f"{flag}: expected a value, got the option {value}; or write {flag}=VALUE"
            )
        return value
    raise ConfigurationError(f"{flag}: expected a value, such as {flag}=VALUE, got none")


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return ``; did you mean …?`` if `name` is similar to a known name, otherwise an empty string."""
    similar = difflib.get_close_matches(name, list(known), 1, _SIMILAR)
    return f"; did you mean {similar[0]}?" if similar else ""


__all__ = ["Arguments", "ConfigurationError", "parse", "suggestion"]
