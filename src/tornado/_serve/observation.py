"""Observation of the served application, as the options require: its access log."""

from __future__ import annotations

from tornado._serve.configuration import Configuration
from tornado.web import Application
from tornado.web._observation._access_log import FORMATS
from tornado.web._observation._installation import add_access_log, observe

__all__ = ["close_access_log", "write_access_log"]


def write_access_log(application: object, configuration: Configuration) -> None:
    """Write the access log of an application to standard output, if ``--access-log`` names a format.

    An application that has an access log of its own, by its settings, keeps it. The requests of other
    targets, such as WSGI applications, are logged through the logger ``tornado.access`` in any case.
    """
    if configuration.access_log in FORMATS and isinstance(application, Application):
        add_access_log(observe(application, Application.log_request), configuration.access_log, None)


def close_access_log(application: object) -> None:
    """Write the lines that wait, before the process ends."""
    if isinstance(application, Application):
        observer = application.observer
        if observer is not None and observer.access_log is not None:
            observer.access_log.writer.close()
