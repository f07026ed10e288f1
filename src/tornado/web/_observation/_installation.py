"""Creation of the observer that the settings of an application require."""

from __future__ import annotations

import functools
import os
import weakref
from collections.abc import Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from tornado.web._observation._access_log import FORMATS, AccessLog
from tornado.web._observation._log_records import extend_records
from tornado.web._observation._log_writer import LogWriter
from tornado.web._observation._message_counts import start_counting
from tornado.web._observation._observer import Observer
from tornado.web._observation._query_secrets import QuerySecrets
from tornado.web._observation._request_id_field import RequestIdField
from tornado.web._redaction._redactor import Redactor

if TYPE_CHECKING:
    from tornado.web._interfaces import ApplicationInterface, Observable

__all__ = ["add_access_log", "add_request_ids", "install", "keep_records", "observe"]


def install(application: ApplicationInterface, original_log: Any) -> None:
    """Observe an application according to its settings, unless all of them are off.

    :param original_log: the method ``log_request`` of `Application`.
    :raises ValueError: if ``access_log`` is not a known format.
    :raises TypeError: if ``access_log_file`` is not a path, or ``opentelemetry_secrets`` no list of names.
    :raises ImportError: if ``opentelemetry`` is set and its API is not installed.
    """
    settings = application.settings
    log_format = settings.get("access_log")
    if log_format not in (None, "off", *FORMATS):
        raise ValueError(f"access_log must be one of off, {', '.join(FORMATS)}, got {log_format!r:.100}")
    path = _log_path(settings.get("access_log_file"))
    if settings.get("request_id"):
        add_request_ids(application, observe(application, original_log))
    if settings.get("opentelemetry"):
        from tornado.web._observation._opentelemetry import Telemetry
        from tornado.web._observation._opentelemetry_client import trace_clients

        names = settings.get("opentelemetry_secrets") or ()
        observe(application, original_log).add(Telemetry(QuerySecrets(names)))
        trace_clients(names)
    if log_format in FORMATS:
        add_access_log(observe(application, original_log), log_format, path)
    if settings.get("metrics"):
        observe(application, original_log)


def observe(application: Observable, original_log: Any) -> Observer:
    """Return the observer of an application, which counts its requests; create it if there is none."""
    observer: Observer | None = application.observer
    if observer is None:
        observer = Observer(application, original_log)
        application.observe(observer)
        start_counting()
    return observer


def add_access_log(
    observer: Observer, log_format: str, path: str | None, fields: Mapping[str, Any] | None = None
) -> None:
    """Write an access log, unless there is one.

    :param log_format: a key of `FORMATS`.
    :param path: the path of the file; None for standard output.
    :param fields: further members of each line in the JSON format.
    """
    if observer.access_log is None:
        has_ids = observer.recent is not None
        observer.write_access_log(AccessLog(log_format, LogWriter(path), has_ids, fields))


def keep_records(application: Observable, observer: Observer) -> None:
    """Add request identifiers to log records, and keep recent ones, unless this is already done."""
    if observer.recent is None:
        recent = extend_records()
        observer.keep_records(recent)
        recent.redactors.append(functools.partial(_redactor, weakref.ref(application)))


def add_request_ids(application: Observable, observer: Observer) -> None:
    """Add request identifiers to log records and responses, unless this is already done."""
    keep_records(application, observer)
    if not observer.sends_ids:
        observer.sends_ids = True
        application.observe(observer, RequestIdField)


def _log_path(path: Any) -> str | None:
    if path is None:
        return None
    try:
        return str(os.fsdecode(path))
    except TypeError:
        raise TypeError(f"access_log_file must be the path of a file, got {path!r:.100}") from None


def _redactor(reference: weakref.ref[Any], request_id: str) -> Redactor:
    """Return a redactor for the secrets of an application, and of a request that is in flight.

    :param reference: refers to the application, which may have been garbage-collected.
    """
    application = reference()
    if application is None:
        return Redactor()
    observer = application.observer
    requests = () if observer is None else list(observer.in_flight)
    request = next((each for each in requests if each.id == request_id), None)
    owner: Any = SimpleNamespace(application=application, settings=application.settings, request=request)
    return Redactor.of(owner)
