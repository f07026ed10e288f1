"""The configuration of ``python -m tornado serve``, and where each of its values comes from.

A value is taken from the command line, otherwise from the environment (``WATERSPOUT_WORKERS``), otherwise
from a TOML file (``--config FILE``, by default ``waterspout.toml`` in the current directory if it exists),
otherwise it is the default.
"""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from tornado._serve.arguments import Arguments, ConfigurationError, parse, suggestion
from tornado._serve.bind import Bind, BindKind
from tornado._serve.options import BY_NAME, NEED_FORK, PREFIX, Option

#: The configuration file that is read if there is no ``--config``.
DEFAULT_FILE = "waterspout.toml"
_CONFIG_VARIABLE = f"{PREFIX}CONFIG"
_DEFAULT = "default"
#: The options whose values are not shown.
_SECRET = frozenset({"admin_token"})


@dataclass(frozen=True, slots=True)
class Configuration:
    """The values of all options; `.options.TABLE` describes them.

    Durations are in seconds and sizes in bytes. ``origins`` has the source of each value, for messages and
    ``--print-config``.
    """

    target: str
    bind: tuple[Bind, ...]
    socket_mode: int
    backlog: int
    certificate: str | None
    key: str | None
    trusted_proxies: tuple[str, ...]
    protection: str
    max_body_size: int | None
    max_header_size: int | None
    max_header_count: int | None
    max_form_size: int | None
    max_json_size: int | None
    max_buffer_size: int | None
    max_inflation_ratio: int | None
    max_connections: int | None
    max_connections_per_address: int | None
    max_pipelined_requests: int | None
    header_timeout: float | None
    body_timeout: float | None
    idle_connection_timeout: float | None
    tls_handshake_timeout: float | None
    min_body_rate: int | None
    min_send_rate: int | None
    rate_window: float | None
    workers: int
    loop: str
    preload: bool
    reload: bool
    start_timeout: float
    hang_timeout: float | None
    max_requests: int | None
    max_requests_jitter: int
    max_memory: int | None
    grace: float
    drain_delay: float
    drain_batch_size: int
    drain_batch_interval: float
    access_log: str
    request_id: bool
    log_format: str
    admin: Bind | None
    admin_token: str | None
    admin_certificate: str | None
    admin_key: str | None
    pid_file: str | None
    user: str | None
    group: str | None
    origins: Mapping[str, str] = field(default_factory=dict, compare=False)

    def is_default(self, name: str) -> bool:
        """Whether no source sets the option `name`."""
        return self.origins.get(name, _DEFAULT) == _DEFAULT


@dataclass(frozen=True, slots=True)
class _Source:
    """The texts of one option, and a description of the place they come from."""

    texts: list[str]
    origin: str


def load(arguments: Sequence[str], environment: Mapping[str, str]) -> Configuration:
    """Return the configuration for a command line, without the name of the command.

    :raises ConfigurationError: if it is wrong; the text is for the user.
    """
    return resolve(parse(arguments), environment)


def resolve(arguments: Arguments, environment: Mapping[str, str]) -> Configuration:
    """Return the configuration for a parsed command line; see `load`."""
    file, table = _read_file(arguments, environment)
    _check_variables(environment)
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for name, option in BY_NAME.items():
        source = _source_of(option, arguments, environment, file, table)
        values[name], origins[name] = _value(option, source), source.origin
    configuration = Configuration(**values, origins=origins)
    _check_combinations(configuration)
    return configuration


def text_of(name: str, arguments: Arguments, environment: Mapping[str, str]) -> str | None:
    """Return the text of one option, without interpreting it, or None if no source sets it.

    :raises ConfigurationError: if the configuration file is wrong.
    """
    file, table = _read_file(arguments, environment)
    source = _source_of(BY_NAME[name], arguments, environment, file, table)
    return source.texts[0] if source.texts else None


def describe(configuration: Configuration) -> str:
    """Return a line for each option with its value and the source of the value, for ``--print-config``."""
    rows = [
        (each.name, _shown(each.name, getattr(configuration, each.name)), configuration.origins[each.name])
        for each in fields(configuration)
        if each.name in BY_NAME
    ]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    return "".join(f"{name:{widths[0]}}  {value:{widths[1]}}  {origin}\n" for name, value, origin in rows)


def _shown(name: str, value: Any) -> str:
    """Return the value of an option in the form in which the option accepts it."""
    if name == "socket_mode":
        return f"{value:o}"
    if name in _SECRET and value is not None:
        return "(secret)"
    if value is None:
        return "-"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "-"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _read_file(arguments: Arguments, environment: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    """Return the name and the content of the configuration file; the content is empty if there is none."""
    chosen = arguments.config or environment.get(_CONFIG_VARIABLE)
    file = chosen or DEFAULT_FILE
    try:
        with open(file, "rb") as opened:
            table = tomllib.load(opened)
    except FileNotFoundError:
        if chosen is None:
            return file, {}
        origin = "--config" if arguments.config else _CONFIG_VARIABLE
        raise ConfigurationError(f"{origin}: the file {file!r} does not exist") from None
    except OSError as error:
        raise ConfigurationError(f"cannot read the configuration file {file!r}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the configuration file {file!r} is not valid TOML: {error}") from None
    normal = {key.replace("-", "_"): value for key, value in table.items()}
    for key in normal.keys() - BY_NAME.keys():
        hint = suggestion(key, BY_NAME) or f"; expected one of {', '.join(BY_NAME)}"
        raise ConfigurationError(f"{file}: unknown key {key!r}{hint}")
    return file, normal


def _check_variables(environment: Mapping[str, str]) -> None:
    """Reject variables that are probably misspelt.

    Other unknown variables are accepted: Kubernetes sets such variables (``WATERSPOUT_SERVICE_HOST``) if a
    service has the name waterspout.
    """
    known = {_CONFIG_VARIABLE, *(option.variable for option in BY_NAME.values())}
    for variable in sorted(environment):
        if variable.startswith(PREFIX) and variable not in known:
            # The common prefix would make all names similar.
            hint = suggestion(variable.removeprefix(PREFIX), [each.removeprefix(PREFIX) for each in known])
            if hint:
                raise ConfigurationError(
                    f"unknown environment variable {variable}{hint.replace('mean ', 'mean ' + PREFIX)}"
                )


def _source_of(
    option: Option,
    arguments: Arguments,
    environment: Mapping[str, str],
    file: str,
    table: Mapping[str, Any],
) -> _Source:
    if option.name == "target" and arguments.target is not None:
        return _Source([arguments.target], "the command line")
    if option.name in arguments.values:
        return _Source(_split(option, arguments.values[option.name]), option.flag)
    if option.variable in environment:
        return _Source(_split(option, [environment[option.variable]]), option.variable)
    if option.name in table:
        origin = f"{file}: {option.name}"
        return _Source(_texts_of_toml(option, table[option.name], origin), origin)
    return _Source([] if option.default is None else _split(option, [option.default]), _DEFAULT)


def _split(option: Option, texts: Sequence[str]) -> list[str]:
    """Return the single texts: values of a repeatable option may also be separated by commas."""
    if not option.repeatable:
        return list(texts)
    return [part.strip() for text in texts for part in text.split(",") if part.strip()]


def _texts_of_toml(option: Option, value: Any, origin: str) -> list[str]:
    """Return the texts for a value of a TOML file: a string, a number, true or false, or a list of them."""
    items = value if option.repeatable and isinstance(value, list) else [value]
    texts = []
    for item in items:
        is_flag = not option.kind.metavar
        if isinstance(item, bool) is not is_flag or not isinstance(item, (str, int, float)):
            raise _wrong_value(option, origin, item)
        texts.append(str(item).lower() if is_flag else str(item))
    return _split(option, texts)


def _value(option: Option, source: _Source) -> Any:
    """Parse the texts of an option."""
    values = []
    for text in source.texts:
        try:
            values.append(option.kind.parse(text))
        except ValueError as error:
            raise _wrong_value(option, source.origin, text, str(error)) from None
    if option.repeatable:
        return tuple(values)
    if not values and option.name == "target":
        raise ConfigurationError(
            "expected the application as module:name, got none; for example: python -m tornado serve "
            "app:application"
        )
    return values[0] if values else None


def _wrong_value(option: Option, origin: str, value: Any, reason: str = "") -> ConfigurationError:
    if option.name in _SECRET:
        value = f"{len(str(value))} characters"
    # Without their representation, the quotes of TOML would distinguish a string from a number.
    accepted = option.kind.accepted
    return ConfigurationError(
        f"{origin}: expected {accepted}, got {value!r}{f' ({reason})' if reason else ''}"
    )


def _check_combinations(configuration: Configuration) -> None:
    """Check options that depend on one another, or on the platform."""
    origins = configuration.origins
    if sys.platform == "win32":
        _check_without_fork(configuration)
    if configuration.key is not None and configuration.certificate is None:
        raise ConfigurationError(
            f"{origins['key']}: {configuration.key!r} is a private key without a certificate; set "
            "--certificate as well"
        )
    if configuration.reload and configuration.preload:
        raise ConfigurationError(
            f"{origins['reload']}: a program that is loaded before its workers (--preload, "
            f"{origins['preload']}) cannot be reloaded; set only one of the two"
        )
    if configuration.admin_token is not None and configuration.admin is None:
        raise ConfigurationError(
            f"{origins['admin_token']}: a token without an address has no effect; set --admin as well"
        )
    _check_admin_tls(configuration)
    if configuration.reload and configuration.admin is not None:
        raise ConfigurationError(
            f"{origins['admin']}: {configuration.admin} is not served with --reload ({origins['reload']}), "
            "which has no supervisor; set only one of the two"
        )
    if configuration.max_requests_jitter and configuration.max_requests is None:
        raise ConfigurationError(
            f"{origins['max_requests_jitter']}: {configuration.max_requests_jitter} has no effect without "
            "--max-requests; set that as well"
        )
    if sys.platform != "win32" and (configuration.user or configuration.group) and os.geteuid() != 0:
        name = "user" if configuration.user else "group"
        raise ConfigurationError(
            f"{origins[name]}: only root can change to {getattr(configuration, name)!r}; start as root, or "
            f"without --{name}"
        )
    if not configuration.bind:
        raise ConfigurationError(f"{origins['bind']}: expected at least one address, got none")


def _check_without_fork(configuration: Configuration) -> None:
    """Reject the options that need several processes: on Windows, the program is served by one."""
    given = [name for name in BY_NAME if name in NEED_FORK and not configuration.is_default(name)]
    if configuration.workers > 1:
        given.append("workers")
    for name in given:
        flag = BY_NAME[name].flag
        raise ConfigurationError(
            f"{configuration.origins[name]}: {flag} requires fork(), which Windows lacks; serve without "
            f"{flag}, or on Linux or macOS"
        )


def _check_admin_tls(configuration: Configuration) -> None:
    origins, file = configuration.origins, configuration.admin_certificate
    if configuration.admin_key is not None and file is None:
        raise ConfigurationError(
            f"{origins['admin_key']}: {configuration.admin_key!r} is a private key without a certificate; "
            "set --admin-certificate as well"
        )
    if file is not None and (configuration.admin is None or configuration.admin.kind is not BindKind.TCP):
        raise ConfigurationError(
            f"{origins['admin_certificate']}: {file!r} has no effect without a TCP address; set "
            "--admin=host:port as well"
        )


__all__ = ["Configuration", "ConfigurationError", "describe", "load", "resolve", "text_of"]
