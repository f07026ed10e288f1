"""The supported language that is closest to a requested one (RFC 4647, with data of Unicode CLDR)."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import NamedTuple

#: The usual script of languages that are written in several.
_SCRIPTS = {
    "az": "Latn",
    "bs": "Latn",
    "kk": "Cyrl",
    "ku": "Latn",
    "ky": "Cyrl",
    "mn": "Cyrl",
    "ms": "Latn",
    "pa": "Guru",
    "sd": "Arab",
    "sr": "Cyrl",
    "tg": "Cyrl",
    "tt": "Cyrl",
    "uz": "Latn",
    "yue": "Hant",
    "zh": "Hans",
}
#: The script in regions where it is another.
_SCRIPTS_OF_REGIONS = {
    ("pa", "PK"): "Arab",
    ("zh", "HK"): "Hant",
    ("zh", "MO"): "Hant",
    ("zh", "TW"): "Hant",
    ("sr", "ME"): "Latn",
    ("kk", "CN"): "Arab",
    ("mn", "CN"): "Mong",
    ("uz", "AF"): "Arab",
    ("az", "IR"): "Arab",
}
#: Regions whose variety is the closest to those of most other regions.
_CLOSEST_REGIONS = {
    "en": ("001", "GB"),
    "es": ("419", "LA", "MX"),
    "pt": ("PT",),
    "fr": ("FR",),
    "de": ("DE",),
    "zh": ("TW", "CN"),
}


#: The number of characters of a tag that matter.
_MAX_TAG = 40


class _Tag(NamedTuple):
    """A language tag (RFC 5646). Absent parts are empty; variants and extensions are omitted."""

    language: str
    script: str
    region: str


def parse_tag(text: str) -> _Tag:
    """Return the parts of a language tag, which may have hyphens or underscores.

    >>> parse_tag("zh-hant-hk"), parse_tag("de_DE_1996")
    (_Tag(language='zh', script='Hant', region='HK'), _Tag(language='de', script='', region='DE'))
    """
    return _parse_tag(text[:_MAX_TAG])


@functools.lru_cache(1024)
def _parse_tag(text: str) -> _Tag:
    language, *rest = text.replace("-", "_").split("_", 5)
    script = region = ""
    if rest and len(rest[0]) == 4 and rest[0].isalpha():
        script = rest.pop(0).title()
    if rest and (len(rest[0]) == 2 or (len(rest[0]) == 3 and rest[0].isdigit())):
        region = rest[0].upper()
    language = language.lower()
    script = script or _SCRIPTS_OF_REGIONS.get((language, region)) or _SCRIPTS.get(language, "")
    return _Tag(language, script, region)


def closest(requested: str, supported: Iterable[str], default: str, *, any_script: bool) -> str | None:
    """Return the supported code of the same language that is closest to a tag, or None.

    :param default: the default code, which is preferred to another region's.
    :param any_script: accept a code in another script, too.
    """
    tag = parse_tag(requested)
    found = [(code, parsed) for code in supported if (parsed := parse_tag(code)).language == tag.language]
    if tag.script:
        same = [each for each in found if each[1].script in (tag.script, "")]
        found = same or (found if any_script else [])
    if not found:
        return None
    regions = [tag.region, "", *_CLOSEST_REGIONS.get(tag.language, ())] if tag.region else [""]

    def distance(each: tuple[str, _Tag]) -> tuple[int, bool, str]:
        code, parsed = each
        place = regions.index(parsed.region) if parsed.region in regions else len(regions)
        return place, code != default, code

    return min(found, key=distance)[0]
