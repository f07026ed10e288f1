"""The kinds of values that options have. Each kind parses a text, wherever it comes from.

A command line, an environment variable and a configuration file therefore accept the same values.
"""

from __future__ import annotations

import ipaddress
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tornado import process
from tornado._serve.bind import FORMS, Bind, BindKind, parse_bind

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(ms|s|m|h)?")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_SIZE = re.compile(r"([0-9]+) ?(?:([KMG])i?B?|B)?", re.IGNORECASE)
_BYTES = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
#: RFC 6750 section 2.1, with a minimum length, because the token is the only protection.
_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]{16,}=*")
_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})


@dataclass(frozen=True, slots=True)
class OptionType:
    """A kind of value.

    :ivar accepted: the values that are accepted, for messages: "a number of seconds".
    :ivar metavar: a placeholder for the value in the help text; empty for a flag.
    :ivar parse: returns the value of a text. It raises ValueError for a text that is not accepted; the
        message is empty, or says what is wrong.
    """

    accepted: str
    metavar: str
    parse: Callable[[str], Any]


def integer(minimum: int) -> OptionType:
    """Return the kind of a number that is at least `minimum`."""
    return OptionType(f"an integer of at least {minimum}", "N", lambda text: _integer(text, minimum))


def choice(*values: str) -> OptionType:
    """Return the kind of a value that is one of `values`."""

    def parse(text: str) -> str:
        if text not in values:
            raise ValueError
        return text

    return OptionType(" or ".join([", ".join(values[:-1]), values[-1]]), "|".join(values), parse)


def optional(kind: OptionType) -> OptionType:
    """Return a kind that also accepts ``off``, whose value is None."""
    return OptionType(
        f"{kind.accepted}, or off", kind.metavar, lambda text: None if text == "off" else kind.parse(text)
    )


def _integer(text: str, minimum: int) -> int:
    if not (text.isascii() and text.isdecimal()) or int(text) < minimum:
        raise ValueError
    return int(text)


def _workers(text: str) -> int:
    return available_processors() if text == "auto" else _integer(text, 1)


def _duration(text: str) -> float:
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError
    return float(found[1]) * _SECONDS[found[2] or "s"]


def _positive_duration(text: str) -> float:
    found = _duration(text)
    if not found:
        raise ValueError
    return found


def _size(text: str) -> int:
    found = _SIZE.fullmatch(text)
    if found is None or not int(found[1]):
        raise ValueError
    return int(found[1]) * _BYTES[found[2].upper()] if found[2] else int(found[1])


def _flag(text: str) -> bool:
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise ValueError


def _admin(text: str) -> Bind:
    bind = parse_bind(text)
    if bind.kind not in (BindKind.TCP, BindKind.UNIX):
        raise ValueError
    return bind


def _token(text: str) -> str:
    if not _TOKEN.fullmatch(text):
        raise ValueError
    return text


def _mode(text: str) -> int:
    if not re.fullmatch("0?o?[0-7]{3}", text):
        raise ValueError
    return int(text[-3:], 8)


def _text(text: str) -> str:
    if not text:
        raise ValueError
    return text


def _file(text: str) -> str:
    if not text:
        raise ValueError
    try:
        with open(text, "rb"):
            return text
    except OSError as error:
        raise ValueError(error.strerror or str(error)) from None


def _new_file(text: str) -> str:
    directory = os.path.dirname(os.path.abspath(text))
    if not text or not os.path.isdir(directory):
        raise ValueError(f"the directory {directory!r} does not exist" if text else "")
    if os.path.isdir(text):
        raise ValueError("it is a directory")
    return text


def _user(text: str) -> str:
    if sys.platform == "win32":
        return text  # serve refuses the option there
    import pwd

    try:
        _ = pwd.getpwuid(int(text)) if text.isdecimal() else pwd.getpwnam(text)
    except KeyError:
        # In containers, a process often runs under a user id that has no name.
        if not text.isdecimal():
            raise ValueError("there is no such user") from None
    return text


def _group(text: str) -> str:
    if sys.platform == "win32":
        return text
    import grp

    try:
        _ = grp.getgrgid(int(text)) if text.isdecimal() else grp.getgrnam(text)
    except KeyError:
        if not text.isdecimal():
            raise ValueError("there is no such group") from None
    return text


def _proxy(text: str) -> str:
    if text == "unix":
        return text
    try:
        return str(ipaddress.ip_network(text))
    except ValueError as error:
        raise ValueError(str(error) if "/" in text else "") from None


def _loop(text: str) -> str:
    if text not in ("asyncio", "uvloop", "auto"):
        raise ValueError
    if text == "uvloop":
        try:
            import uvloop  # noqa: F401 - only whether it is installed
        except ImportError as error:
            raise ValueError(f"{error}; pip install uvloop") from None
    return text


def available_processors(quota_file: str = "/sys/fs/cgroup/cpu.max") -> int:
    """Return the number of processors that this process may use.

    A container often has fewer than its machine: its affinity and its CPU quota are taken into account.

    :param quota_file: the file of the control group that contains the quota and its period.
    """
    count = process.cpu_count()
    if sys.platform == "linux":  # without PYTHON_CPU_COUNT, which process.cpu_count() takes into account
        count = len(os.sched_getaffinity(0))
    try:
        with open(quota_file, encoding="ascii") as file:
            quota, period = file.read().split()
        count = min(count, max(1, -(-int(quota) // int(period))))
    except (OSError, ValueError):
        pass  # there is no control group, or it has no quota ("max")
    return count


TEXT = OptionType("a text that is not empty", "TEXT", _text)
TARGET = OptionType("module:name", "MODULE:NAME", _text)
FILE = OptionType("the name of a file that can be read", "FILE", _file)
NEW_FILE = OptionType("the name of a file in an existing directory", "FILE", _new_file)
FLAG = OptionType("true or false", "", _flag)
WORKERS = OptionType("an integer of at least 1, or auto", "N|auto", _workers)
DURATION = OptionType("a duration such as 30, 1.5s, 500ms, 10m or 1h", "TIME", _duration)
POSITIVE_DURATION = OptionType(
    "a duration above 0 such as 30, 1.5s, 500ms, 10m or 1h", "TIME", _positive_duration
)
RATE = OptionType("a number of bytes per second such as 500 or 2K", "SIZE", _size)
SIZE = OptionType("a size such as 512M or 2G", "SIZE", _size)
BIND = OptionType(FORMS, "ADDRESS", parse_bind)
ADMIN = OptionType("host:port, [IPv6 address]:port, :port (all interfaces) or unix:path", "ADDRESS", _admin)
TOKEN = OptionType("at least 16 letters, digits or -._~+/=", "TOKEN", _token)
MODE = OptionType("permissions as three octal digits, such as 660", "MODE", _mode)
USER = OptionType("the name or number of a user", "USER", _user)
GROUP = OptionType("the name or number of a group", "GROUP", _group)
PROXY = OptionType("IP addresses, networks such as 10.0.0.0/8, or unix", "ADDRESS", _proxy)
LOOP = OptionType("asyncio, uvloop or auto", "asyncio|uvloop|auto", _loop)
