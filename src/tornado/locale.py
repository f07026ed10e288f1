"""Translations, and the formatting of dates, lists and numbers for a locale.

::

    tornado.locale.load_translations("translations")      # es_ES.csv, fr_FR.csv, …
    user_locale = tornado.locale.get("es_LA", "es_ES")
    print(user_locale.translate("Sign out"))
    print(user_locale.translate("A person liked this", "%(num)d people liked this", len(people)))

Translations are loaded once, when the program starts, from CSV files (`load_translations`) or from GNU
gettext catalogues (`load_gettext_translations`).
"""

from __future__ import annotations

import codecs
import datetime
import gettext
import glob
import os
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

from tornado._implicit_reexports import reexport
from tornado._language_matching import closest
from tornado._language_names import LOCALE_NAMES
from tornado.log import gen_log

__all__ = [
    "CONTEXT_SEPARATOR",
    "LOCALE_NAMES",
    "CSVLocale",
    "GettextLocale",
    "Locale",
    "get",
    "get_supported_locales",
    "load_gettext_translations",
    "load_translations",
    "set_default_locale",
]

#: Separates the context of a message from the message in gettext catalogues.
CONTEXT_SEPARATOR = "\x04"

_PLURALS = frozenset({"plural", "singular", "unknown"})
_CODE = re.compile(r"[a-z]+(_[A-Z]+)?")
_RIGHT_TO_LEFT = ("fa", "ar", "he")
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

_Translations = dict[str, dict[str, str]]

_default_locale = "en_US"
_translations: dict[str, Any] = {}
_supported_locales = frozenset([_default_locale])
_use_gettext = False


def get(*locale_codes: str) -> Locale:
    """Return the supported locale that matches best, or the default locale.

    :param locale_codes: the codes to look for, in order of preference. If a code such as ``es_GT`` is not
        supported, its language (``es``) is tried next. A code without a country, such as ``de``, is also
        matched by a locale with one, such as ``de_DE``.
    """
    return Locale.get_closest(*locale_codes)


def set_default_locale(code: str) -> None:
    """Set the locale in which the program's messages are written, for which no translations are needed.

    The initial value is ``en_US``.
    """
    global _default_locale, _supported_locales
    _default_locale = code
    _supported_locales = frozenset([*_translations, code])


def get_supported_locales() -> Iterable[str]:
    """Return the codes of all loaded locales and of the default locale."""
    return _supported_locales


def load_translations(directory: str, encoding: str | None = None) -> None:
    """Load translations from the CSV files in a directory. A file is named after its locale: ``es_ES.csv``.

    A row has the form ``"message","translation"[,"singular" or "plural"]``. A message that depends on a
    number has two rows, one for the singular and one for the plural::

        "%(names)s came by","Pasaron %(names)s","plural"
        "%(names)s came by","Pasó %(names)s","singular"

    :param encoding: the encoding of the files; by default UTF-8, or UTF-16 if a file starts with its byte
        order mark.
    """
    global _translations, _supported_locales, _use_gettext
    translations: dict[str, _Translations] = {}
    for name in sorted(os.listdir(directory)):
        if not name.endswith(".csv"):
            continue
        code = name[: -len(".csv")]
        if not _CODE.fullmatch(code):
            gen_log.error("Unrecognized locale %r (path: %s)", code, os.path.join(directory, name))
            continue
        path = os.path.join(directory, name)
        with open(path, encoding=encoding or _detect_encoding(path), newline="") as file:
            translations[code] = _read_csv(file, code)
    _translations, _use_gettext = translations, False
    _supported_locales = frozenset([*translations, _default_locale])
    gen_log.debug("Supported locales: %s", sorted(_supported_locales))
    Locale._cache = {}


def _detect_encoding(path: str) -> str:
    with open(path, "rb") as file:
        start = file.read(3)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    return "utf-8-sig"


def _read_csv(rows: Iterable[str], code: str) -> _Translations:
    import csv  # imported here because only programs with translations need it

    messages: _Translations = {}
    for number, row in enumerate(csv.reader(rows)):
        if len(row) < 2:
            continue
        message, translation, *rest = (cell.strip() for cell in row)
        plural = rest[0] if rest and rest[0] else "unknown"
        if plural not in _PLURALS:
            gen_log.error("Unrecognized plural indicator %r in %s line %d", plural, code + ".csv", number + 1)
            continue
        messages.setdefault(plural, {})[message] = translation
    return messages


def load_gettext_translations(directory: str, domain: str) -> None:
    """Load compiled gettext catalogues: ``{directory}/{lang}/LC_MESSAGES/{domain}.mo``.

    :param domain: the gettext domain, usually the name of the program.
    """
    global _translations, _supported_locales, _use_gettext
    translations: dict[str, gettext.NullTranslations] = {}
    for path in glob.glob(
        os.path.join(glob.escape(directory), "*", "LC_MESSAGES", glob.escape(domain) + ".mo")
    ):
        code = os.path.basename(os.path.dirname(os.path.dirname(path)))
        try:
            translations[code] = gettext.translation(domain, directory, languages=[code])
        except Exception as error:
            gen_log.error("Cannot load translation for %r: %s", code, error)
    _translations, _use_gettext = translations, True
    _supported_locales = frozenset([*translations, _default_locale])
    gen_log.debug("Supported locales: %s", sorted(_supported_locales))
    Locale._cache = {}


class Locale:
    """A locale. Use `tornado.locale.get` to obtain one.

    :param code: the locale code, such as ``en_US``.
    :ivar name: the name of the language in the language itself.
    :ivar rtl: whether the language is written from right to left.
    """

    _cache: ClassVar[dict[str, Locale]] = {}

    @classmethod
    def get_closest(cls, *locale_codes: str) -> Locale:
        """See `tornado.locale.get`."""
        for requested in locale_codes:
            if not requested:
                continue
            language, _, country = requested.replace("-", "_").partition("_")
            language = language.lower()
            full = f"{language}_{country.upper()}" if country else language
            if full in _supported_locales:
                return cls.get(full)
            found = closest(requested, _supported_locales, _default_locale, any_script=False)
            if found is not None:
                return cls.get(found)
        for requested in filter(None, locale_codes):
            found = closest(requested, _supported_locales, _default_locale, any_script=True)
            if found is not None:
                return cls.get(found)
        return cls.get(_default_locale)

    @classmethod
    def get(cls, code: str) -> Locale:
        """Return the locale with exactly this code, which must be supported."""
        if not hasattr(cls, "_cache"):  # programs delete it after they reload their translations
            Locale._cache = {}
        # Another thread that loads translations replaces them first, and then the cache.
        cache = cls._cache
        cached = cache.get(code)
        if cached is None:
            assert code in _supported_locales, (
                f"unsupported locale {code!r}, supported are {sorted(_supported_locales)}"
            )
            translations = _translations.get(code)
            if translations is None:
                cached = CSVLocale(code, {})
            elif _use_gettext:
                cached = GettextLocale(code, translations)
            else:
                cached = CSVLocale(code, translations)
            cache[code] = cached
        return cached

    def __init__(self, code: str) -> None:
        self.code = code
        self.name: str = LOCALE_NAMES.get(code, {}).get("name", "Unknown")
        self.rtl: bool = code.startswith(_RIGHT_TO_LEFT)
        translate = self.translate
        self._months = [translate(month) for month in _MONTHS]
        self._weekdays = [translate(day) for day in _WEEKDAYS]

    def translate(self, message: str, plural_message: str | None = None, count: int | None = None) -> str:
        """Translate a message.

        :param plural_message: the message to use instead of `message` if `count` is not 1.
        :param count: the number that the message is about; required with `plural_message`.
        """
        raise NotImplementedError

    def pgettext(
        self, context: str, message: str, plural_message: str | None = None, count: int | None = None
    ) -> str:
        """Translate a message whose translation depends on a context.

        :param context: identifies the context; messages in different contexts are translated separately.
        :param plural_message: the message to use instead of `message` if `count` is not 1.
        :param count: the number that the message is about; required with `plural_message`.
        """
        raise NotImplementedError

    def format_date(
        self,
        date: int | float | datetime.datetime,
        gmt_offset: int = 0,
        relative: bool = True,
        shorter: bool = False,
        full_format: bool = False,
    ) -> str:
        """Format a date: "2 minutes ago", "yesterday at 3:10 pm" or "July 10, 1980 at 9:14 am".

        :param date: a timestamp in seconds, or a datetime. A naive datetime is in UTC; an aware datetime
            is formatted in its own time zone.
        :param gmt_offset: the offset from local time to UTC, in minutes; positive if local time is behind
            UTC.
        :param relative: whether dates of the last 24 hours are formatted as seconds, minutes or hours ago.
        :param shorter: whether to omit the time of day.
        :param full_format: whether to always format the full date.
        """
        if isinstance(date, (int, float)):
            date = datetime.datetime.fromtimestamp(date, datetime.UTC)
        elif date.tzinfo is None:
            date = date.replace(tzinfo=datetime.UTC)
        now = datetime.datetime.now(datetime.UTC)
        if date > now:
            # A date up to a minute in the future is due to clock skew. A later date is formatted in full.
            if relative and (date - now).seconds < 60 and (date - now).days == 0:
                date = now
            else:
                full_format = True
        offset = datetime.timedelta(minutes=gmt_offset)
        local = date - offset
        age = now - date
        if not full_format:
            if relative and age.days == 0:
                return self._format_age(age.seconds)
            local_now = now.astimezone(date.tzinfo) - offset
            recent = self._recent_format(local, local_now, age.days, shorter)
            if recent is not None:
                return self._format(recent, local)
        _ = self.translate
        if shorter:
            return self._format(_("%(month_name)s %(day)s, %(year)s"), local)
        return self._format(_("%(month_name)s %(day)s, %(year)s at %(time)s"), local)

    def _format_age(self, seconds: int) -> str:
        _ = self.translate
        if seconds < 50:
            return _("1 second ago", "%(seconds)d seconds ago", seconds) % {"seconds": seconds}
        if seconds < 50 * 60:
            minutes = round(seconds / 60.0)
            return _("1 minute ago", "%(minutes)d minutes ago", minutes) % {"minutes": minutes}
        hours = round(seconds / (60.0 * 60))
        return _("1 hour ago", "%(hours)d hours ago", hours) % {"hours": hours}

    def _recent_format(
        self, local: datetime.datetime, local_now: datetime.datetime, days: int, shorter: bool
    ) -> str | None:
        _ = self.translate
        if days == 0:
            return _("%(time)s")
        if days == 1 and local.day == (local_now - datetime.timedelta(days=1)).day:
            return _("yesterday") if shorter else _("yesterday at %(time)s")
        if days < 5:
            return _("%(weekday)s") if shorter else _("%(weekday)s at %(time)s")
        if days < 334:  # 11 months; for an older date, the month without the year would be ambiguous
            return _("%(month_name)s %(day)s") if shorter else _("%(month_name)s %(day)s at %(time)s")
        return None

    def _format(self, template: str, local: datetime.datetime) -> str:
        if self.code not in ("en", "en_US", "zh_CN"):
            time = f"{local.hour}:{local.minute:02d}"
        elif self.code == "zh_CN":
            time = f"{'上午' if local.hour < 12 else '下午'}{local.hour % 12 or 12}:{local.minute:02d}"
        else:
            time = f"{local.hour % 12 or 12}:{local.minute:02d} {'am' if local.hour < 12 else 'pm'}"
        return template % {
            "month_name": self._months[local.month - 1],
            "weekday": self._weekdays[local.weekday()],
            "day": str(local.day),
            "year": str(local.year),
            "time": time,
        }

    def format_day(self, date: datetime.datetime, gmt_offset: int = 0, dow: bool = True) -> str:
        """Format a day: "Monday, January 22".

        :param gmt_offset: the offset from local time to UTC, in minutes; positive if local time is behind
            UTC.
        :param dow: whether to include the day of the week.
        """
        local = date - datetime.timedelta(minutes=gmt_offset)
        _ = self.translate
        template = _("%(weekday)s, %(month_name)s %(day)s") if dow else _("%(month_name)s %(day)s")
        return self._format(template, local)

    def list(self, parts: Sequence[str]) -> str:
        """Format a list: "A, B and C". For an empty list, return an empty string."""
        if not parts:
            return ""
        if len(parts) == 1:
            return str(parts[0])
        comma = " و " if self.code.startswith("fa") else ", "
        names = {"commas": comma.join(parts[:-1]), "last": parts[-1]}
        return self.translate("%(commas)s and %(last)s") % names

    def friendly_number(self, value: int) -> str:
        """Format an integer, in English with commas between groups of three digits."""
        return f"{value:,}" if self.code in ("en", "en_US") else str(value)


class CSVLocale(Locale):
    """A locale whose translations are loaded from a CSV file.

    :param translations: plural indicator (``singular``, ``plural`` or ``unknown``) -> message -> translation.
    """

    def __init__(self, code: str, translations: dict[str, dict[str, str]]) -> None:
        self.translations = translations
        super().__init__(code)

    def translate(self, message: str, plural_message: str | None = None, count: int | None = None) -> str:
        """See `Locale.translate`."""
        kind = "unknown"
        if plural_message is not None:
            assert count is not None, "a plural message needs a count"
            kind = "singular" if count == 1 else "plural"
            if count != 1:
                message = plural_message
        return self.translations.get(kind, {}).get(message, message)

    def pgettext(
        self, context: str, message: str, plural_message: str | None = None, count: int | None = None
    ) -> str:
        """Translate a message without its context, which CSV files do not support."""
        if self.translations:
            gen_log.warning("pgettext is not supported by CSVLocale")
        return self.translate(message, plural_message, count)


class GettextLocale(Locale):
    """A locale whose translations are loaded from a gettext catalogue.

    :param translations: the catalogue.
    """

    def __init__(self, code: str, translations: gettext.NullTranslations) -> None:
        self.ngettext: Callable[[str, str, int], str] = translations.ngettext
        self.gettext: Callable[[str], str] = translations.gettext
        super().__init__(code)

    def translate(self, message: str, plural_message: str | None = None, count: int | None = None) -> str:
        """See `Locale.translate`."""
        if plural_message is None:
            return self.gettext(message)
        assert count is not None, "a plural message needs a count"
        return self.ngettext(message, plural_message, count)

    def pgettext(
        self, context: str, message: str, plural_message: str | None = None, count: int | None = None
    ) -> str:
        """Translate a message in a context.

        The options for xgettext are ``--keyword=pgettext:1c,2 --keyword=pgettext:1c,2,3``.
        """
        separated = context + CONTEXT_SEPARATOR + message
        if plural_message is None:
            result = self.gettext(separated)
            return message if CONTEXT_SEPARATOR in result else result
        assert count is not None, "a plural message needs a count"
        result = self.ngettext(separated, context + CONTEXT_SEPARATOR + plural_message, count)
        if CONTEXT_SEPARATOR in result:  # the catalogue lacks the message: gettext returned it
            return self.ngettext(message, plural_message, count)
        return result


reexport(globals())
