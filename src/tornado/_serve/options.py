"""The options of ``python -m tornado serve``, as a table.

The command line, the environment, the configuration file, the help text and `.configuration.Configuration`
are all derived from it: a new option is one entry here and one attribute there.
"""

from __future__ import annotations

from dataclasses import dataclass

from tornado._serve.option_types import (
    ADMIN,
    BIND,
    DURATION,
    FILE,
    FLAG,
    GROUP,
    LOOP,
    MODE,
    NEW_FILE,
    POSITIVE_DURATION,
    PROXY,
    RATE,
    SIZE,
    TARGET,
    TOKEN,
    USER,
    WORKERS,
    OptionType,
    choice,
    integer,
    optional,
)

#: What the names of environment variables begin with.
PREFIX = "WATERSPOUT_"


@dataclass(frozen=True, slots=True)
class Option:
    """An option.

    :ivar name: its name, which is that of an attribute of the configuration.
    :ivar kind: the values that it accepts.
    :ivar default: the text of the default value; None if there is no value by default.
    :ivar group: the heading in the help text.
    :ivar help: the description in the help text.
    :ivar repeatable: whether it accepts several values: its value is a tuple.
    """

    name: str
    kind: OptionType
    default: str | None
    group: str
    help: str
    repeatable: bool = False

    @property
    def flag(self) -> str:
        """The option on the command line, ``--drain-delay``."""
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """The environment variable, ``WATERSPOUT_DRAIN_DELAY``."""
        return PREFIX + self.name.upper()


def _group(group: str, *rows: tuple[str, OptionType, str | None, str]) -> list[Option]:
    return [Option(name, kind, default, group, text) for name, kind, default, text in rows]


_LISTENING = "Listening"
_LIMITS = "Limits, by default those of --protection; off removes one"

TABLE: tuple[Option, ...] = (
    Option(
        "bind",
        BIND,
        "127.0.0.1:8888",
        _LISTENING,
        "the address: host:port, [IPv6]:port, :port, unix:path, fd:number or systemd[:name]; repeatable. By "
        "default the sockets that systemd has passed, otherwise 127.0.0.1:8888",
        repeatable=True,
    ),
    *_group(
        _LISTENING,
        ("socket_mode", MODE, "660", "the permissions of Unix sockets"),
        ("backlog", integer(1), "1024", "how many connections may wait in the kernel to be accepted"),
        ("certificate", FILE, None, "the file of the TLS certificate and its chain; enables HTTPS"),
        ("key", FILE, None, "the file of its private key, if the certificate's file does not contain it"),
    ),
    Option(
        "trusted_proxies",
        PROXY,
        "",
        _LISTENING,
        "the proxies whose X-Forwarded-For, X-Real-Ip, Forwarded and X-Forwarded-Proto are used: addresses, "
        "networks, or unix for Unix sockets; separated by commas",
        repeatable=True,
    ),
    *_group(
        _LISTENING,
        (
            "protection",
            choice("default", "public"),
            "default",
            "the limits for clients: public if they connect without a proxy",
        ),
    ),
    *_group(
        _LIMITS,
        ("max_body_size", SIZE, None, "the maximum size of a request body; 100 MiB by default"),
        ("max_header_size", SIZE, None, "the maximum size of the request line and header section"),
        ("max_header_count", integer(1), None, "the maximum number of header fields of a request"),
        ("max_form_size", optional(SIZE), None, "the maximum size of a form that a handler reads"),
        ("max_json_size", optional(SIZE), None, "the maximum size of a JSON body that a handler reads"),
        ("max_buffer_size", SIZE, None, "the maximum input that is buffered for one connection"),
        (
            "max_inflation_ratio",
            optional(integer(1)),
            None,
            "the maximum ratio of the sizes of a body or message after and before it is decompressed",
        ),
        (
            "max_connections",
            optional(integer(1)),
            None,
            "the maximum number of connections of a worker; idle ones are closed to accept new ones",
        ),
        (
            "max_connections_per_address",
            optional(integer(1)),
            None,
            "the maximum number of connections of a worker from one address",
        ),
        (
            "max_pipelined_requests",
            optional(integer(1)),
            None,
            "the maximum number of successive requests that do not wait for the previous response",
        ),
        ("header_timeout", POSITIVE_DURATION, None, "how long the head of a request may take"),
        ("body_timeout", optional(POSITIVE_DURATION), None, "how long a request body may take"),
        (
            "idle_connection_timeout",
            POSITIVE_DURATION,
            None,
            "how long a connection may be idle between requests",
        ),
        ("tls_handshake_timeout", POSITIVE_DURATION, None, "how long a TLS handshake may take"),
        ("min_body_rate", optional(RATE), None, "the minimum rate at which a request body must arrive"),
        ("min_send_rate", optional(RATE), None, "the minimum rate at which a client must read"),
        ("rate_window", POSITIVE_DURATION, None, "the time over which both rates are measured"),
    ),
    *_group(
        "Workers",
        ("workers", WORKERS, "1", "the number of worker processes; auto: one for each processor"),
        ("loop", LOOP, "auto", "the event loop; auto: uvloop if it is installed"),
        ("preload", FLAG, "false", "load the program once, before the workers are forked"),
        ("reload", FLAG, "false", "restart when the source changes, for development"),
        ("start_timeout", DURATION, "60", "how long a worker may take to start"),
        ("hang_timeout", optional(DURATION), "60", "how long the event loop may be blocked"),
        ("max_requests", optional(integer(1)), "off", "replace a worker after so many requests"),
        ("max_requests_jitter", integer(0), "0", "add a random number up to this to --max-requests"),
        ("max_memory", optional(SIZE), "off", "replace a worker that uses more memory than this"),
    ),
    *_group(
        "Shutdown",
        ("grace", DURATION, "30", "how long requests may take to finish before they are cancelled"),
        ("drain_delay", DURATION, "0", "the time between the signal and the end of accepting"),
        (
            "drain_batch_size",
            integer(1),
            "500",
            "how many WebSockets, event streams and long polls a worker ends at a time",
        ),
        ("drain_batch_interval", DURATION, "100ms", "the time between two of these batches"),
    ),
    *_group(
        "Logs",
        (
            "access_log",
            choice("off", "tornado", "common", "combined", "json"),
            "tornado",
            "tornado: with the other messages; the others: a line for each request on standard output",
        ),
        ("request_id", FLAG, "false", "give each request an identifier, in log records and X-Request-Id"),
        ("log_format", choice("text", "json"), "text", "the form of all other log messages"),
    ),
    *_group(
        "Administration",
        (
            "admin",
            ADMIN,
            None,
            "serve the dashboard, metrics and health checks there: host:port or unix:path",
        ),
        (
            "admin_token",
            TOKEN,
            None,
            "the secret for --admin; by default a random one, which is logged, if other machines can connect",
        ),
        (
            "admin_certificate",
            FILE,
            None,
            "the TLS certificate for --admin and its chain; enables HTTPS",
        ),
        ("admin_key", FILE, None, "its private key, if the certificate's file does not contain it"),
    ),
    *_group(
        "Process",
        ("pid_file", NEW_FILE, None, "write the id of the main process to this file"),
        ("user", USER, None, "run the workers as this user"),
        ("group", GROUP, None, "run the workers as this group"),
    ),
)

#: The target is the argument of the command; it can also be set in the file or the environment.
TARGET_OPTION = Option("target", TARGET, None, "", "the application, module:name")

#: The names of the options that are arguments of `.HTTPServer`, where they mean the same.
LIMITS = frozenset(option.name for option in TABLE if option.group == _LIMITS)

#: The names of the options that need more than one process, for which Windows has no fork.
NEED_FORK = frozenset(
    ("preload", "start_timeout", "hang_timeout", "max_requests", "max_requests_jitter", "max_memory")
).union(option.name for option in TABLE if option.group in ("Administration", "Process"))

BY_NAME: dict[str, Option] = {option.name: option for option in (TARGET_OPTION, *TABLE)}

__all__ = ["BY_NAME", "LIMITS", "NEED_FORK", "PREFIX", "TABLE", "TARGET_OPTION", "Option"]
