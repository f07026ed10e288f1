"""The choice of a supported language for those that a client asks for."""

from __future__ import annotations

from typing import Any

import pytest

from tornado._language_matching import closest, parse_tag

LOADED = ["de_DE", "en_US", "es_ES", "es_LA", "fr_FR", "pt_BR", "sr_RS", "zh_CN", "zh_TW"]
SCRIPTS = ["en", "sr_Cyrl", "sr_Latn", "zh_Hans", "zh_Hant_HK"]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("de", ("de", "", "")),
        ("DE-de-1996", ("de", "", "DE")),
        ("zh-hans-cn", ("zh", "Hans", "CN")),
        ("zh_SG", ("zh", "Hans", "SG")),
        ("zh-MO", ("zh", "Hant", "MO")),
        ("es-419", ("es", "", "419")),
        ("sr-Latn", ("sr", "Latn", "")),
        ("en-u-hc-h12", ("en", "", "")),
        ("", ("", "", "")),
        ("-", ("", "", "")),
    ],
)
def test_parts_of_a_tag(text: str, parts: Any) -> None:
    assert tuple(parse_tag(text)) == parts


@pytest.mark.parametrize(
    ("requested", "code"),
    [
        (["zh-Hans-CN"], "zh_CN"),
        (["zh-Hant-HK"], "zh_TW"),
        (["zh-HK"], "zh_TW"),
        (["zh-SG"], "zh_CN"),
        (["de-DE-1996"], "de_DE"),
        (["de-AT"], "de_DE"),
        (["sr-Latn-RS"], "sr_RS"),
        (["es-419"], "es_LA"),
        (["es-MX"], "es_LA"),
        (["es"], "es_ES"),
        (["pt-PT"], "pt_BR"),
        (["fr-BE"], "fr_FR"),
        (["sr-Latn-RS", "fr"], "fr_FR"),
        (["en-GB"], "en_US"),
        (["xx-YY", "", "fr"], "fr_FR"),
        (["xx"], "en_US"),
        (["z" * 1000 + "-" * 1000], "en_US"),
    ],
)
def test_codes_with_regions(requested: list[str], code: str) -> None:
    assert choice(requested, LOADED) == code


@pytest.mark.parametrize(
    ("requested", "code"),
    [
        (["zh-CN"], "zh_Hans"),
        (["zh-TW"], "zh_Hant_HK"),
        (["zh"], "zh_Hans"),
        (["sr-RS"], "sr_Cyrl"),
        (["sr-ME"], "sr_Latn"),
        (["SR_latn"], "sr_Latn"),
        (["en-GB"], "en"),
    ],
)
def test_codes_with_scripts(requested: list[str], code: str) -> None:
    assert choice(requested, SCRIPTS) == code


def choice(requested: list[str], supported: list[str]) -> str | None:
    for any_script in (False, True):
        for text in requested:
            if found := closest(text, supported, "en_US", any_script=any_script):
                return found
    return "en_US"


def test_the_default_is_preferred_to_another_region() -> None:
    assert closest("en", ["en_AU", "en_US"], "en_US", any_script=False) == "en_US"
    assert closest("en-GB", ["en_AU", "en_US"], "en_US", any_script=False) == "en_US"
