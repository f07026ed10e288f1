"""The arguments of `.HTTPServer` that the configuration contains: protection, single limits, proxies."""

from __future__ import annotations

import dataclasses

from tornado._http_server_options import HTTPServerOptions
from tornado._serve.configuration import Configuration
from tornado._serve.options import LIMITS
from tornado.httpserver import Protection

__all__ = ["server_options"]


def server_options(configuration: Configuration) -> HTTPServerOptions:
    """Return the arguments of `.HTTPServer` for a configuration, except ``ssl_options``."""
    given = {name: getattr(configuration, name) for name in LIMITS if not configuration.is_default(name)}
    removed = [name for name, value in given.items() if value is None]
    # An argument that is None keeps the limit of the protection, so a removed limit is removed from that.
    protection = dataclasses.replace(Protection.of(configuration.protection), **dict.fromkeys(removed))  # type: ignore[arg-type]  # only limits that may be None accept "off"
    options: HTTPServerOptions = {"protection": protection if removed else configuration.protection}
    for name, value in given.items():
        if value is not None:
            options[name] = value  # type: ignore[literal-required]  # LIMITS are arguments of HTTPServer
    if configuration.trusted_proxies:
        options["trusted_proxies"] = list(configuration.trusted_proxies)
    return options
