"""HTTP dates (RFC 9110 section 5.6.7).

Theory of operation
-------------------
Days are computed arithmetically, independent of the machine's locale and time zone. There is one regular
expression for each of the three formats, so parsing takes linear time. Any other text yields None, because a
recipient ignores a date that it cannot parse (section 13.1.3).

The name of the day is not compared with the date. A two-digit year is taken from the hundred years that end
50 years after ``now``; without ``now``, years from 69 mean 19xx as in POSIX.
"""

from __future__ import annotations

import datetime
import functools
import math
import re
from typing import Final

__all__ = ["format_http_date", "parse_http_date"]

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH_NUMBERS: Final = {name: number for number, name in enumerate(_MONTHS, 1)}
_EPOCH: Final = datetime.datetime(1970, 1, 1)
_SECOND: Final = datetime.timedelta(seconds=1)

_MONTH = f"(?P<month>{'|'.join(_MONTHS)})"
# Section 5.6.7 asks recipients to be robust. Clients send a day without a leading zero, other names of UTC
# and lower case.
_DAY = "(?P<day>[0-9]{1,2})"
_ZONE = r"(?:GMT|UTC|UT|Z|[+-]0000)"
# A second of 60 is a leap second, which POSIX time does not count.
_TIME = r"(?P<hour>[01][0-9]|2[0-3]):(?P<minute>[0-5][0-9]):(?P<second>[0-5][0-9]|60)"
# Sun, 06 Nov 1994 08:49:37 GMT
_IMF_FIXDATE = rf"(?:{'|'.join(_DAYS)}), {_DAY} {_MONTH} (?P<year>[0-9]{{4}}) {_TIME} {_ZONE}"
# Sunday, 06-Nov-94 08:49:37 GMT
_LONG_DAY = "(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
_RFC_850 = rf"{_LONG_DAY}, {_DAY}-{_MONTH}-(?P<year>[0-9]{{2}}) {_TIME} {_ZONE}"
# Sun Nov  6 08:49:37 1994
_ASCTIME = rf"(?:{'|'.join(_DAYS)}) {_MONTH} (?P<day>[0-9]{{2}}| [0-9]) {_TIME} (?P<year>[0-9]{{4}})"


@functools.cache
def _forms() -> tuple[re.Pattern[str], ...]:
    """Return the patterns of the three formats, compiled on first use rather than at import."""
    return tuple(re.compile(form, re.IGNORECASE | re.ASCII) for form in (_IMF_FIXDATE, _RFC_850, _ASCTIME))


def format_http_date(timestamp: float) -> str:
    """Format a time as an IMF-fixdate, the only format that may be sent.

    :param timestamp: seconds since 1970-01-01 00:00 UTC, rounded down.
    :raises ValueError: if the year is not within 1 to 9999.

    >>> format_http_date(784111777)
    'Sun, 06 Nov 1994 08:49:37 GMT'
    """
    try:
        moment = _EPOCH + math.floor(timestamp) * _SECOND
    except OverflowError:
        raise ValueError(
            f"the timestamp {timestamp!r} has no HTTP date: the year must be 1 to 9999"
        ) from None
    return (
        f"{_DAYS[moment.weekday()]}, {moment.day:02d} {_MONTHS[moment.month - 1]} {moment.year:04d} "
        f"{moment.hour:02d}:{moment.minute:02d}:{moment.second:02d} GMT"
    )


def parse_http_date(text: str, now: float | None = None) -> float | None:
    """Parse a date in any of the three formats that recipients must accept.

    :param text: the field value; surrounding whitespace is ignored.
    :param now: seconds since 1970, to determine the century of a two-digit year.
    :returns: seconds since 1970-01-01 00:00 UTC, or None if the text is not a date.

    >>> parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT")
    784111777.0
    """
    text = text.strip(" \t")
    for form in _forms():
        match = form.fullmatch(text)
        if match is not None:
            return _timestamp(match, now)
    return None


def _timestamp(match: re.Match[str], now: float | None) -> float | None:
    year = int(match["year"])
    if len(match["year"]) == 2:
        year = _full_year(year, now)
    try:
        day = datetime.datetime(year, _MONTH_NUMBERS[match["month"].title()], int(match["day"]))
    except ValueError:
        return None
    seconds = (int(match["hour"]) * 60 + int(match["minute"])) * 60 + int(match["second"])
    return (day - _EPOCH) / _SECOND + seconds


def _full_year(year: int, now: float | None) -> int:
    if now is None:
        return year + (1900 if year >= 69 else 2000)
    # RFC 9110 section 5.6.7: a year that appears to be more than 50 years in the future means the most recent
    # past year with the same last two digits.
    this_year = (_EPOCH + math.floor(now) * _SECOND).year
    full = this_year - this_year % 100 + year
    return full - 100 if full > this_year + 50 else full
