"""HTTP dates: parsing three formats, and formatting one."""

import email.utils

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tornado._wire.dates import format_http_date, parse_http_date

#: The example of RFC 9110 section 5.6.7.
EXAMPLE = 784111777


@pytest.mark.parametrize(
    "text",
    [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "Sun Nov 06 08:49:37 1994",
        "  Sun, 06 Nov 1994 08:49:37 GMT\t",
        "Mon, 06 Nov 1994 08:49:37 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "sun, 06 nov 1994 08:49:37 gmt",
        "SUNDAY, 6-NOV-94 08:49:37 UT",
    ],
)
def test_all_three_formats_are_parsed(text):
    assert parse_http_date(text) == EXAMPLE


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 +0100",
        "Sun, 06 Nov 1994 08:49:37 CET",
        "Sun, 006 Nov 1994 08:49:37 GMT",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT, and more",
        "Sun, ٠٦ Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT\n",
        "0",
        "1994-11-06T08:49:37Z",
    ],
)
def test_invalid_dates_yield_none(text):
    assert parse_http_date(text) is None


def test_leap_second_equals_the_next_second():
    assert parse_http_date("Sat, 31 Dec 2016 23:59:60 GMT") == parse_http_date(
        "Sun, 01 Jan 2017 00:00:00 GMT"
    )


@pytest.mark.parametrize(
    ("year", "now", "full"),
    [
        ("94", None, 1994),
        ("69", None, 1969),
        ("68", None, 2068),
        ("30", 1_700_000_000, 2030),
        ("73", 1_700_000_000, 2073),
        ("74", 1_700_000_000, 1974),
        ("23", 1_700_000_000, 2023),
    ],
)
def test_two_digit_year_is_at_most_50_years_ahead(year, now, full):
    found = parse_http_date(f"Monday, 01-Jan-{year} 00:00:00 GMT", now)
    assert found == parse_http_date(f"Mon, 01 Jan {full} 00:00:00 GMT")


def test_times_are_formatted_as_imf_fixdate():
    assert format_http_date(EXAMPLE) == "Sun, 06 Nov 1994 08:49:37 GMT"
    assert format_http_date(0) == "Thu, 01 Jan 1970 00:00:00 GMT"
    assert format_http_date(EXAMPLE + 0.999) == "Sun, 06 Nov 1994 08:49:37 GMT"
    assert format_http_date(-0.5) == "Wed, 31 Dec 1969 23:59:59 GMT"


@pytest.mark.parametrize("timestamp", [1e12, -1e12, 1e30, float("inf")])
def test_time_outside_of_four_digit_years_is_rejected(timestamp):
    with pytest.raises(ValueError, match="has no HTTP date"):
        format_http_date(timestamp)


@given(st.integers(min_value=-62135596800, max_value=253402300799))
def test_formatted_dates_are_parsed(timestamp):
    text = format_http_date(timestamp)
    assert parse_http_date(text) == timestamp
    if timestamp >= 0:
        assert text == email.utils.formatdate(timestamp, usegmt=True)


@given(st.text())
def test_arbitrary_text_raises_no_error(text):
    parse_http_date(text)
