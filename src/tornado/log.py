"""The three loggers of the package, and a format for them that reads well on a terminal.

* ``tornado.access``: a line for each request a server has answered.
* ``tornado.application``: errors in the program's own code, such as an uncaught exception in a callback.
* ``tornado.general``: everything else, warnings about peers and about the use of the package among it.

They are ordinary loggers of `logging`; no handler is attached to them. `tornado.options.parse_command_line`
turns on pretty logging by itself, according to the options of `define_logging_options`.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
import time
from types import ModuleType
from typing import TYPE_CHECKING, Any

from tornado._reexports import reexport
from tornado.util import import_object

if TYPE_CHECKING:
    from tornado.options import OptionParser

__all__ = [
    "LogFormatter",
    "access_log",
    "app_log",
    "define_logging_options",
    "enable_pretty_logging",
    "gen_log",
]


def _optional(name: str) -> ModuleType | None:
    """A module that is used where it is installed."""
    try:
        found: ModuleType = import_object(name)
    except ImportError:
        return None
    return found


#: Colors on Unix terminals, and on those of Windows; None where missing.
curses: ModuleType | None = _optional("curses")
colorama: ModuleType | None = _optional("colorama")

gen_log: logging.Logger = logging.getLogger("tornado.general")
app_log: logging.Logger = logging.getLogger("tornado.application")
access_log: logging.Logger = logging.getLogger("tornado.access")

# Control characters: C0 but for the tab, DEL, and C1. On terminals 0x9b starts escape sequences as ESC does.
_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")
_C1_CONTROLS = re.compile(r"[\x80-\x9f]")


def escape_controls(text: str) -> str:
    r"""Replace control characters by escapes such as ``\x9b``, for text of a peer that goes into a log.

    A target, a header value or a file name may hold them, and a line feed would begin what looks
    like another line. Tabs stay.
    """
    return _CONTROLS.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    return f"\\x{ord(match[0]):02x}"


_LogRecord = logging.LogRecord
_RECORDS_NAME_TASKS = sys.version_info >= (3, 12)


class _PerThread(threading.local):
    """What the records of one thread have in common; a thread's number may be another's tomorrow."""

    template: dict[str, Any] | None = None


_of_thread = _PerThread()


def log_access(level: int, message: str, *args: Any) -> None:
    """Log to `access_log` what it is enabled for, at half the price of its own methods.

    A server logs a line a request, always from the same place, so that the logging module's search for the
    caller and most of a record's fields can be spared. Where somebody has changed how records are made, it is
    ``access_log.log``.
    """
    if logging.getLogRecordFactory() is not _LogRecord or type(access_log) is not logging.Logger:
        access_log.log(level, message, *args, stacklevel=2)
        return
    now = time.time()
    template = _of_thread.template
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
    if _RECORDS_NAME_TASKS:
        fields["taskName"] = _task_name()
    record = _LogRecord.__new__(_LogRecord)
    record.__dict__ = fields
    access_log.handle(record)


def _record_template() -> dict[str, Any]:
    """The fields of a record that are the same for all access lines of this thread, in this process."""
    made = access_log.makeRecord(
        access_log.name,
        logging.INFO,
        __file__,
        log_access.__code__.co_firstlineno,
        "",
        (),
        None,
        "log_access",
    )
    _of_thread.template = made.__dict__
    return made.__dict__


def _task_name() -> str | None:
    """The name of the task under way, None outside of any."""
    asyncio = sys.modules.get("asyncio")  # a program without it has no tasks
    if asyncio is None or not getattr(logging, "logAsyncioTasks", True):
        return None
    try:
        name: str = asyncio.current_task().get_name()
    except (RuntimeError, AttributeError):
        return None  # no loop runs, or no task in it
    return name


_PLAIN_FORMAT = "%(color)s[%(levelname)1.1s %(asctime)s %(module)s:%(lineno)d]%(end_color)s %(message)s"


def _stderr_supports_color() -> bool:
    """Whether standard error is a terminal that shows colors."""
    try:
        if not sys.stderr.isatty():
            return False
        if curses is not None:
            curses.setupterm()
            if curses.tigetnum("colors") > 0:
                return True
        return colorama is not None and sys.stderr is getattr(colorama.initialise, "wrapped_stderr", object())
    except Exception:
        # Whatever is wrong with the terminal, the log has to go on.
        return False


def _as_text(message: Any) -> str:
    """A message as text: bytes as UTF-8 where they are, else as Python would write them."""
    if isinstance(message, bytes):
        try:
            return message.decode()
        except UnicodeDecodeError:
            return repr(message)
    return str(message)


class LogFormatter(logging.Formatter):
    """Short lines, colored on terminals that can, whose messages cannot pass for lines of their own.

    A line break inside a message is followed by four blanks, C1 control characters (0x80 to 0x9f) are
    escaped, and whatever cannot be formatted is shown with the reason instead of being lost.

    :arg fmt: the format of a line, with the fields of `logging.LogRecord` and ``color``, ``end_color``.
    :arg datefmt: the format of ``asctime``, as for `time.strftime`; None for `logging`'s own.
    :arg style: how `fmt` is written: ``%``, ``{`` or ``$``.
    :arg color: use colors where standard error is a terminal that has them.
    :arg colors: level number -> number of a terminal color.
    """

    DEFAULT_DATE_FORMAT = "%y%m%d %H:%M:%S"
    DEFAULT_FORMAT = _PLAIN_FORMAT
    DEFAULT_COLORS = {  # noqa: RUF012 - upstream's type, and nobody should have to write ClassVar in a subclass
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
        # The formatted time, and the second and the format it holds for.
        self._clock: tuple[float, str | None, str] = (-1.0, None, "")
        if color and _stderr_supports_color():
            self._prepare_colors(colors)

    def _prepare_colors(self, colors: dict[int, int]) -> None:
        """Fill `_colors` (level -> what starts the color) and `_normal` (what ends it)."""
        if curses is not None:
            # The terminal's own sequences; they are bytes, and ASCII whatever the terminal's encoding.
            start = curses.tigetstr("setaf") or curses.tigetstr("setf") or b""
            for level, number in colors.items():
                self._colors[level] = curses.tparm(start, number).decode("ascii")
            self._normal = (curses.tigetstr("sgr0") or b"").decode("ascii")
        else:
            # colorama turns the ANSI sequences into what Windows wants.
            self._colors = {level: f"\x1b[2;3{number}m" for level, number in colors.items()}
            self._normal = "\x1b[0m"

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        """The record's time; `datefmt` is evaluated once a second, not once a record."""
        if datefmt is None:
            return super().formatTime(record)
        created = record.created
        second, known_format, text = self._clock
        if not 0 <= created - second < 1 or known_format != datefmt:
            second = created // 1
            text = time.strftime(datefmt, self.converter(second))
            self._clock = (second, datefmt, text)
        return text

    def format(self, record: Any) -> str:
        """The line, or lines, for a record."""
        try:
            record.message = _as_text(record.getMessage())
        except Exception as error:
            # A broken log call must not take down the code that it reports on.
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
            # The exception's text may hold anything; it goes line by line, the blank ones included.
            text = f"{text.rstrip()}\n{record.exc_text}"
        if record.stack_info:
            text = f"{text.rstrip()}\n{self.formatStack(record.stack_info)}"
        if "\n" in text:
            text = text.replace("\n", "\n    ")
        if not text.isascii():
            text = _C1_CONTROLS.sub(_escaped, text)
        return text


def enable_pretty_logging(options: OptionParser | None = None, logger: logging.Logger | None = None) -> None:
    """Attach handlers with `LogFormatter` to a logger, as the options say.

    `tornado.options.parse_command_line` and `parse_config_file` call this by themselves.

    :arg options: an object with the attributes of `define_logging_options`; `tornado.options.options` where
        it is left out. ``options.logging`` None or ``"none"`` changes nothing at all.
    :arg logger: the root logger where it is left out.
    :raises ValueError: for an unknown rotation mode or log level.
    """
    if options is None:
        options = _default_options()
    if options.logging is None or options.logging.lower() == "none":
        return
    if logger is None:
        logger = logging.getLogger()
    logger.setLevel(_level(options.logging))
    if options.log_file_prefix:
        handler = _file_handler(options)
        handler.setFormatter(LogFormatter(color=False))
        logger.addHandler(handler)
    # Unless told so, do not add a second voice to a program that has set up its own logging.
    if options.log_to_stderr or (options.log_to_stderr is None and not logger.handlers):
        terminal = logging.StreamHandler()
        terminal.setFormatter(LogFormatter())
        logger.addHandler(terminal)


def _level(name: str) -> int:
    """The number of a log level."""
    known = logging.getLevelNamesMapping()
    if name.upper() not in known:
        raise ValueError(
            f"the logging option should be one of debug, info, warning, error, none, not {name!r}"
        )
    return known[name.upper()]


def _file_handler(options: Any) -> logging.Handler:
    """The rotating file handler that the options describe."""
    # Imported here: the module brings pickle and more, and few programs log to files.
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
    raise ValueError(f'the log_rotate_mode option should be "size" or "time", not {mode!r}')


def define_logging_options(options: OptionParser | None = None) -> None:
    """Define the options that `enable_pretty_logging` reads, and have it called once they are parsed.

    :arg options: an `.OptionParser`; the global one, which has them already, where it is left out.
    """
    parser = _default_options() if options is None else options
    define = parser.define
    define(
        "logging",
        default="info",
        help="level of the root logger; 'none' leaves Python's logging alone",
        metavar="debug|info|warning|error|none",
    )
    define(
        "log_to_stderr",
        type=bool,
        default=None,
        help="log to standard error, in color where that works; this is the default "
        "unless --log_file_prefix is given or logging has been set up otherwise",
    )
    define(
        "log_file_prefix",
        type=str,
        default=None,
        metavar="PATH",
        help="log to this file; processes that run side by side each need one of their own",
    )
    define(
        "log_file_max_size", type=int, default=100 * 1000 * 1000, help="bytes at which a log file is rotated"
    )
    define("log_file_num_backups", type=int, default=10, help="how many rotated log files are kept")
    define(
        "log_rotate_when",
        type=str,
        default="midnight",
        help="unit of time for rotation: S, M, H, D, W0 to W6, or midnight",
    )
    define("log_rotate_interval", type=int, default=1, help="rotate after so many of these units")
    define("log_rotate_mode", type=str, default="size", help="what log files are rotated by: size or time")
    parser.add_parse_callback(lambda: enable_pretty_logging(parser))


def _default_options() -> Any:
    """The global options. They are looked up by name because that module needs this one to be complete."""
    return import_object("tornado.options.options")


reexport(globals())
