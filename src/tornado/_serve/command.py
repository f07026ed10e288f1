"""The commands of ``python -m tornado``.

The exit status is 0 for success, 1 if the program cannot be loaded, started or drained, or a check has found
errors, and 2 if the command line or the configuration is wrong.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Collection, Sequence

from tornado import version
from tornado._serve import ctl, log_setup, observation, target
from tornado._serve.arguments import Arguments, parse, suggestion
from tornado._serve.certificates import CertificateError, WatchedContext
from tornado._serve.check import Finding, Severity, check
from tornado._serve.configuration import Configuration, ConfigurationError, describe, resolve
from tornado._serve.ctl import ControlError
from tornado._serve.help_text import TEXTS, serve_help
from tornado._serve.in_process import Service, ServiceSettings, serve_until_signal
from tornado._serve.listeners import ListenError, open_listeners
from tornado._serve.pid_file import PidFileError
from tornado._serve.program_error import ProgramError
from tornado._serve.route_table import format_json, format_table, routes_of
from tornado._serve.server_limits import server_options
from tornado._serve.service_lock import ServiceRunningError
from tornado._version import waterspout_version
from tornado.log import app_log, gen_log

_FAILED = 1
_WRONG_USAGE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return the exit status.

    :param arguments: the command line without the name of the program; by default that of the process.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _run(words)
    except ConfigurationError as error:
        command = f" {words[0]}" if words and words[0] in _COMMANDS else ""
        _complain(f"tornado{command}: {error}\n")
        return _WRONG_USAGE
    except ProgramError as error:
        _complain(error.report())
    except (ListenError, CertificateError, ServiceRunningError, PidFileError, ControlError) as error:
        _complain(f"tornado {words[0]}: {error}\n")
    return _FAILED


def _run(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        _print(TEXTS[""])
        return 0 if words else _WRONG_USAGE
    if words[0] in ("-V", "--version"):
        _print(f"Waterspout {waterspout_version} (Tornado {version}), Python {sys.version.split()[0]}\n")
        return 0
    command = _COMMANDS.get(words[0])
    if command is None:
        known = ", ".join(_COMMANDS)
        hint = suggestion(words[0], _COMMANDS)
        if not hint and ":" in words[0]:
            hint = f"; did you mean serve {words[0]}?"
        raise ConfigurationError(f"unknown command {words[0]!r}{hint or f'; expected one of {known}'}")
    parsed = parse(words[1:], _MAX_WORDS.get(words[0], 0))
    if "--help" in parsed.switches:
        _print(serve_help() if words[0] == "serve" else TEXTS[words[0]])
        return 0
    return command(parsed)


def _serve(parsed: Arguments) -> int:
    _accept_only(parsed, {"--print-config"})
    configuration = resolve(parsed, os.environ)
    if "--print-config" in parsed.switches:
        _print(describe(configuration))
        return 0
    return serve(configuration)


def serve(configuration: Configuration) -> int:
    """Serve a target until SIGTERM or SIGINT, and return the exit status.

    :raises ProgramError: if the program cannot be loaded or started.
    :raises ListenError: if an address cannot be used.
    :raises CertificateError: if the certificate cannot be used.
    """
    if sys.platform == "win32" or configuration.reload:
        if configuration.workers > 1:
            raise ConfigurationError(
                f"{configuration.origins['workers']}: expected 1 worker, got {configuration.workers}; with "
                f"{configuration.origins['reload']}, the program has one process"
            )
        log_setup.set_up(configuration.log_format, configuration.access_log)
        return _serve_here(configuration)
    # They need modules and functions that Windows does not have.
    from tornado._serve.log_stream import LogStream
    from tornado._serve.supervised_service import supervise

    log_setup.set_up(configuration.log_format, configuration.access_log, LogStream())
    return supervise(configuration, server_options(configuration), loop_factory(configuration.loop))


def _serve_here(configuration: Configuration) -> int:
    """Serve in this process."""
    secure = configuration.certificate is not None
    settings = ServiceSettings(
        options=server_options(configuration),
        grace=configuration.grace,
        drain_delay=configuration.drain_delay,
        batch_size=configuration.drain_batch_size,
        batch_interval=configuration.drain_batch_interval,
        certificate=WatchedContext(configuration) if secure else None,
        on_server=lambda server: observation.observe_application(server.request_callback, configuration),
    )
    service = Service(settings)

    def prepare() -> target.LoadedTarget:
        service.listeners += open_listeners(configuration)
        loaded = target.load(configuration.target)
        if configuration.reload:
            from tornado import autoreload

            autoreload.start()
        return loaded

    def started() -> None:
        for listener in service.listeners:
            url = listener.url("https" if secure else "http")
            gen_log.info("serving %s on %s", configuration.target, url or listener.address)

    try:
        clean = serve_until_signal(service, prepare, started, loop_factory(configuration.loop))
    except (ProgramError, ListenError):
        raise
    except Exception as error:
        raise ProgramError(
            f"cannot serve {configuration.target}: its start or its shutdown has failed", error
        ) from error
    if not clean:
        app_log.warning("some requests were cut off after the grace period of %g s", configuration.grace)
    return 0 if clean else _FAILED


def loop_factory(loop: str) -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return the function that creates the event loop; None stands for asyncio's.

    :param loop: ``asyncio``, ``uvloop`` or ``auto``, which uses uvloop if it is installed.
    """
    if loop == "asyncio":
        return None
    try:
        import uvloop
    except ImportError:
        if loop == "auto":
            return None
        raise
    return uvloop.new_event_loop


def _routes(parsed: Arguments) -> int:
    _accept_only(parsed, {"--json"})
    application = asyncio.run(_load(_target_of(parsed)))
    routes = routes_of(application)
    _print(format_json(routes) if "--json" in parsed.switches else format_table(routes))
    return 0


def _check(parsed: Arguments) -> int:
    _accept_only(parsed, {"--strict"}, {"--config"})
    findings: list[Finding] = []
    name = parsed.target
    try:
        name = resolve(parsed, os.environ).target
    except ConfigurationError as error:
        if name is None:
            raise
        findings.append(Finding(Severity.ERROR, str(error)))
    application, found = check(name)
    findings += found
    for finding in findings:
        _print(f"{finding}\n")
    errors = sum(each.severity is Severity.ERROR for each in findings)
    _print(
        f"{name}: {len(routes_of(application))} routes, {errors} errors, {len(findings) - errors} warnings\n"
    )
    failed = errors or (findings and "--strict" in parsed.switches)
    return _FAILED if failed else 0


def _ctl(parsed: Arguments) -> int:
    _accept_only(
        parsed, {"--json", "--wait"}, {"--admin", "--admin-token", "--admin-certificate", "--config"}
    )
    _print(ctl.run(parsed, os.environ))
    return 0


async def _load(text: str) -> object:
    return (await target.load(text).resolve()).application


def _target_of(parsed: Arguments) -> str:
    if parsed.target is None:
        raise ConfigurationError("expected the application as module:name, got none")
    return parsed.target


def _accept_only(parsed: Arguments, switches: set[str], options: Collection[str] = ()) -> None:
    """Check that a command has no options of another command.

    :param options: the options of ``serve`` that it has as well.
    """
    wrong = parsed.switches - switches
    if "--print-config" not in switches:
        given = {f"--{name.replace('_', '-')}" for name in parsed.values}
        if parsed.config is not None:
            given.add("--config")
        wrong |= given.difference(options)
    for flag in sorted(wrong):
        accepted = ", ".join(sorted({*switches, *options}))
        raise ConfigurationError(f"unknown option {flag} of this command; expected a target or {accepted}")


def _print(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _complain(text: str) -> None:
    sys.stdout.flush()
    sys.stderr.write(text)
    sys.stderr.flush()


#: The commands, which take the parsed command line and return the exit status.
_COMMANDS: dict[str, Callable[[Arguments], int]] = {
    "serve": _serve,
    "routes": _routes,
    "check": _check,
    "ctl": _ctl,
}
#: The number of arguments after the first one.
_MAX_WORDS = {"ctl": 1}

__all__ = ["loop_factory", "main", "serve"]
