"""Forms in request bodies: which bodies are forms, and the limits on forms."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.work import lines_run
from tornado import httputil
from tornado.httputil import (
    HTTPFile,
    HTTPHeaders,
    HTTPInputError,
    ParseBodyConfig,
    ParseMultipartConfig,
    ParseUrlEncodedConfig,
    parse_body_arguments,
    parse_multipart_form_data,
    set_parse_body_config,
)

URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = (
    b'--xx\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
    b'--xx\r\nContent-Disposition: form-data; name="a"\r\n\r\n2\r\n'
    b'--xx\r\nContent-Disposition: form-data; name="f"; filename="n"\r\nContent-Type: t/x\r\n\r\n3\r\n'
    b'--xx\r\nContent-Disposition: form-data; name="f"; filename="m"\r\n\r\n4\r\n'
    b'--xx\r\nContent-Disposition: form-data; name="g"; filename=""\r\n\r\n5\r\n--xx--\r\n'
)
ARGUMENTS = {"a": [b"1", b"2"], "g": [b"5"]}


def parsed(
    content_type: str, body: bytes, *more: Any, **options: Any
) -> tuple[dict[str, Any], dict[str, Any]]:
    arguments: dict[str, list[bytes]] = {}
    files: dict[str, list[HTTPFile]] = {}
    parse_body_arguments(content_type, body, arguments, files, *more, **options)
    return arguments, files


@pytest.mark.parametrize("content_type", [URLENCODED, URLENCODED.upper(), URLENCODED + " ; charset=utf-8"])
def test_urlencoded_form_is_parsed(content_type: str) -> None:
    assert parsed(content_type, b"a=1&b=%c3%a9&a=&c")[0] == {"a": [b"1", b""], "b": [b"\xc3\xa9"], "c": [b""]}


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data; boundary=xx",
        'multipart/form-data;boundary="xx"',
        "Multipart/Form-Data; charset=utf-8; BOUNDARY=xx; x=y",
    ],
)
def test_multipart_form_is_parsed(content_type: str) -> None:
    arguments, files = parsed(content_type, MULTIPART)
    assert arguments == ARGUMENTS
    assert files == {
        "f": [
            {"filename": "n", "body": b"3", "content_type": "t/x"},
            {"filename": "m", "body": b"4", "content_type": "application/unknown"},
        ]
    }
    assert type(files["f"][0]) is HTTPFile
    assert files["f"][0].filename == "n"


@pytest.mark.parametrize("content_type", ["", "text/plain", URLENCODED + "x", "multipart/mixed; boundary=xx"])
def test_other_content_types_are_ignored(content_type: str) -> None:
    gzip = HTTPHeaders({"Content-Encoding": "gzip"})
    assert parsed(content_type, MULTIPART) == parsed(content_type, MULTIPART, gzip) == ({}, {})


def test_existing_arguments_and_files_are_kept() -> None:
    arguments, files = {"a": [b"0"]}, {"f": [HTTPFile(filename="z")]}
    parse_body_arguments(URLENCODED, b"a=1&b=2", arguments, files)
    parse_multipart_form_data(b'"xx"', MULTIPART, arguments, files)
    assert arguments == {"a": [b"0", b"1", b"1", b"2"], "b": [b"2"], "g": [b"5"]}
    assert [file.filename for file in files["f"]] == ["z", "n", "m"]


@pytest.mark.parametrize("boundary", [b"xx", b'"xx"'])
def test_the_first_delimiter_may_be_missing(boundary: bytes) -> None:
    body = MULTIPART.removeprefix(b"--xx\r\n")
    for data in (body, body.replace(b"Content-D", b"CONTENT-d")):
        arguments: dict[str, list[bytes]] = {}
        files: dict[str, list[HTTPFile]] = {}
        parse_multipart_form_data(boundary, data, arguments, files)
        assert arguments == ARGUMENTS
        assert [file.filename for file in files["f"]] == ["n", "m"]
    with pytest.raises(HTTPInputError, match="too many parts"):
        parse_multipart_form_data(boundary, body, {}, {}, config=ParseMultipartConfig(max_parts=4))


@pytest.mark.parametrize("start", [b"Content-Type: a/b\r\n", b"\r\n", b" ", b"preamble\r\n", b"x"])
def test_other_data_before_first_delimiter_is_preamble(start: bytes) -> None:
    body = start + MULTIPART.removeprefix(b"--xx\r\n")
    assert parsed("multipart/form-data; boundary=xx", body)[0] == {"a": [b"2"], "g": [b"5"]}


@pytest.mark.parametrize("content_type", [URLENCODED, "multipart/form-data; boundary=xx"])
def test_form_with_content_encoding_is_rejected(content_type: str) -> None:
    with pytest.raises(HTTPInputError, match="Unsupported Content-Encoding"):
        parsed(content_type, MULTIPART, HTTPHeaders({"content-encoding": "gzip"}))
    parsed(content_type, MULTIPART, HTTPHeaders())


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ("", "no boundary"),
        ("; boundary", "no boundary"),
        ("; boundary=", "no boundary"),
        ("; boundary=xx; boundary=yy", "more than one boundary"),
        ("; boundary=" + "x" * 201, "1 to 200"),
        (";a=b" * 65 + "; boundary=xx", "parameters"),
    ],
)
def test_invalid_boundary_is_rejected(parameters: str, text: str) -> None:
    with pytest.raises(HTTPInputError, match=text):
        parsed("multipart/form-data" + parameters, MULTIPART)


def test_number_of_content_type_parameters_is_limited() -> None:
    def parse() -> None:
        with pytest.raises(HTTPInputError, match="parameters"):
            parsed("multipart/form-data; boundary=x" + ";" * 60_000, MULTIPART)

    assert lines_run(parse) < 3000


class TestConfiguration:
    @pytest.fixture(autouse=True)
    def _restored(self) -> Iterator[None]:
        saved = httputil._DEFAULT_PARSE_BODY_CONFIG
        yield
        set_parse_body_config(saved)
        assert httputil._DEFAULT_PARSE_BODY_CONFIG is saved

    def test_defaults_of_the_configuration(self) -> None:
        config = ParseBodyConfig()
        assert config == httputil._DEFAULT_PARSE_BODY_CONFIG
        assert config.multipart == ParseMultipartConfig(
            enabled=True, max_parts=100, max_part_header_size=10240
        )
        assert config.urlencoded == ParseUrlEncodedConfig(max_arguments=1000)
        assert config.multipart is not ParseBodyConfig().multipart

    def test_configuration_passed_as_argument_applies(self) -> None:
        for multipart, text in [
            (ParseMultipartConfig(max_parts=4), "too many parts"),
            (ParseMultipartConfig(max_part_header_size=50), "too large"),
            (ParseMultipartConfig(enabled=False), "disabled"),
        ]:
            with pytest.raises(HTTPInputError, match=text):
                parse_multipart_form_data(b"xx", MULTIPART, {}, {}, config=multipart)
            with pytest.raises(HTTPInputError, match=text):
                parsed(
                    "multipart/form-data; boundary=xx", MULTIPART, config=ParseBodyConfig(multipart=multipart)
                )
        with pytest.raises(HTTPInputError, match="fields"):
            parsed(URLENCODED, b"a&b&c", config=ParseBodyConfig(urlencoded=ParseUrlEncodedConfig(2)))

    def test_configuration_of_the_process_applies(self) -> None:
        set_parse_body_config(
            ParseBodyConfig(ParseMultipartConfig(max_parts=5), ParseUrlEncodedConfig(max_arguments=2))
        )
        assert httputil._DEFAULT_PARSE_BODY_CONFIG.multipart.max_parts == 5
        assert parsed("multipart/form-data; boundary=xx", MULTIPART)[0] == ARGUMENTS
        with pytest.raises(HTTPInputError):
            parsed(URLENCODED, b"a&b&c")
        set_parse_body_config(ParseBodyConfig(ParseMultipartConfig(enabled=False)))
        with pytest.raises(HTTPInputError):
            parse_multipart_form_data(b"xx", MULTIPART, {}, {})

    def test_limit_on_fields_of_form(self) -> None:
        assert len(parsed(URLENCODED, b"&".join([b"a=1"] * 1000))[0]["a"]) == 1000
        with pytest.raises(HTTPInputError, match="Max number of fields"):
            parsed(URLENCODED, b"&".join([b"a=1"] * 1001))
