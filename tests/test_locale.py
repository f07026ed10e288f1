"""Translations, and the formatting of dates, lists and numbers."""

from __future__ import annotations

import array
import codecs
import datetime
import gettext
import struct
from pathlib import Path
from typing import Any

import pytest

from tests.support.locale import clear_cache, delete_cache, replace_cache
from tests.support.server import ExpectLog
from tests.support.threads import in_other_thread
from tornado import locale
from tornado.locale import CSVLocale, GettextLocale, Locale

UTC = datetime.UTC


@pytest.fixture(autouse=True)
def restore_translations(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Restore the loaded translations, which are global."""
    for name in ("_default_locale", "_translations", "_supported_locales", "_use_gettext"):
        monkeypatch.setattr(locale, name, getattr(locale, name))
    yield
    clear_cache()


def csv_files(directory: Any, files: Any, encoding: Any = "utf-8") -> None:
    for name, text in files.items():
        (directory / name).write_text(text, encoding=encoding)
    locale.load_translations(str(directory))


SPANISH = (
    '"school","escuela"\n"%(n)d horse","%(n)d caballo","singular"\n"%(n)d horses","%(n)d caballos","plural"\n'
)


def test_csv_files_are_loaded(tmp_path: Path) -> None:
    csv_files(tmp_path, {"es_ES.csv": SPANISH, "de.csv": "school, Schule\n", "notes.txt": "x"})
    assert set(locale.get_supported_locales()) == {"en_US", "es_ES", "de"}
    spanish = locale.get("es_ES")
    assert isinstance(spanish, CSVLocale)
    assert (spanish.code, spanish.name) == ("es_ES", "Español (España)")
    assert spanish.translate("school") == "escuela"
    assert spanish.translate("unknown") == "unknown"
    for count, text in ((1, "1 caballo"), (2, "2 caballos"), (0, "0 caballos")):
        assert spanish.translate("%(n)d horse", "%(n)d horses", count) % {"n": count} == text
    assert locale.get("de").translate("school") == "Schule"
    assert locale.get("de") is locale.get("de")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_encoding_of_a_file_is_detected(tmp_path: Path, encoding: Any) -> None:
    mark = {"utf-16-le": codecs.BOM_UTF16_LE, "utf-16-be": codecs.BOM_UTF16_BE}.get(encoding, b"")
    (tmp_path / "fr.csv").write_bytes(mark + '"school","école"\n'.encode(encoding))
    locale.load_translations(str(tmp_path))
    assert locale.get("fr").translate("school") == "école"


def test_encoding_argument_is_used(tmp_path: Path) -> None:
    (tmp_path / "fr.csv").write_bytes('"school","école"\n'.encode("latin-1"))
    locale.load_translations(str(tmp_path), encoding="latin-1")
    assert locale.get("fr").translate("school") == "école"


def test_invalid_files_and_rows_are_ignored(tmp_path: Path, expect_log: ExpectLog) -> None:
    with expect_log("tornado.general", "Unrecognized locale 'German'"):
        csv_files(tmp_path, {"German.csv": SPANISH, "de.csv": "lonely\n\n"})
    assert set(locale.get_supported_locales()) == {"en_US", "de"}
    (tmp_path / "German.csv").unlink()
    with expect_log("tornado.general", "Unrecognized plural indicator 'dual' in es.csv line 2"):
        csv_files(tmp_path, {"es.csv": "a,b\nc,d,dual\ne,f,\n"})
    assert locale.get("es").translate("c") == "c"
    assert locale.get("es").translate("e") == "f"


def test_cell_with_quotes_commas_and_line_breaks(tmp_path: Path) -> None:
    csv_files(tmp_path, {"es.csv": '"a, ""b""","c\nd"\n'})
    assert locale.get("es").translate('a, "b"') == "c\nd"


def test_csv_files_do_not_support_contexts(tmp_path: Path, expect_log: ExpectLog) -> None:
    csv_files(tmp_path, {"es.csv": "school,escuela\n"})
    with expect_log("tornado.general", "pgettext is not supported by CSVLocale"):
        assert locale.get("es").pgettext("building", "school") == "escuela"
    assert locale.get("en_US").pgettext("building", "school") == "school"


def catalogue(messages: Any) -> Any:
    """Return a compiled gettext catalogue."""
    messages = {
        "": "Content-Type: text/plain; charset=UTF-8\nPlural-Forms: nplurals=2; plural=n != 1;\n",
        **messages,
    }
    keys, values, offsets = b"", b"", []
    for key in sorted(messages):
        original, translated = key.encode(), messages[key].encode()
        offsets.append((len(original), len(keys), len(translated), len(values)))
        keys += original + b"\0"
        values += translated + b"\0"
    start = 28 + 16 * len(messages)
    originals = [number for o, at, _, _ in offsets for number in (o, start + at)]
    translations = [number for _, _, t, at in offsets for number in (t, start + len(keys) + at)]
    head = struct.pack("<7I", 0x950412DE, 0, len(messages), 28, 28 + 8 * len(messages), 0, 0)
    return head + array.array("I", originals + translations).tobytes() + keys + values


@pytest.fixture
def catalogues(tmp_path: Path) -> Any:
    messages = {
        "school": "école",
        "horse\0horses": "cheval\0chevaux",
        "law\x04right": "le droit",
        "good\x04right": "le bien",
        "organization\x04club\0organization\x04clubs": "le club\0les clubs",
        "club\0clubs": "club (commun)\0clubs (commun)",
    }
    path = tmp_path / "fr_FR/LC_MESSAGES/program.mo"
    path.parent.mkdir(parents=True)
    path.write_bytes(catalogue(messages))
    (tmp_path / "fr_FR/LC_MESSAGES/other.mo").write_bytes(b"nonsense")
    (tmp_path / "README").write_text("not a language")
    gettext._translations.clear()  # type: ignore[attr-defined]
    return tmp_path


def test_gettext_catalogues_are_loaded(catalogues: Any) -> None:
    locale.load_gettext_translations(str(catalogues), "program")
    assert set(locale.get_supported_locales()) == {"en_US", "fr_FR"}
    french = locale.get("fr_FR")
    assert isinstance(french, GettextLocale)
    assert french.translate("school") == "école"
    assert [french.translate("horse", "horses", count) for count in (1, 2)] == ["cheval", "chevaux"]
    assert [french.pgettext(context, "right") for context in ("law", "good", "hand")] == [
        "le droit",
        "le bien",
        "right",
    ]
    assert [french.pgettext("organization", "club", "clubs", count) for count in (1, 2)] == [
        "le club",
        "les clubs",
    ]
    assert [french.pgettext("stick", "club", "clubs", count) for count in (1, 2)] == [
        "club (commun)",
        "clubs (commun)",
    ]


def test_invalid_catalogue_is_ignored(catalogues: Any, expect_log: ExpectLog) -> None:
    with expect_log("tornado.general", "Cannot load translation for 'fr_FR'"):
        locale.load_gettext_translations(str(catalogues), "other")
    assert set(locale.get_supported_locales()) == {"en_US"}


def test_csv_files_after_gettext(catalogues: Any, tmp_path: Path) -> None:
    locale.load_gettext_translations(str(catalogues), "program")
    csv_files(tmp_path, {"fr_FR.csv": "school,bahut\n"})
    assert locale.get("fr_FR").translate("school") == "bahut"


@pytest.mark.parametrize("kind", [CSVLocale, GettextLocale])
def test_plural_without_count_raises(kind: Any) -> None:
    found = kind("en_US", {} if kind is CSVLocale else gettext.NullTranslations())
    with pytest.raises(AssertionError, match="needs a count"):
        found.translate("horse", "horses")


def test_custom_locale_must_define_translate() -> None:
    class Bare(Locale):
        def __init__(self) -> None:
            pass

    with pytest.raises(NotImplementedError):
        Bare().translate("a")
    with pytest.raises(NotImplementedError):
        Bare().pgettext("c", "a")


# -- which locale --


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ((), "en_US"),
        (("en_US",), "en_US"),
        (("en-us",), "en_US"),
        (("EN_us",), "en_US"),
        (("de_AT",), "de"),
        (("pt",), "pt_BR"),
        (("en",), "en_US"),
        (("fr", "pt"), "pt_BR"),
        (("pt_BR",), "pt_BR"),
        (("xx", "de"), "de"),
        (("", "de"), "de"),
        (("de", "pt_BR"), "de"),
        (("pt_Latn_BR",), "pt_BR"),
        (("_", "-", "__"), "en_US"),
    ],
)
def test_closest_supported_locale_is_returned(codes: Any, expected: Any, tmp_path: Path) -> None:
    csv_files(tmp_path, {"de.csv": "", "pt_BR.csv": ""})
    assert locale.get(*codes).code == expected


def test_default_locale_can_be_changed(tmp_path: Path) -> None:
    csv_files(tmp_path, {"de.csv": ""})
    locale.set_default_locale("fr")
    assert set(locale.get_supported_locales()) == {"de", "fr"}
    assert locale.get("xx").code == "fr"
    with pytest.raises(AssertionError, match="unsupported locale 'en_US'"):
        Locale.get("en_US")


def test_locales_have_name_and_direction() -> None:
    assert Locale.get("en_US").name == "English (US)"
    assert CSVLocale("xx", {}).name == "Unknown"
    assert [CSVLocale(code, {}).rtl for code in ("fa_IR", "ar_AR", "he_IL", "en_US", "de")] == [True] * 3 + [
        False
    ] * 2
    assert len(locale.LOCALE_NAMES) > 50
    for names in locale.LOCALE_NAMES.values():
        assert names["name"]
        assert names["name_en"].isascii()


# -- dates --

NOW = datetime.datetime(2024, 3, 15, 12, 30, 0, tzinfo=UTC)  # a Friday


class Clock(datetime.datetime):
    """A datetime class with a fixed current time."""

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return NOW.astimezone(tz)


@pytest.fixture
def noon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tornado.locale.datetime.datetime", Clock)


@pytest.mark.parametrize(
    ("ago", "arguments", "expected"),
    [
        ({"seconds": 1}, {}, "1 second ago"),
        ({"seconds": 2}, {}, "2 seconds ago"),
        ({"seconds": 50}, {}, "1 minute ago"),
        ({"minutes": 2}, {}, "2 minutes ago"),
        ({"minutes": 49}, {}, "49 minutes ago"),
        ({"minutes": 50}, {}, "1 hour ago"),
        ({"hours": 2}, {}, "2 hours ago"),
        ({"hours": 23}, {}, "23 hours ago"),
        ({"hours": 2}, {"relative": False}, "10:30 am"),
        ({"hours": 24}, {}, "yesterday at 12:30 pm"),
        ({"hours": 24}, {"shorter": True}, "yesterday"),
        ({"days": 2}, {}, "Wednesday at 12:30 pm"),
        ({"days": 2}, {"shorter": True}, "Wednesday"),
        ({"days": 5}, {}, "March 10 at 12:30 pm"),
        ({"days": 5}, {"shorter": True}, "March 10"),
        ({"days": 333}, {}, "April 17 at 12:30 pm"),
        ({"days": 334}, {}, "April 16, 2023 at 12:30 pm"),
        ({"days": 400}, {"shorter": True}, "February 9, 2023"),
        ({"seconds": 2}, {"full_format": True}, "March 15, 2024 at 12:29 pm"),
        ({"seconds": 2}, {"full_format": True, "shorter": True}, "March 15, 2024"),
        ({"hours": 12, "minutes": 30}, {"relative": False}, "12:00 am"),
        ({"days": 5}, {"gmt_offset": 60}, "March 10 at 11:30 am"),
        ({"days": 5}, {"gmt_offset": -720}, "March 11 at 12:30 am"),
        # Up to a minute in the future is clock skew. A date beyond that is formatted in full.
        ({"seconds": -2}, {}, "0 seconds ago"),
        ({"minutes": -2}, {}, "March 15, 2024 at 12:32 pm"),
        ({"days": -2}, {}, "March 17, 2024 at 12:30 pm"),
    ],
)
def test_dates_are_formatted_relative_to_now(ago: Any, arguments: Any, expected: Any, noon: Any) -> None:
    date = NOW - datetime.timedelta(**ago)
    english = Locale.get("en_US")
    for form in (date, date.replace(tzinfo=None), date.timestamp()):
        assert english.format_date(form, **arguments) == expected


@pytest.mark.parametrize(
    ("ago", "expected"),
    [
        ({"minutes": 2}, "2 minutes ago"),
        ({"hours": 30}, "yesterday at 12:30 am"),
        ({"hours": 31}, "Wednesday at 11:30 pm"),  # Thursday in UTC
        ({"days": 1}, "yesterday at 6:30 am"),
        ({"days": 5}, "March 10 at 6:30 am"),
    ],
)
def test_dates_in_other_time_zone(ago: Any, expected: Any, noon: Any) -> None:
    zone = datetime.timezone(datetime.timedelta(hours=-6))
    date = (NOW - datetime.timedelta(**ago)).astimezone(zone)
    assert Locale.get("en_US").format_date(date) == expected


def test_dates_in_other_languages(noon: Any) -> None:
    date = NOW - datetime.timedelta(days=5)
    assert CSVLocale("de", {}).format_date(date) == "March 10 at 12:30"
    assert CSVLocale("zh_CN", {}).format_date(date) == "March 10 at 下午12:30"
    assert CSVLocale("zh_CN", {}).format_date(date, gmt_offset=120) == "March 10 at 上午10:30"
    texts = {
        "unknown": {
            "March": "März",
            "%(month_name)s %(day)s at %(time)s": "%(day)s. %(month_name)s, %(time)s",
        }
    }
    assert CSVLocale("de", texts).format_date(date) == "10. März, 12:30"


def test_format_day_may_omit_the_day_of_the_week() -> None:
    english = Locale.get("en_US")
    day = datetime.datetime(2013, 4, 28, 1, 0)
    assert english.format_day(day) == "Sunday, April 28"
    assert english.format_day(day, dow=False) == "April 28"
    assert english.format_day(day, gmt_offset=120) == "Saturday, April 27"


def test_lists_are_joined() -> None:
    english = Locale.get("en_US")
    assert [english.list(parts) for parts in ([], ["A"], ["A", "B"], ["A", "B", "C"])] == [
        "",
        "A",
        "A and B",
        "A, B and C",
    ]
    assert CSVLocale("fa_IR", {}).list(["A", "B", "C"]) == "A و B and C"


def test_numbers_have_separators_in_english_only() -> None:
    assert [Locale.get("en_US").friendly_number(number) for number in (0, 999, 1000, 1000000)] == [
        "0",
        "999",
        "1,000",
        "1,000,000",
    ]
    assert CSVLocale("de", {}).friendly_number(1000) == "1000"


def test_deleted_cache_is_recreated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fr_FR.csv").write_text('"school","école"\n')
    replace_cache(monkeypatch)
    delete_cache(monkeypatch)
    locale.load_translations(str(tmp_path))
    assert locale.get("fr_FR").translate("school") == "école"
    delete_cache(monkeypatch)
    assert locale.get("fr_FR").translate("school") == "école"


def test_locale_of_another_thread_does_not_outlive_its_translations(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "de_DE.csv").write_text('"yes","ja"\n')

    class Translations(dict[str, Any]):
        def get(self, key: str, default: Any = None) -> Any:
            in_other_thread(lambda: locale.load_translations(str(tmp_path)))
            return super().get(key, default)

    clear_cache()
    monkeypatch.setattr(locale, "_translations", Translations())
    monkeypatch.setattr(locale, "_supported_locales", frozenset({"de_DE"}))
    Locale.get("de_DE")
    assert Locale.get("de_DE").translate("yes") == "ja"
