"""Recognition of requests whose responses may show internals of the program."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tornado._log_rate_limit import LogRateLimit
from tornado.log import app_log
from tornado.netutil import is_valid_ip

if TYPE_CHECKING:
    from tornado.web._interfaces import HandlerInterface

_log_limit = LogRateLimit(app_log)


def may_show_internals(handler: HandlerInterface) -> bool:
    """Whether tracebacks and variables may be sent in a response for the requested host.

    A website whose name resolves to the address of a server in the visitor's network can read that server's
    responses ("DNS rebinding"). The browser sends the name of the site as Host. Without ``allowed_hosts``,
    only hosts that cannot be the name of another site are trusted: localhost and IP addresses.
    """
    if handler.settings.get("allowed_hosts") is not None:
        return True  # a request for any other host was rejected with 421
    host = handler.request.host_name.removesuffix(".")
    if host == "localhost" or host.endswith(".localhost") or is_valid_ip(host.strip("[]")):
        return True
    _log_limit.log(
        "host",
        logging.WARNING,
        "serve_traceback: not sending the traceback for the host %r, which could be another site's name for "
        "this machine; add it to the setting allowed_hosts",
        host[:100],
    )
    return False
