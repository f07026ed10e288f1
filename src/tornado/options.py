"""Options that modules define, to be set on the command line or in a configuration file.

Each module defines its options with `define`, next to the code that uses them::

    from tornado.options import define, options

    define("port", default=8888, help="port to listen on")
    define("shards", default=["db1:5432"], multiple=True, help="database servers, as host:port")

    pools = [connect(shard) for shard in options.shards]

The main program imports these modules and then calls `parse_command_line`
(``--port=80 --shards=db1:5432,db2:5432``) or `parse_config_file`. Dashes and underscores in names are
equivalent.

The functions of this module use one global `OptionParser`, `options`. Create another `OptionParser` for a
separate set of options.
"""

from __future__ import annotations

import datetime
import difflib
import numbers
import os
import re
import sys
import textwrap
import types
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TextIO

from tornado._implicit_reexports import reexport
from tornado.log import define_logging_options
from tornado.log import enable_pretty_logging as enable_pretty_logging  # Tornado 2 defined this function here
from tornado.util import exec_in

__all__ = [
    "Error",
    "OptionParser",
    "add_parse_callback",
    "define",
    "options",
    "parse_command_line",
    "parse_config_file",
    "print_help",
]


class Error(Exception):
    """An unknown option, an invalid value, or an option that is defined twice."""


class _BadValueError(Error, ValueError):
    """A value of the wrong type. It is also a ValueError, which upstream raises and programs catch."""


class _Option:
    """One option: its definition and its value."""

    UNSET = object()

    def __init__(
        self,
        name: str,
        default: Any = None,
        type: type | None = None,
        help: str | None = None,
        metavar: str | None = None,
        multiple: bool = False,
        file_name: str | None = None,
        group_name: str | None = None,
        callback: Callable[[Any], None] | None = None,
    ) -> None:
        if type is None:
            raise ValueError(f"option {name!r}: type must not be None")
        self.name, self.type, self.multiple = name, type, multiple
        self.help, self.metavar = help, metavar
        self.file_name, self.group_name = file_name, group_name
        self.default = [] if default is None and multiple else default
        self.callback = callback
        self._value: Any = self.UNSET

    def value(self) -> Any:
        """Return the value that was set, or the default."""
        return self.default if self._value is self.UNSET else self._value

    def parse(self, value: str) -> Any:
        """Parse text, set the option and return its new value."""
        if not self.multiple:
            self._store(self._parse_one(value))
        elif issubclass(self.type, numbers.Integral):
            self._store([number for part in value.split(",") for number in self._parse_range(part)])
        else:
            self._store([self._parse_one(part) for part in value.split(",")])
        return self.value()

    def set(self, value: Any) -> None:
        """Set the option to a value of its type, or to None; a `multiple` option takes a list of these."""
        if self.multiple:
            invalid = not isinstance(value, list) or any(
                not isinstance(item, self.type) for item in value if item is not None
            )
            if invalid:
                raise _BadValueError(
                    f"Option {self.name!r} takes a list of {self.type.__name__}, got {value!r:.100}"
                )
        elif value is not None and not isinstance(value, self.type):
            raise _BadValueError(
                f"Option {self.name!r} takes a value of type {self.type.__name__}, "
                f"got {type(value).__name__}: {value!r:.100}"
            )
        self._store(value)

    def _store(self, value: Any) -> None:
        self._value = value
        if self.callback is not None:
            self.callback(value)

    def _parse_one(self, text: str) -> Any:
        """Convert text to the option's type."""
        parser = _PARSERS.get(self.type, self.type)
        try:
            return parser(text)
        except (ValueError, TypeError, OverflowError) as error:
            raise _BadValueError(
                f"Option {self.name!r} takes a value of type {self.type.__name__}, got {text!r:.100}: {error}"
            ) from error

    def _parse_range(self, text: str) -> Iterable[Any]:
        """Parse an integer, or an inclusive range of integers written ``first:last``."""
        first_text, _, last_text = text.partition(":")
        first = self._parse_one(first_text)
        last = self._parse_one(last_text) if last_text else first
        return range(first, last + 1)


# --- text to values ---

_CLOCK_FORMATS = ("%H:%M:%S", "%H:%M")
_DATETIME_FORMATS = (
    *(f"{day}{clock}" for day in ("%Y-%m-%d ", "%Y-%m-%dT", "%Y%m%d ") for clock in _CLOCK_FORMATS),
    "%Y-%m-%d",
    "%Y%m%d",
    *_CLOCK_FORMATS,  # the date is 1900-01-01, as in strptime
    "%a %b %d %H:%M:%S %Y",  # the format of time.ctime()
)


def _parse_datetime(text: str) -> datetime.datetime:
    for layout in _DATETIME_FORMATS:
        try:
            return datetime.datetime.strptime(text, layout)
        except ValueError:
            continue
    raise ValueError("Unrecognized date/time format; expected a format such as 2025-01-31 12:00")


_UNITS = {
    "weeks": ("w", "week", "weeks"),
    "days": ("d", "day", "days"),
    "hours": ("h", "hour", "hours"),
    "minutes": ("m", "min", "minute", "minutes"),
    "seconds": ("", "s", "sec", "second", "seconds"),
    "milliseconds": ("ms", "millisecond", "milliseconds"),
    "microseconds": ("us", "microsecond", "microseconds"),
}
_UNIT_BY_SPELLING = {spelling: unit for unit, spellings in _UNITS.items() for spelling in spellings}
_DURATION_PART = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*([a-z]*)\s*", re.IGNORECASE)


def _parse_timedelta(text: str) -> datetime.timedelta:
    total = datetime.timedelta()
    position = 0
    while position < len(text):
        part = _DURATION_PART.match(text, position)
        unit = _UNIT_BY_SPELLING.get(part[2].lower()) if part else None
        if part is None or unit is None:
            raise ValueError("expected a duration such as 90, 1.5h or 1d 30min (units: w d h m s ms us)")
        total += datetime.timedelta(**{unit: float(part[1])})
        position = part.end()
    return total


def _parse_bool(text: str) -> bool:
    return text.lower() not in ("false", "0", "f")


#: Parsers for the types whose constructor does not parse text.
_PARSERS: dict[type, Callable[[str], Any]] = {
    datetime.datetime: _parse_datetime,
    datetime.timedelta: _parse_timedelta,
    bool: _parse_bool,
    bytes: str.encode,
}


# --- the parser ---


def _normalize(name: str) -> str:
    """Return the key of an option: ``log_file_prefix`` and ``log-file-prefix`` are equivalent."""
    return name.replace("_", "-")


def _calling_file(own_names: tuple[str, ...]) -> str:
    """Return the source file of the call to `define`, skipping the functions of this module."""
    frame: types.FrameType | None = sys._getframe(2)
    while frame is not None:
        code = frame.f_code
        if code.co_filename != _Option.__init__.__code__.co_filename or code.co_name not in own_names:
            return code.co_filename
        frame = frame.f_back
    return ""


class OptionParser:
    """A set of options.

    The values are available as attributes and as items: ``options.port`` and ``options["port"]`` are
    equivalent and can be read and set. Using a name that is not defined raises `AttributeError`; setting a
    value of the wrong type raises `Error`.
    """

    # Attributes are options, so the state of the parser is set without __setattr__.
    _options: dict[str, _Option]
    _parse_callbacks: list[Callable[[], None]]

    def __init__(self) -> None:
        self.__dict__["_options"] = {}
        self.__dict__["_parse_callbacks"] = []
        self.define(
            "help",
            type=bool,
            help="show this text and exit",
            group="",
            callback=self._show_help_and_exit,
        )

    def _find(self, name: str) -> _Option:
        option = self._options.get(_normalize(name)) if isinstance(name, str) else None
        if option is None:
            raise AttributeError(f"Unrecognized option {name!r}{self._suggestion(name)}")
        return option

    def _suggestion(self, name: str) -> str:
        """Return the suggestion to append to a message about an unknown name. It may be empty."""
        matches = difflib.get_close_matches(_normalize(str(name)), self._options, n=3)
        return f" (did you mean {' or '.join('--' + key for key in matches)}?)" if matches else ""

    def __getattr__(self, name: str) -> Any:
        """Return the value of an option."""
        if name.startswith("__"):
            # Python looks up names such as ``__deepcopy__`` when it copies or inspects an object.
            raise AttributeError(name)
        return self._find(name).value()

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an option."""
        self._find(name).set(value)

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of the options, spelled as in their definitions."""
        return (option.name for option in self._options.values())

    def __contains__(self, name: str) -> bool:
        """Whether an option with this name is defined."""
        return _normalize(name) in self._options

    def __getitem__(self, name: str) -> Any:
        """Return the value of an option."""
        return self._find(name).value()

    def __setitem__(self, name: str, value: Any) -> None:
        """Set an option."""
        self._find(name).set(value)

    def items(self) -> Iterable[tuple[str, Any]]:
        """Return all options as a list of ``(name, value)``."""
        return [(option.name, option.value()) for option in self._options.values()]

    def groups(self) -> set[str]:
        """Return the names of the groups. The default group of an option is the file that defines it."""
        return {option.group_name or "" for option in self._options.values()}

    def group_dict(self, group: str) -> dict[str, Any]:
        """Return the names and values of the options in a group::

            application = Application(handlers, **options.group_dict("application"))

        :param group: the name of the group; an empty name selects all options.
        """
        return {
            option.name: option.value()
            for option in self._options.values()
            if not group or option.group_name == group
        }

    def as_dict(self) -> dict[str, Any]:
        """Return the names and values of all options."""
        return dict(self.items())

    def define(
        self,
        name: str,
        default: Any = None,
        type: type | None = None,
        help: str | None = None,
        metavar: str | None = None,
        multiple: bool = False,
        group: str | None = None,
        callback: Callable[[Any], None] | None = None,
    ) -> None:
        """Define an option.

        :param default: the value if none is set.
        :param type: the type to convert text to: `str`, `int`, `float`, `bool`, `datetime.datetime`,
            `datetime.timedelta` (``1d 2h``), or another class that can be called with a string. By default
            the type of `default`, or `str` if `default` is None or `multiple` is true.
        :param help: the description shown by ``--help``.
        :param metavar: a placeholder for the value, shown by ``--help``: ``--name=METAVAR``.
        :param multiple: whether the option takes several values, separated by commas; its value is a list.
            Integers may be given as ranges: ``1,5:8`` means ``[1, 5, 6, 7, 8]``.
        :param group: the heading of the option in ``--help``, by default the file that defines the option.
        :param callback: a function to call with the new value each time the option is set. For an option
            that names a configuration file:
            ``callback=lambda path: options.parse_config_file(path, final=False)``.
        :raises Error: if an option with this name is already defined.
        """
        key = _normalize(name)
        if key in self._options:
            raise Error(f"Option {key!r} already defined in {self._options[key].file_name}")
        file_name = _calling_file(("define",))
        if type is None:
            type = str if multiple or default is None else default.__class__
        self._options[key] = _Option(
            name,
            default,
            type,
            help,
            multiple=multiple,
            metavar=metavar,
            callback=callback,
            group_name=file_name if group is None else group,
            file_name="" if group == "" else file_name,
        )

    def parse_command_line(self, args: list[str] | None = None, final: bool = True) -> list[str]:
        """Set options from a command line.

        Options have the form ``--name=value``; the value of a bool may be omitted. Parsing stops at ``--`` or
        at the first argument that is not an option.

        :param args: the command line, with the program name first; by default `sys.argv`.
        :param final: whether to run the parse callbacks. Pass False if more sources will be parsed.
        :returns: the arguments that follow the options.
        :raises Error: if an option is unknown or a value is invalid.
        """
        remaining = list(sys.argv if args is None else args)[1:]
        while remaining and remaining[0].startswith("-"):
            argument = remaining.pop(0)
            if argument == "--":
                break
            self._parse_argument(argument)
        if final:
            self.run_parse_callbacks()
        return remaining

    def _parse_argument(self, argument: str) -> None:
        """Set an option from one argument of the command line."""
        name, equals, value = argument.lstrip("-").partition("=")
        key = _normalize(name)
        option = self._options.get(key)
        if option is None:
            self.print_help()
            raise Error(f"Unrecognized command line option: {name!r}{self._suggestion(name)}")
        if not equals:
            if option.type is not bool:
                raise Error(f"Option {key!r} requires a value: --{key}={option.metavar or 'VALUE'}")
            value = "true"
        option.parse(value)

    def parse_config_file(self, path: str | os.PathLike[str], final: bool = True) -> None:
        """Run a file of Python code and set the options that it assigns to as global variables.

        ``port = 80`` sets ``port``. If the option is not a `str`, a string is parsed as on the command line.
        A `multiple` option takes a list or such a string. Other global variables are ignored. The file must
        be UTF-8; ``__file__`` contains its path.

        :param path: the path of the file.
        :param final: whether to run the parse callbacks. Pass False if more sources will be parsed.
        :raises Error: if a value is invalid.
        """
        full_path = os.path.abspath(path)
        names: dict[str, Any] = {"__file__": full_path}
        with open(path, "rb") as file:
            exec_in(compile(file.read(), full_path, "exec", dont_inherit=True), names, names)
        for name, value in names.items():
            option = self._options.get(_normalize(name))
            if option is not None:
                self._set_from_file(option, value)
        if final:
            self.run_parse_callbacks()

    def _set_from_file(self, option: _Option, value: Any) -> None:
        if option.multiple and not isinstance(value, (list, str)):
            raise _BadValueError(
                f"Option {option.name!r} is required to be a list of {option.type.__name__} "
                f"or a comma-separated string, got {value!r:.100}"
            )
        if type(value) is str and (option.multiple or option.type is not str):
            option.parse(value)
        else:
            option.set(value)

    def print_help(self, file: TextIO | None = None) -> None:
        """Print all options by group, with their help and defaults.

        :param file: the file to write to, by default standard error.
        """
        out = sys.stderr if file is None else file
        groups: dict[str, list[_Option]] = {}
        for option in self._options.values():
            groups.setdefault(option.group_name or "", []).append(option)
        lines = [f"Usage: {sys.argv[0]} [OPTIONS]", "", "Options:", ""]
        for group in sorted(groups):
            if group:
                lines += ["", f"{os.path.normpath(group)} options:", ""]
            for option in sorted(groups[group], key=lambda option: option.name):
                lines += _help_lines(option)
        out.write("\n".join(lines) + "\n\n")

    def _show_help_and_exit(self, wanted: bool) -> None:
        if not wanted:
            return
        self.print_help()
        sys.exit(0)

    def add_parse_callback(self, callback: Callable[[], None]) -> None:
        """Add a function to call, without arguments, after the options are parsed."""
        self._parse_callbacks.append(callback)

    def run_parse_callbacks(self) -> None:
        """Call the parse callbacks in the order in which they were added."""
        for function in self._parse_callbacks:
            function()

    def mockable(self) -> _Mockable:
        """Return a wrapper of the parser for use with `unittest.mock.patch.object`::

        with mock.patch.object(options.mockable(), "name", value):
            assert options.name == value
        """
        return _Mockable(self)


_HELP_COLUMN = 35
_HELP_WIDTH = 79


def _help_lines(option: _Option) -> list[str]:
    """Return the lines of the help text for an option: the name on the left, the help on the right."""
    key = _normalize(option.name)
    left = f"  --{key}={option.metavar}" if option.metavar else f"  --{key}"
    text = option.help or ""
    if option.default is not None and option.default != "":
        text = f"{text} (default {option.default})".lstrip()
    right = textwrap.wrap(text, _HELP_WIDTH - _HELP_COLUMN)
    # The help of an option with a long name starts on the next line.
    is_short = len(left) < _HELP_COLUMN - 1
    first = f"{left:<{_HELP_COLUMN}}{right.pop(0)}" if is_short and right else left
    return [first, *(" " * _HELP_COLUMN + line for line in right)]


class _Mockable:
    """A wrapper that forwards attributes to a parser. Deleting an attribute restores its previous value.

    At the end of a patch, `unittest.mock.patch` deletes an attribute that was not in ``__dict__`` before, and
    sets the old value only if the attribute is missing afterwards.
    """

    def __init__(self, parser: OptionParser) -> None:
        self.__dict__["_parser"] = parser
        self.__dict__["_previous"] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._parser, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self._previous:
            raise ValueError(f"option {name!r} is already mocked; call mockable() again for a nested patch")
        self._previous[name] = getattr(self._parser, name)
        setattr(self._parser, name, value)

    def __delattr__(self, name: str) -> None:
        setattr(self._parser, name, self._previous.pop(name))


#: The global options, used by the functions of this module.
options: OptionParser = OptionParser()


def define(
    name: str,
    default: Any = None,
    type: type | None = None,
    help: str | None = None,
    metavar: str | None = None,
    multiple: bool = False,
    group: str | None = None,
    callback: Callable[[Any], None] | None = None,
) -> None:
    """Define an option of the global parser; see `OptionParser.define`."""
    options.define(name, default, type, help, metavar, multiple, group, callback)


def parse_command_line(args: list[str] | None = None, final: bool = True) -> list[str]:
    """Set the global options from the command line; see `OptionParser.parse_command_line`."""
    return options.parse_command_line(args, final=final)


def parse_config_file(path: str | os.PathLike[str], final: bool = True) -> None:
    """Set the global options from a file; see `OptionParser.parse_config_file`."""
    options.parse_config_file(path, final=final)


def print_help(file: TextIO | None = None) -> None:
    """Print the help of the global options; see `OptionParser.print_help`."""
    options.print_help(file)


def add_parse_callback(callback: Callable[[], None]) -> None:
    """Add a function to call after the global options are parsed."""
    options.add_parse_callback(callback)


define_logging_options(options)


reexport(globals())
