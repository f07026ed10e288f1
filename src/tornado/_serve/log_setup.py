"""The log of ``python -m tornado serve``: text or JSON on standard error."""

from __future__ import annotations

import datetime
import json
import logging
import re
from typing import Protocol

from tornado._serve.process_identity import log_fields
from tornado.log import LogFormatter, access_log, app_log, gen_log
from tornado.web._observation._log_records import NO_REQUEST

#: Characters that JSON does not require to be escaped, but terminals and viewers of logs interpret: DEL, C1
#: controls, separators of lines, marks of the direction of writing, and surrogates.
_UNPRINTABLE = re.compile("[\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
#: The format of text: level, time and place, and the message.
_TEXT = LogFormatter.DEFAULT_FORMAT.replace("%(module)s:%(lineno)d", "%(place)s")
#: A level above all others, which turns a logger off.
_OFF = logging.CRITICAL + 1


class _TextFormatter(LogFormatter):
    """Formats records as lines. For those of this package, the name of the logger replaces the module, which
    means nothing to the user.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the text for a record."""
        is_own = record.name.partition(".")[0] == "tornado"
        record.place = record.name if is_own else f"{record.module}:{record.lineno}"
        return super().format(record)


class SupportsWrite(Protocol):
    """The methods of a stream for log records."""

    def write(self, text: str, /) -> object:
        """Write a record."""

    def flush(self) -> object:
        """Send what was written."""


class JSONFormatter(logging.Formatter):
    """Formats each record as a JSON object on one line.

    Its keys are ``time`` (RFC 3339, UTC), ``level``, ``logger``, ``message`` and ``process``, the process ID;
    ``role`` and ``worker``, the number, for the processes of a service; ``request_id`` for a record of a
    request, if the application has the setting ``request_id``; ``exception`` for a traceback; and ``stack``
    for the stacks of a process that hangs.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line for a record, without its end."""
        time = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
        fields = {
            "time": time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "process": record.process,
            **log_fields(),
        }
        request_id = getattr(record, "request_id", NO_REQUEST)
        if request_id != NO_REQUEST:
            fields["request_id"] = request_id
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        elif record.exc_text:
            fields["exception"] = record.exc_text
        if record.stack_info:
            fields["stack"] = record.stack_info
        return _UNPRINTABLE.sub(_escape, json.dumps(fields, ensure_ascii=False))


def _escape(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"


def log_report(level: int, message: str, report: str, *, is_stack: bool = False) -> None:
    """Log a text of several lines as one record of `gen_log`, whose message has one line.

    :param report: a traceback, or stacks.
    """
    record = gen_log.makeRecord(gen_log.name, level, "", 0, message, (), None)
    if is_stack:
        record.stack_info = report
    else:
        record.exc_text = report or None
    gen_log.handle(record)


def set_up(log_format: str, access: str, stream: SupportsWrite | None = None) -> None:
    """Write log records of level INFO and above to standard error.

    A program that sets up logging itself does so later, when it is imported, and may replace the handler.

    :param log_format: ``text`` or ``json``.
    :param access: the form of the access log; ``off`` turns it off.
    :param stream: standard error; by default `sys.stderr`.
    """
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JSONFormatter() if log_format == "json" else _TextFormatter(fmt=_TEXT))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    if access == "off":
        access_log.setLevel(_OFF)


def set_up_unless_configured() -> None:
    """Write the log to standard error as ``serve`` does, unless the program has set up logging itself.

    The handlers of the root logger and of those of this package count. A program may also add some later, for
    example in its start-up. The root logger therefore gets no handler, with which `logging.basicConfig` would
    do nothing.
    """
    names = ("", "tornado", access_log.name, app_log.name, gen_log.name)
    if not any(logging.getLogger(name).handlers for name in names):
        handler = logging.StreamHandler()
        handler.setFormatter(_TextFormatter(fmt=_TEXT))
        logging.lastResort = handler
        logging.getLogger().setLevel(logging.INFO)


__all__ = ["JSONFormatter", "log_report", "set_up", "set_up_unless_configured"]
