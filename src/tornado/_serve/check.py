"""Checks an application without serving it: ``python -m tornado check TARGET``.

The application is created, which already checks its routes and settings: the warnings that it logs are
findings. Then all templates are compiled.
"""

from __future__ import annotations

import asyncio
import enum
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass

from tornado._serve import target
from tornado.template import BaseLoader, DictLoader, Loader, ParseError
from tornado.web import Application

#: Files in the template directory that are templates; other files may be anything.
_TEMPLATE_SUFFIXES = (
    ".html",
    ".htm",
    ".xhtml",
    ".xml",
    ".svg",
    ".txt",
    ".js",
    ".css",
    ".json",
    ".md",
    ".eml",
)


class Severity(enum.Enum):
    """How serious a finding is."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault that the check has found."""

    severity: Severity
    text: str

    def __str__(self) -> str:
        """Return the line to print."""
        return f"{self.severity.value}: {self.text}"


class _Recorder(logging.Handler):
    """Collects the warnings and errors that the package logs while the application is created."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.findings: list[Finding] = []

    def emit(self, record: logging.LogRecord) -> None:
        severity = Severity.ERROR if record.levelno >= logging.ERROR else Severity.WARNING
        self.findings.append(Finding(severity, record.getMessage()))


def check(text: str) -> tuple[object, list[Finding]]:
    """Load a target and return the application and its faults.

    :param text: the target, ``module:name``.
    :raises ProgramError: if it cannot be loaded.
    """
    recorder = _Recorder()
    logger = logging.getLogger("tornado")
    logger.addHandler(recorder)
    propagate, logger.propagate = logger.propagate, False
    try:
        application = asyncio.run(_load(text))
    finally:
        logger.removeHandler(recorder)
        logger.propagate = propagate
    findings = recorder.findings
    if isinstance(application, Application):
        findings += check_settings(application)
        findings += check_templates(application)
    return application, findings


async def _load(text: str) -> object:
    loaded = await target.load(text).resolve()
    if isinstance(loaded.application, Application):
        loaded.application.server_listens(runs_lifespan=True)  # logs warnings about secrets
    return loaded.application


def check_settings(application: Application) -> Iterator[Finding]:
    """Check that the directory of the templates exists, and that no debugging aid is on."""
    settings = application.settings
    path = settings.get("template_path")
    if path and not os.path.isdir(path):
        yield Finding(
            Severity.ERROR, f"template_path: {os.fspath(path)!r} is not a directory; set an existing one"
        )
    on = [name for name in ("debug", "autoreload", "serve_traceback") if settings.get(name)]
    if on:
        yield Finding(Severity.WARNING, f"{' and '.join(on)}: on; turn this off in production")


def check_templates(application: Application) -> Iterator[Finding]:
    """Compile each template of the settings ``template_path`` and ``template_loader``.

    Templates of handlers that have their own ``get_template_path`` are not known here.
    """
    loader = application.settings.get("template_loader")
    path = application.settings.get("template_path")
    if not isinstance(loader, BaseLoader):
        if not path or not os.path.isdir(path):
            return
        options = {
            name: application.settings[key]
            for name, key in (("autoescape", "autoescape"), ("whitespace", "template_whitespace"))
            if key in application.settings
        }
        loader = Loader(os.fspath(path), **options)
    for name in _template_names(loader):
        try:
            # generate() resolves the parents and includes of a template; load() compiles them as well.
            loader.load(name)
        except (ParseError, SyntaxError, OSError, ValueError) as error:
            yield Finding(Severity.ERROR, f"template {name}: {error}")


def _template_names(loader: BaseLoader) -> list[str]:
    if isinstance(loader, DictLoader):
        return sorted(loader.dict)
    if not isinstance(loader, Loader):
        return []
    paths = (
        os.path.join(folder, file)
        for folder, _, files in os.walk(loader.root)
        for file in files
        if file.endswith(_TEMPLATE_SUFFIXES)
    )
    return sorted(os.path.relpath(path, loader.root).replace(os.sep, "/") for path in paths)


__all__ = ["Finding", "Severity", "check", "check_settings", "check_templates"]
