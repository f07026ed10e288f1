"""Settings that modules declare and the command line, or a configuration file, provides.

Each module declares what it needs, with `define`, next to the code that uses it::

    from tornado.options import define, options

    define("port", default=8888, help="where to listen")
    define("shards", default=["db1:5432"], multiple=True, help="the databases, host:port each")

    pools = [connect(shard) for shard in options.shards]

The main program reads their values with `parse_command_line` (``--port=80 --shards=db1:5432,db2:5432``) or
`parse_config_file`, after all the modules were imported. Dashes and underscores in names mean the same.

`options` is the parser that the functions of this module work with; make an `OptionParser` for a set of
your own.
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

from tornado._reexports import reexport
from tornado.log import define_logging_options
from tornado.log import enable_pretty_logging as enable_pretty_logging  # where it was before Tornado 3
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
    """A name or value that the options do not allow, or an option that is declared twice."""


class _BadValueError(Error, ValueError):
    """A value that is not of its option's type; programs written for the bare ``int()`` catch ValueError."""


class _Option:
    """One option: its declaration and its value."""

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
            raise ValueError(f"option {name!r} has no type")
        self.name, self.type, self.multiple = name, type, multiple
        self.help, self.metavar = help, metavar
        self.file_name, self.group_name = file_name, group_name
        self.default = [] if default is None and multiple else default
        self.callback = callback
        self._value: Any = self.UNSET

    def value(self) -> Any:
        """What was set, else the default."""
        return self.default if self._value is self.UNSET else self._value

    def parse(self, value: str) -> Any:
        """Set the option from text and return its new value."""
        if not self.multiple:
            self._store(self._parse_one(value))
        elif issubclass(self.type, numbers.Integral):
            self._store([number for part in value.split(",") for number in self._parse_range(part)])
        else:
            self._store([self._parse_one(part) for part in value.split(",")])
        return self.value()

    def set(self, value: Any) -> None:
        """Set the option from a value that is of its type already."""
        if self.multiple:
            wrong = not isinstance(value, list) or any(
                not isinstance(item, self.type) for item in value if item is not None
            )
            if wrong:
                raise _BadValueError(
                    f"Option {self.name!r} takes a list of {self.type.__name__}, not {value!r:.100}"
                )
        elif value is not None and not isinstance(value, self.type):
            raise _BadValueError(
                f"Option {self.name!r} takes a value of type {self.type.__name__}, "
                f"not {type(value).__name__}: {value!r:.100}"
            )
        self._store(value)

    def _store(self, value: Any) -> None:
        self._value = value
        if self.callback is not None:
            self.callback(value)

    def _parse_one(self, text: str) -> Any:
        """Text as a value of the option's type."""
        parser = _PARSERS.get(self.type, self.type)
        try:
            return parser(text)
        except (ValueError, TypeError, OverflowError) as error:
            raise _BadValueError(
                f"Option {self.name!r} takes a value of type {self.type.__name__}, not {text!r:.100}: {error}"
            ) from error

    def _parse_range(self, text: str) -> Iterable[Any]:
        """An integer, or several as ``first:last``, both included."""
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
    *_CLOCK_FORMATS,  # on the first of January 1900, as strptime has it
    "%a %b %d %H:%M:%S %Y",  # what time.ctime() writes
)


def _parse_datetime(text: str) -> datetime.datetime:
    for layout in _DATETIME_FORMATS:
        try:
            return datetime.datetime.strptime(text, layout)
        except ValueError:
            continue
    raise ValueError("Unrecognized date/time format; write it like 2025-01-31 12:00")


_UNITS = {
    "weeks": ("w", "week", "weeks"),
    "days": ("d", "day", "days"),
    "hours": ("h", "hour", "hours"),
    "minutes": ("m", "min", "minute", "minutes"),
    "seconds": ("", "s", "sec", "second", "seconds"),
    "milliseconds": ("ms", "millisecond", "milliseconds"),
    "microseconds": ("us", "microsecond", "microseconds"),
}
_UNIT_OF = {spelling: unit for unit, spellings in _UNITS.items() for spelling in spellings}
_DURATION_PART = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*([a-z]*)\s*", re.IGNORECASE)


def _parse_timedelta(text: str) -> datetime.timedelta:
    total = datetime.timedelta()
    position = 0
    while position < len(text):
        part = _DURATION_PART.match(text, position)
        unit = _UNIT_OF.get(part[2].lower()) if part else None
        if part is None or unit is None:
            raise ValueError("a duration is written like 90, 1.5h or 1d 30min (units w d h m s ms us)")
        total += datetime.timedelta(**{unit: float(part[1])})
        position = part.end()
    return total


def _parse_bool(text: str) -> bool:
    return text.lower() not in ("false", "0", "f")


#: How text becomes a value, for the types whose constructor does not do it.
_PARSERS: dict[type, Callable[[str], Any]] = {
    datetime.datetime: _parse_datetime,
    datetime.timedelta: _parse_timedelta,
    bool: _parse_bool,
    bytes: str.encode,
}


# --- the parser ---


def _normalize(name: str) -> str:
    """The key of an option: ``log_file_prefix`` and ``log-file-prefix`` are the same one."""
    return name.replace("_", "-")


def _calling_file(own_names: tuple[str, ...]) -> str:
    """The source file that called `define`: the module's function of that name is only a way there."""
    frame: types.FrameType | None = sys._getframe(2)
    while frame is not None:
        code = frame.f_code
        if code.co_filename != _Option.__init__.__code__.co_filename or code.co_name not in own_names:
            return code.co_filename
        frame = frame.f_back
    return ""


class OptionParser:
    """A set of options.

    Their values are attributes, and items: ``options.port`` and ``options["port"]`` are the same, to read
    and to set. Setting a name that was not declared raises `AttributeError`, a value of the wrong type
    `Error`.
    """

    # Attributes are options, so the parser's own state has to go past __setattr__.
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
        """The end of a message about an unknown name: what may have been meant."""
        near = difflib.get_close_matches(_normalize(str(name)), self._options, n=3)
        return f" (did you mean {' or '.join('--' + key for key in near)}?)" if near else ""

    def __getattr__(self, name: str) -> Any:
        """The value of an option."""
        if name.startswith("__"):
            # Python asks for such names when it copies or inspects an object.
            raise AttributeError(name)
        return self._find(name).value()

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an option."""
        self._find(name).set(value)

    def __iter__(self) -> Iterator[str]:
        """The names, as they were declared."""
        return (option.name for option in self._options.values())

    def __contains__(self, name: str) -> bool:
        """Whether there is an option of this name."""
        return _normalize(name) in self._options

    def __getitem__(self, name: str) -> Any:
        """The value of an option."""
        return self._find(name).value()

    def __setitem__(self, name: str, value: Any) -> None:
        """Set an option."""
        self._find(name).set(value)

    def items(self) -> Iterable[tuple[str, Any]]:
        """All options, as a list of ``(name, value)``."""
        return [(option.name, option.value()) for option in self._options.values()]

    def groups(self) -> set[str]:
        """The names of the groups; an option's is the file that declared it, where none was given."""
        return {option.group_name or "" for option in self._options.values()}

    def group_dict(self, group: str) -> dict[str, Any]:
        """Names and values of a group's options, for handing them on::

            application = Application(handlers, **options.group_dict("application"))

        An empty or missing group means all of them.
        """
        return {
            option.name: option.value()
            for option in self._options.values()
            if not group or option.group_name == group
        }

    def as_dict(self) -> dict[str, Any]:
        """Names and values of all options."""
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
        """Declare an option.

        :arg default: its value as long as none is set.
        :arg type: what text is turned into: `str`, `int`, `float`, `bool`, `datetime.datetime`,
            `datetime.timedelta` (``1d 2h``), or anything that can be called with a string. The type of the
            default where it is left out, else `str`.
        :arg help: what it does, for ``--help``.
        :arg metavar: a word for the value, for ``--help``: ``--name=METAVAR``.
        :arg multiple: take several values, comma-separated; the value is a list. Integers may be ranges:
            ``1,5:8`` gives ``[1, 5, 6, 7, 8]``.
        :arg group: the heading it comes under in ``--help``; the file that declares it where it is left out.
        :arg callback: called with the new value whenever it is set. For an option that names a configuration
            file: ``callback=lambda path: options.parse_config_file(path, final=False)``.
        :raises Error: where the name is taken.
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

        Options are ``--name=value``; a bool needs no value. The first argument that is not an option ends
        them, and so does ``--``.

        :arg args: the command line, program name first; `sys.argv` where it is left out.
        :arg final: run the parse callbacks; False where more is to be parsed.
        :returns: the arguments that follow the options.
        :raises Error: for an unknown option or a value that does not fit.
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
        """Set the option that one argument of the command line gives."""
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
        """Set options from a file of Python code: its global names that are options.

        ``port = 80`` sets ``port``. A string is parsed as on the command line where the option is not itself
        a string; `multiple` options take a list or such a string. Other names are ignored. The file is UTF-8,
        and has its own path in ``__file__``.

        :arg final: run the parse callbacks; False where more is to be parsed.
        :raises Error: for a value that does not fit.
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
                f"or a comma-separated string, not {value!r:.100}"
            )
        if type(value) is str and (option.multiple or option.type is not str):
            option.parse(value)
        else:
            option.set(value)

    def print_help(self, file: TextIO | None = None) -> None:
        """Write all options, by group, with their help and defaults.

        :arg file: where to; standard error where it is left out.
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
        """Have a function called, without arguments, when the options are parsed."""
        self._parse_callbacks.append(callback)

    def run_parse_callbacks(self) -> None:
        """Call the parse callbacks, in the order they were added."""
        for function in self._parse_callbacks:
            function()

    def mockable(self) -> _Mockable:
        """A stand-in for the parser that `unittest.mock.patch.object` can work on::

        with mock.patch.object(options.mockable(), "name", value):
            assert options.name == value
        """
        return _Mockable(self)


_HELP_COLUMN = 35
_HELP_WIDTH = 79


def _help_lines(option: _Option) -> list[str]:
    """An option in the help text: its name on the left, what it does on the right."""
    key = _normalize(option.name)
    left = f"  --{key}={option.metavar}" if option.metavar else f"  --{key}"
    text = option.help or ""
    if option.default is not None and option.default != "":
        text = f"{text} (default {option.default})".lstrip()
    right = textwrap.wrap(text, _HELP_WIDTH - _HELP_COLUMN)
    # A long name gets a line of its own.
    fits = len(left) < _HELP_COLUMN - 1
    first = f"{left:<{_HELP_COLUMN}}{right.pop(0)}" if fits and right else left
    return [first, *(" " * _HELP_COLUMN + line for line in right)]


class _Mockable:
    """Forwards attributes to a parser, and takes a deletion for the wish to undo the last change.

    `unittest.mock.patch` ends by deleting an attribute that it did not find in ``__dict__`` before, and sets
    it again only where that does not help.
    """

    def __init__(self, parser: OptionParser) -> None:
        self.__dict__["_parser"] = parser
        self.__dict__["_before"] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._parser, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self._before:
            raise ValueError(f"option {name!r} is mocked already, and one stand-in cannot mock it twice")
        self._before[name] = getattr(self._parser, name)
        setattr(self._parser, name, value)

    def __delattr__(self, name: str) -> None:
        setattr(self._parser, name, self._before.pop(name))


#: The options that the functions of this module work with.
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
    """Declare an option of the global parser; see `OptionParser.define`."""
    options.define(name, default, type, help, metavar, multiple, group, callback)


def parse_command_line(args: list[str] | None = None, final: bool = True) -> list[str]:
    """Set global options from the command line; see `OptionParser.parse_command_line`."""
    return options.parse_command_line(args, final=final)


def parse_config_file(path: str | os.PathLike[str], final: bool = True) -> None:
    """Set global options from a file; see `OptionParser.parse_config_file`."""
    options.parse_config_file(path, final=final)


def print_help(file: TextIO | None = None) -> None:
    """Write the help text of the global options; see `OptionParser.print_help`."""
    options.print_help(file)


def add_parse_callback(callback: Callable[[], None]) -> None:
    """Have a function called when the global options are parsed."""
    options.add_parse_callback(callback)


define_logging_options(options)


reexport(globals())
