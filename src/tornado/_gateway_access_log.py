"""Lines of the access log for requests that a WSGI or ASGI application has handled."""

from __future__ import annotations

import logging

from tornado.log import access_log, escape_controls, log_access

_INFO, _WARNING, _ERROR = logging.INFO, logging.WARNING, logging.ERROR


def log_gateway_request(
    status: int, method: str, target: str, remote_ip: str | None, duration: float
) -> None:
    """Write a line to the access log, as `.Application.log_request` does.

    :param status: the status code of the response; 499 if the client had disconnected.
    :param remote_ip: the address of the client.
    :param duration: the time since the request arrived, in seconds.
    """
    level = _INFO if status < 400 or status == 499 else _WARNING if status < 500 else _ERROR
    if access_log.isEnabledFor(level):
        summary = f"{method} {escape_controls(target)} ({remote_ip})"
        log_access(level, "%d %s %.2fms", status, summary, 1000.0 * duration)


__all__ = ["log_gateway_request"]
