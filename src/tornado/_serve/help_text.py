"""The help texts of the commands, from the table of options."""

from __future__ import annotations

import textwrap
from itertools import groupby

from tornado._serve.options import TABLE, Option

_USAGE = """\
usage: python -m tornado COMMAND ...

commands:
  serve TARGET   serve an application
  routes TARGET  print the routes of an application
  check TARGET   load an application and check its settings, templates and routes
  ctl            show and control a running service

TARGET is module:name: an Application, a function that returns one, or a WSGI or ASGI application. Without a
name, it is `application`, `app`, `make_app` or `create_app` of the module.
`python -m tornado COMMAND --help` describes the options; `--version` prints the version.
"""
_SERVE = """\
usage: python -m tornado serve [TARGET] [options]

Serve an application. TARGET is module:name: an Application, a function that returns one, or a WSGI
or ASGI application. Each option can also be set by an environment variable (--drain-delay:
WATERSPOUT_DRAIN_DELAY) or in a TOML file (drain_delay = 5). The command line takes precedence over the
environment, and the environment over the file.
"""
_OWN = (
    ("--config FILE", "the TOML file; by default waterspout.toml in the current directory if it exists"),
    ("--print-config", "print each option with its value and the source of the value, and exit"),
    ("-h, --help", "print this text and exit"),
)
_ROUTES = """\
usage: python -m tornado routes TARGET [--json]

Print the routes of an application, in the order in which they are tried: name, pattern, handler and methods.

  --json      print them as JSON
"""
_CHECK = """\
usage: python -m tornado check [TARGET] [--strict] [--config FILE]

Load an application and check its settings, routes and templates, and the options of `serve` in the
environment and in the configuration file, which may contain the target. The exit status is 1 if there are
errors.

  --strict       the exit status is also 1 if there are warnings
  --config FILE  the configuration file (default: waterspout.toml, if it exists)
"""
_CTL = """\
usage: python -m tornado ctl [--admin ADDRESS] [--admin-token TOKEN] [--admin-certificate FILE]
                             [--json] [--wait] SUBCOMMAND

Show and control a service that runs with --admin. ADDRESS is a URL, host:port or unix:path. By default, it is
that of the service: WATERSPOUT_ADMIN or `admin` in the configuration file. The token is taken from the same
sources; WATERSPOUT_ADMIN_TOKEN does not show it to other users of the machine. The service must present the
certificate in FILE, which is that of its --admin-certificate; with an https URL, its name is checked instead.

  status      the service and its workers
  requests    the requests in flight of all workers, with the stacks of their coroutines
  errors      the recent errors of all workers, with their tracebacks
  log ID      the log records of one request
  reload      replace all workers by new ones, one by one
  restart N   replace worker N
  scale N     change the number of workers
  drain       drain all workers and end the service

  --json      print the answer as JSON
  --wait      wait until an action is complete; the exit status is 1, with the reason, if it fails
"""
#: The texts of the commands other than ``serve``, by command; the text of the program itself is that of "".
TEXTS = {"": _USAGE, "routes": _ROUTES, "check": _CHECK, "ctl": _CTL}
_WIDTH = 110
_INDENT = 29


def serve_help() -> str:
    """Return the help text of ``serve``, with the options in groups."""
    parts = [_SERVE, _section("Command", _OWN)]
    for group, options in groupby(TABLE, lambda option: option.group):
        parts.append(_section(group, tuple(_row(option) for option in options)))
    return "\n".join(parts)


def _row(option: Option) -> tuple[str, str]:
    metavar = option.kind.metavar
    shown = f"{option.flag} {metavar}" if metavar else f"{option.flag}, --no-{option.flag[2:]}"
    # The default of a repeatable option is part of its description.
    has_default = option.default and not option.repeatable and metavar
    return shown, f"{option.help} (default: {option.default})" if has_default else option.help


def _section(title: str, rows: tuple[tuple[str, str], ...]) -> str:
    lines = [f"{title}:"]
    for name, text in rows:
        wrapped = textwrap.wrap(text, _WIDTH - _INDENT)
        if len(name) > _INDENT - 4:
            lines.append(f"  {name}")
            name = ""
        lines.append(f"  {name:{_INDENT - 2}}{wrapped[0]}")
        lines += [" " * _INDENT + line for line in wrapped[1:]]
    return "\n".join(lines) + "\n"


__all__ = ["TEXTS", "serve_help"]
