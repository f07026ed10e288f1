"""The loggers of the package, and a formatter for logs on a terminal.

* ``tornado.access``: one line for each request that a server has handled.
* ``tornado.application``: errors in the application, such as an uncaught exception in a callback.
* ``tornado.general``: everything else, including warnings about peers and about the use of the package.

They are ordinary `logging` loggers without handlers. `tornado.options.parse_command_line` calls
`enable_pretty_logging`, which adds handlers according to the options of `define_logging_options`.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any, Protocol

from tornado._implicit_reexports import reexport
from tornado.util import import_object

__all__ = [
    "LogFormatter",
    "access_log",
    "app_log",
    "define_logging_options",
    "enable_pretty_logging",
    "gen_log",
]


class LoggingOptions(Protocol):
    """The part of an `.OptionParser` that this module uses. Options are read as attributes."""

    def define(
        self,
        name: str,
        default: Any = None,
        type: type | None = None,
        help: str | None = None,
        metavar: str | None = None,
    ) -> None:
        """Define an option; see `.OptionParser.define`."""

    def add_parse_callback(self, callback: Callable[[], None]) -> None:
        """Register a function to call when the options have been parsed."""

    def __getattr__(self, name: str) -> Any: ...


def _import_optional(name: str) -> ModuleType | None:
    """Import an optional module; return None if it is not installed."""
    try:
        found: ModuleType = import_object(name)
    except ImportError:
        return None
    return found


#: The modules for colors on Unix and on Windows terminals; None if a module is not installed.
curses: ModuleType | None = _import_optional("curses")
colorama: ModuleType | None = _import_optional("colorama")

gen_log: logging.Logger = logging.getLogger("tornado.general")
app_log: logging.Logger = logging.getLogger("tornado.application")
access_log: logging.Logger = logging.getLogger("tornado.access")

# Control characters: C0 except the tab, DEL, and C1. In terminals, 0x9b starts an escape sequence, as ESC
# does.
_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")
_C1_CONTROLS = re.compile(r"[\x80-\x9f]")


def escape_controls(text: str) -> str:
    r"""Replace control characters with escapes such as ``\x9b``. It is used to log text received from a peer.

    Request targets, header values and file names may contain control characters; with a line feed, a peer
    could forge a log line. Tabs are kept.
    """
    return _CONTROLS.sub(_escape_match, text)


def _escape_match(match: re.Match[str]) -> str:
    return f"\\x{ord(match[0]):02x}"


_LogRecord = logging.LogRecord
_RECORDS_HAVE_TASK_NAME = sys.version_info >= (3, 12)


class _SharedRecordFields(threading.local):
    """The fields that all records of one thread share.

    A dict with thread IDs as keys would not be correct, because IDs are reused.
    """

    template: dict[str, Any] | None = None


_per_thread = _SharedRecordFields()


def log_access(level: int, message: str, *args: Any) -> None:
    """Log to `access_log`, at half the cost of its methods. The caller checks that the level is enabled.

    A server logs one line per request, always from the same place, so the caller and most other fields of a
    record are determined only once. If the record factory or the logger class has been replaced, this
    function calls ``access_log.log``.
    """
    if logging.getLogRecordFactory() is not _LogRecord or type(access_log) is not logging.Logger:
        access_log.log(level, message, *args, stacklevel=2)
        return
    now = time.time()
    template = _per_thread.template
    if template is None or template["process"] != os.getpid():
        template = _record_template()
    fields = template.copy()
    fields["levelno"] = level
    fields["levelname"] = logging.getLevelName(level)
    fields["msg"] = message
    fields["args"] = args
    fields["created"] = now
    fields["msecs"] = float(int((now - int(now)) * 1000))
    fields["relativeCreated"] = (now - template["created"]) * 1000 + template["relativeCreated"]
    if _RECORDS_HAVE_TASK_NAME:
        fields["taskName"] = _task_name()
    record = _LogRecord.__new__(_LogRecord)
    record.__dict__ = fields
    access_log.handle(record)


def _record_template() -> dict[str, Any]:
    """Return the fields that are the same in all access log records of this thread and process."""
    record = access_log.makeRecord(
        access_log.name,
        logging.INFO,
        __file__,
        log_access.__code__.co_firstlineno,
        "",
        (),
        None,
        "log_access",
    )
    _per_thread.template = record.__dict__
    return record.__dict__


def _task_name() -> str | None:
    """Return the name of the current task, or None."""
    asyncio = sys.modules.get("asyncio")  # if it has not been imported, there are no tasks
    if asyncio is None or not getattr(logging, "logAsyncioTasks", True):
        return None
    try:
        name: str = asyncio.current_task().get_name()
    except (RuntimeError, AttributeError):
        return None  # no running event loop, or no current task
    return name


_DEFAULT_FORMAT = "%(color)s[%(levelname)1.1s %(asctime)s %(module)s:%(lineno)d]%(end_color)s %(message)s"


def _stderr_supports_color() -> bool:
    """Whether standard error is a terminal that supports colors."""
    try:
        if not sys.stderr.isatty():
            return False
        if curses is not None:
            curses.setupterm()
            if curses.tigetnum("colors") > 0:
                return True
        return colorama is not None and sys.stderr is getattr(colorama.initialise, "wrapped_stderr", object())
    except Exception:
        # An error in the terminal setup must not prevent logging.
        return False


def _to_text(message: Any) -> str:
    """Convert a message to text. Bytes are decoded as UTF-8, or shown as their repr if they are not UTF-8."""
    if isinstance(message, bytes):
        try:
            return message.decode()
        except UnicodeDecodeError:
            return repr(message)
    return str(message)


class LogFormatter(logging.Formatter):
    """A formatter for short lines, colored if the terminal supports it.

    A message cannot forge a log line: the lines after the first are indented by four spaces, and C1 control
    characters (0x80 to 0x9f) are escaped. If a message cannot be formatted, the line contains the error and
    the record.

    :param fmt: the format of a line. Besides the fields of `logging.LogRecord` it may use ``color`` and
        ``end_color``.
    :param datefmt: the format of ``asctime``, as for `time.strftime`; None for the default of `logging`.
    :param style: the style of `fmt`: ``%``, ``{`` or ``$``.
    :param color: whether to use colors if standard error is a terminal that supports them.
    :param colors: level number -> terminal color number.
    """

    DEFAULT_DATE_FORMAT = "%y%m%d %H:%M:%S"
    DEFAULT_FORMAT = _DEFAULT_FORMAT
    DEFAULT_COLORS = {  # noqa: RUF012 - upstream's type; subclasses need not write ClassVar
        logging.CRITICAL: 5,  # magenta
        logging.ERROR: 1,  # red
        logging.WARNING: 3,  # yellow
        logging.INFO: 2,  # green
        logging.DEBUG: 4,  # blue
    }

    def __init__(
        self,
        fmt: str = DEFAULT_FORMAT,
        datefmt: str | None = DEFAULT_DATE_FORMAT,
        style: str = "%",
        color: bool = True,
        colors: dict[int, int] = DEFAULT_COLORS,
    ) -> None:
        super().__init__(fmt, datefmt, style, validate=False)  # type: ignore[arg-type]
        self._fmt = fmt
        self._percent_style = style == "%"
        self._colors: dict[int, str] = {}
        self._normal = ""
        # The cached time: the second, the format and the formatted text.
        self._cached_time: tuple[float, str | None, str] = (-1.0, None, "")
        if color and _stderr_supports_color():
            self._prepare_colors(colors)

    def _prepare_colors(self, colors: dict[int, int]) -> None:
        """Set `_colors` (level -> sequence that starts its color) and `_normal` (sequence that resets it)."""
        if curses is not None:
            # The terminal's sequences are bytes; they are ASCII whatever the terminal's encoding is.
            start = curses.tigetstr("setaf") or curses.tigetstr("setf") or b""
            for level, number in colors.items():
                self._colors[level] = curses.tparm(start, number).decode("ascii")
            self._normal = (curses.tigetstr("sgr0") or b"").decode("ascii")
        else:
            # colorama translates ANSI sequences for Windows.
            self._colors = {level: f"\x1b[2;3{number}m" for level, number in colors.items()}
            self._normal = "\x1b[0m"

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        """Format the time of a record. The result is cached for one second."""
        if datefmt is None:
            return super().formatTime(record)
        created = record.created
        second, known_format, text = self._cached_time
        if not 0 <= created - second < 1 or known_format != datefmt:
            second = created // 1
            text = time.strftime(datefmt, self.converter(second))
            self._cached_time = (second, datefmt, text)
        return text

    def format(self, record: Any) -> str:
        """Format a record as one or more lines."""
        try:
            record.message = _to_text(record.getMessage())
        except Exception as error:
            # An invalid log call must not raise an exception in the code that logs.
            record.message = f"Bad message ({error!r}): {record.__dict__!r}"
        record.asctime = self.formatTime(record, self.datefmt)
        record.color = self._colors.get(record.levelno, "")
        record.end_color = self._normal if record.color else ""
        if self._percent_style:
            text: str = self._fmt % record.__dict__
        else:
            text = self._style.format(record)
        if record.exc_info and not record.exc_text:
            record.exc_text = self.formatException(record.exc_info)
        if record.exc_text:
            # The exception's text may contain line breaks, which are indented below.
            text = f"{text.rstrip()}\n{record.exc_text}"
        if record.stack_info:
            text = f"{text.rstrip()}\n{self.formatStack(record.stack_info)}"
        if "\n" in text:
            text = text.replace("\n", "\n    ")
        if not text.isascii():
            text = _C1_CONTROLS.sub(_escape_match, text)
        return text


def enable_pretty_logging(
    options: LoggingOptions | None = None, logger: logging.Logger | None = None
) -> None:
    """Add handlers with a `LogFormatter` to a logger, and set its level, according to the options.

    `tornado.options.parse_command_line` and `parse_config_file` call this function.

    :param options: an object with the attributes of `define_logging_options`, by default
        `tornado.options.options`. If ``options.logging`` is None or ``"none"``, nothing is changed.
    :param logger: the logger to configure, by default the root logger.
    :raises ValueError: if the rotation mode or the log level is unknown.
    """
    if options is None:
        options = _default_options()
    if options.logging is None or options.logging.lower() == "none":
        return
    if logger is None:
        logger = logging.getLogger()
    logger.setLevel(_level_number(options.logging))
    if options.log_file_prefix:
        handler = _file_handler(options)
        handler.setFormatter(LogFormatter(color=False))
        logger.addHandler(handler)
    # By default, do not log twice in a program that has configured its own handlers.
    if options.log_to_stderr or (options.log_to_stderr is None and not logger.handlers):
        terminal = logging.StreamHandler()
        terminal.setFormatter(LogFormatter())
        logger.addHandler(terminal)


def _level_number(name: str) -> int:
    """Return the number of a log level."""
    known = logging.getLevelNamesMapping()
    if name.upper() not in known:
        raise ValueError(
            f"the logging option must be one of debug, info, warning, error or none, got {name!r}"
        )
    return known[name.upper()]


def _file_handler(options: Any) -> logging.Handler:
    """Return the rotating file handler that the options specify."""
    # Imported here because it imports pickle and other modules, and few programs log to files.
    from logging.handlers import RotatingFileHandler, TimedRotatingFileHandler

    mode = options.log_rotate_mode
    if mode == "size":
        return RotatingFileHandler(
            options.log_file_prefix,
            maxBytes=options.log_file_max_size,
            backupCount=options.log_file_num_backups,
            encoding="utf-8",
        )
    if mode == "time":
        return TimedRotatingFileHandler(
            options.log_file_prefix,
            when=options.log_rotate_when,
            interval=options.log_rotate_interval,
            backupCount=options.log_file_num_backups,
            encoding="utf-8",
        )
    raise ValueError(f'the log_rotate_mode option must be "size" or "time", got {mode!r}')


def define_logging_options(options: LoggingOptions | None = None) -> None:
    """Define the options that `enable_pretty_logging` reads, and register it to be called after the options
    are parsed.

    :param options: an `.OptionParser`, by default the global parser, in which they are already defined.
    """
    parser = _default_options() if options is None else options
    define = parser.define
    define(
        "logging",
        default="info",
        help="level of the root logger; 'none' leaves Python's logging unchanged",
        metavar="debug|info|warning|error|none",
    )
    define(
        "log_to_stderr",
        type=bool,
        default=None,
        help="log to standard error, in color if the terminal supports it; this is the default "
        "unless --log_file_prefix is given or the logger already has handlers",
    )
    define(
        "log_file_prefix",
        type=str,
        default=None,
        metavar="PATH",
        help="log to this file; each of several processes needs a different file",
    )
    define(
        "log_file_max_size", type=int, default=100 * 1000 * 1000, help="maximum size of a log file in bytes"
    )
    define("log_file_num_backups", type=int, default=10, help="number of rotated log files to keep")
    define(
        "log_rotate_when",
        type=str,
        default="midnight",
        help="unit of time for rotation: S, M, H, D, W0 to W6, or midnight",
    )
    define("log_rotate_interval", type=int, default=1, help="time between rotations, in that unit")
    define("log_rotate_mode", type=str, default="size", help="rotate log files by size or by time")
    parser.add_parse_callback(lambda: enable_pretty_logging(parser))


def _default_options() -> Any:
    """Return the global options, looked up by name because `tornado.options` imports this module."""
    return import_object("tornado.options.options")


reexport(globals())
