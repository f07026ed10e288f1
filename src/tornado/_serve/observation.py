"""Observation of the served application, as the options require: its access log and request identifiers."""

from __future__ import annotations

import os

from tornado._gateway_observation import ObservedGateway
from tornado._serve.configuration import Configuration
from tornado._serve.process_identity import log_fields
from tornado.web import Application
from tornado.web._observation._access_log import FORMATS
from tornado.web._observation._installation import add_access_log, add_request_ids, keep_records, observe
from tornado.web._observation._observer import Observer

__all__ = ["close_access_log", "observe_application", "observed"]


def observed(application: Application | ObservedGateway) -> Observer:
    """Return the observer of an application, which counts its requests; create it if there is none."""
    return observe(application, Application.log_request)


def observe_application(application: object, configuration: Configuration) -> None:
    """Add request identifiers to an application with ``--request-id``, and write its access log to standard
    output, if ``--access-log`` names a format.

    An application that has an access log of its own, by its settings, keeps it. The requests of targets that
    are functions or routers are not observed.
    """
    if not isinstance(application, (Application, ObservedGateway)):
        return
    if configuration.request_id:
        add_request_ids(application, observed(application))
    if configuration.admin is not None:
        # Before the access log, whose lines then contain the identifiers that the administration shows.
        keep_records(application, observed(application))
    if configuration.access_log in FORMATS:
        fields = {"process": os.getpid(), **log_fields()}
        add_access_log(observed(application), configuration.access_log, None, fields)


def close_access_log(application: object) -> None:
    """Write the lines that wait, before the process ends."""
    if isinstance(application, (Application, ObservedGateway)):
        observer = application.observer
        if observer is not None and observer.access_log is not None:
            observer.access_log.writer.close()
