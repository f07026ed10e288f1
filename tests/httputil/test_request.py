"""`HTTPServerRequest`: created by a program or from a head, and its lazy attributes."""

from __future__ import annotations

import copy
import dataclasses
import http.cookies
import pickle
import ssl
import types
import warnings
from typing import Any
from unittest import mock

import pytest

from tests.support.httputil import header_block, request_from_head, set_times
from tornado.httputil import HTTPHeaders, HTTPInputError, HTTPServerRequest, RequestStartLine
from tornado.httputil._request import _COMPUTED

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class SmallMapping:
    """A minimal mapping that some programs' tests use as headers."""

    def __init__(self, values: dict[str, str]) -> None:
        self._values = values

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def get(self, name: str, default: str | None = None) -> str | None:
        return self._values.get(name, default)


@dataclasses.dataclass
class Head:
    """The attributes of `_wire.h1.RequestHead` that a request uses."""

    target: str = "/a%20b?c=d&c=e+f"
    method: str = "GET"
    version: str = "HTTP/1.1"
    host: str | None = "Example.com:80"
    headers: HTTPHeaders = dataclasses.field(default_factory=HTTPHeaders)

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]

    @property
    def headers_block(self) -> str:
        return header_block(self.headers)


def from_head(connection: Any = None, **fields: Any) -> HTTPServerRequest:
    return request_from_head(connection, Head(**fields))


def made(target: str = "/a%20b?c=d&c=e+f", **options: Any) -> HTTPServerRequest:
    options.setdefault("headers", HTTPHeaders({"Host": "Example.com:80"}))
    return HTTPServerRequest(start_line=RequestStartLine("GET", target, "HTTP/1.1"), **options)


@pytest.mark.parametrize("make", [made, from_head])
class TestBothWays:
    def test_attributes_of_a_request(self, make: Any) -> None:
        request = make()
        assert request.method == "GET"
        assert request.uri == "/a%20b?c=d&c=e+f"
        assert request.path == "/a%20b"
        assert request.query == "c=d&c=e+f"
        assert request.version == "HTTP/1.1"
        assert request.host == "Example.com:80"
        assert request.host_name == "example.com"
        assert isinstance(request.headers, HTTPHeaders)
        assert request.body == b""
        assert request.query_arguments == request.arguments == {"c": [b"d", b"e f"]}
        assert request.body_arguments == request.files == {}
        assert request.remote_ip is None
        assert request.protocol == "http"
        assert request.connection is None
        assert request.server_connection is None
        assert request.cookies == {}
        assert request.full_url() == "http://Example.com:80/a%20b?c=d&c=e+f"
        assert request.get_ssl_certificate() is None

    @pytest.mark.parametrize(
        ("target", "path", "query"),
        [
            ("/", "/", ""),
            ("/?", "/", ""),
            ("/a?b?c", "/a", "b?c"),
            ("*", "*", ""),
            ("//x/y#z?q", "//x/y#z", "q"),
        ],
    )
    def test_target_is_split_into_path_and_query(self, make: Any, target: str, path: str, query: str) -> None:
        request = make(target=target)
        assert (request.path, request.query) == (path, query)

    @pytest.mark.parametrize(
        "name", [*_COMPUTED, "method", "uri", "version", "body", "connection", "server_connection"]
    )
    def test_every_attribute_may_be_set(self, make: Any, name: str) -> None:
        request, value = make(), object()
        setattr(request, name, value)
        assert getattr(request, name) is value
        request = make()
        getattr(request, name)
        setattr(request, name, value)
        assert getattr(request, name) is value

    def test_query_and_body_arguments_are_separate(self, make: Any) -> None:
        request = make()
        request.arguments["c"].append(b"x")
        request.arguments["n"] = [b"y"]
        assert request.query_arguments == {"c": [b"d", b"e f"]}

    def test_too_many_fields(self, make: Any) -> None:
        assert len(make(target="/?" + "a&" * 999).arguments["a"]) == 999
        with pytest.raises(HTTPInputError, match="Max number of fields"):
            make(target="/?" + "a&" * 1000)

    def test_context_provides_address_and_protocol(self, make: Any) -> None:
        connection = types.SimpleNamespace(
            context=types.SimpleNamespace(remote_ip="1.2.3.4", protocol="https")
        )
        request = make(connection=connection)
        assert (request.remote_ip, request.protocol) == ("1.2.3.4", "https")
        assert request.full_url().startswith("https://")

    @pytest.mark.parametrize(("method", "uri"), [("OPTIONS", "*"), ("CONNECT", "b:99")])
    def test_full_url_without_path(self, make: Any, method: str, uri: str) -> None:
        """The URLs of ``OPTIONS *`` and CONNECT have no path or query (RFC 9112 section 3.3)."""
        request = make()
        request.method, request.uri = method, uri
        assert request.full_url() == f"http://{request.host}"
        assert make(connection=mock.Mock()).remote_ip is not None
        assert make(connection=object()).protocol == "http"

    def test_repr_shows_no_header_fields(self, make: Any) -> None:
        request = make()
        request.headers["Authorization"] = "secret"
        assert repr(request) == (
            "HTTPServerRequest(protocol='http', host='Example.com:80', method='GET', "
            "uri='/a%20b?c=d&c=e+f', version='HTTP/1.1', remote_ip=None)"
        )

    def test_copies_have_the_same_content(self, make: Any) -> None:
        request = make()
        request.path  # noqa: B018
        for twin in (copy.copy(request), copy.deepcopy(request), pickle.loads(pickle.dumps(request))):
            assert repr(twin) == repr(request)
            assert twin.arguments == request.arguments

    def test_unknown_attribute_raises_and_can_be_set(self, make: Any) -> None:
        request = make()
        assert not hasattr(request, "nothing")
        assert not hasattr(request, "__deepcopy__")
        request.note = "x"
        assert request.note == "x"

    def test_request_time_ends_when_the_request_is_finished(self, make: Any) -> None:
        request = make()
        assert request.request_time() >= 0
        set_times(request, 1.0, 3.5)
        assert request.request_time() == 2.5


class TestBody:
    @pytest.mark.parametrize("touched_before", [True, False])
    @pytest.mark.parametrize("make", [made, from_head])
    def test_form_is_added_to_the_arguments(self, make: Any, touched_before: bool) -> None:
        request = make(target="/?a=1", headers=HTTPHeaders({"Host": "x", **FORM}))
        if touched_before:
            assert request.arguments == {"a": [b"1"]}
            assert request.body_arguments == {}
        request.body = b"a=2&b=3"
        request._parse_body()
        request._parse_body()
        assert request.arguments == {"a": [b"1", b"2"], "b": [b"3"]}
        assert request.body_arguments == {"a": [b"2"], "b": [b"3"]}
        assert request.query_arguments == {"a": [b"1"]}
        assert request.files == {}

    def test_form_of_request_from_head_is_parsed_when_read(self) -> None:
        request = from_head(target="/?a=1", headers=HTTPHeaders(FORM))
        request.body = b"a=2"
        assert request.arguments == {"a": [b"1", b"2"]}
        request = from_head(headers=HTTPHeaders(FORM))
        request.body = b"a=2"
        assert request.files == {}
        assert request.body_arguments == {"a": [b"2"]}

    def test_files_of_a_form_are_parsed(self) -> None:
        request = made(
            headers=HTTPHeaders({"Host": "x", "Content-Type": "multipart/form-data; boundary=xx"}),
            body=b"--xx\r\nContent-Disposition: form-data; name=f; filename=n\r\n\r\n1\r\n--xx--",
        )
        request._parse_body()
        assert request.files["f"][0].body == b"1"

    def test_malformed_form_raises_on_each_access(self) -> None:
        request = from_head(headers=HTTPHeaders({"Content-Type": "multipart/form-data"}))
        request.body = b"x"
        for _ in range(2):
            with pytest.raises(HTTPInputError):
                request._parse_body()
            with pytest.raises(HTTPInputError):
                request.body_arguments  # noqa: B018

    def test_saved_form_is_not_affected_by_later_changes(self) -> None:
        request = from_head(target="/?a=1", headers=HTTPHeaders(FORM))
        request.body = b"a=2"
        request.save_form()
        request.body = b""
        request.headers["Content-Type"] = "text/plain"
        assert request.arguments == {"a": [b"1", b"2"]}
        assert request.body_arguments == {"a": [b"2"]}
        assert request.files == {}

    def test_replaced_body_is_parsed_on_demand_and_added(self) -> None:
        request = from_head(headers=HTTPHeaders(FORM))
        request.body = b"a=2"
        request.save_form()
        request.body = b"a=3"
        request._parse_body()
        request._parse_body()
        assert request.body_arguments == {"a": [b"2", b"3"]}

    def test_arguments_read_before_body_are_completed(self) -> None:
        request = from_head(target="/?a=1", headers=HTTPHeaders(FORM))
        seen = request.arguments
        request.body = b"a=2"
        request.save_form()
        assert seen == {"a": [b"1", b"2"]}

    @pytest.mark.parametrize("on_the_class", [True, False])
    def test_overridden_parse_body_is_called_immediately(self, on_the_class: bool) -> None:
        calls = []

        class Own(HTTPServerRequest):
            def _parse_body(self) -> None:
                calls.append(self.body)

        cls: Any = Own if on_the_class else HTTPServerRequest
        request = cls._from_head(None, Head(target="/?a=1", headers=HTTPHeaders(FORM)))
        if not on_the_class:
            request._parse_body = lambda: calls.append(request.body)
        request.body = b"a=2"
        request.save_form()
        assert calls == [b"a=2"]
        assert (request.body_arguments, request.files, request.arguments) == ({}, {}, {"a": [b"1"]})
        assert len(calls) == 1

    def test_copied_request_has_form(self) -> None:
        request = from_head(target="/", headers=HTTPHeaders(FORM))
        request.body = b"a=2"
        request.save_form()
        other = copy.copy(request)
        assert request.arguments == other.arguments == {"a": [b"2"]}
        assert other.files == {}

    def test_form_of_fresh_request_is_read_on_demand(self) -> None:
        request = made(target="/?a=1", headers=HTTPHeaders({"Host": "x", **FORM}))
        request.body = b"a=2"
        with mock.patch("tornado.httputil._lazy_form.parse_body_arguments") as parse:
            request.save_form(fresh=True)
            assert not parse.called
        assert request.arguments == {"a": [b"1", b"2"]}

    @pytest.mark.parametrize("asked_before", [True, False])
    def test_tolerated_malformed_form_has_no_arguments(self, asked_before: bool) -> None:
        request = from_head(target="/?a=1", headers=HTTPHeaders({"Content-Type": "multipart/form-data"}))
        request.body = b"x"
        if asked_before:
            with pytest.raises(HTTPInputError):
                request.arguments  # noqa: B018
        request.tolerate_bad_form()
        assert (request.arguments, request.body_arguments, request.files) == ({"a": [b"1"]}, {}, {})

    @pytest.mark.parametrize(
        ("limit", "refused"), [(3, False), (2, True), (None, False), (mock.Mock(), False)]
    )
    def test_form_size_limit_of_connection_is_applied(self, limit: Any, refused: bool) -> None:
        request = from_head(types.SimpleNamespace(max_form_size=limit), target="/", headers=HTTPHeaders(FORM))
        request.body = b"a=2"
        if refused:
            with pytest.raises(HTTPInputError, match="max_form_size"):
                request.arguments  # noqa: B018
        else:
            assert request.arguments == {"a": [b"2"]}

    def test_other_content_types_have_no_arguments(self) -> None:
        request = made(body=b"{}")
        request._parse_body()
        assert request.body_arguments == {}


class TestConstructor:
    def test_deprecated_arguments_warn(self) -> None:
        line, headers = RequestStartLine("POST", "/z", "HTTP/1.1"), HTTPHeaders({"Host": "x"})
        old, missing = (
            "The method, uri, and version arguments",
            "The start_line argument to HTTPServerRequest",
        )
        cases: list[tuple[dict[str, Any], list[str]]] = [
            ({"start_line": line}, []),
            ({"start_line": line, "version": "HTTP/1.1"}, []),
            ({"start_line": line, "method": "GET"}, [old]),
            ({"start_line": line, "uri": "/"}, [old]),
            ({"start_line": line, "host": "y"}, ["The host argument"]),
            ({}, [missing]),
            ({"method": "GET"}, [old, missing]),
        ]
        for options, expected in cases:
            with warnings.catch_warnings(record=True) as seen:
                warnings.simplefilter("always")
                HTTPServerRequest(headers=headers, **options)
            assert len(seen) == len(expected)
            for warning, text in zip(seen, expected, strict=True):
                assert warning.category is DeprecationWarning
                assert str(warning.message).startswith(text)
                assert warning.filename == __file__

    def test_deprecated_arguments_still_work(self) -> None:
        with pytest.warns(DeprecationWarning, match="to HTTPServerRequest"):
            request = HTTPServerRequest("PUT", "/x?y=z", "HTTP/1.0", body=b"b")
        assert (request.method, request.path, request.host, request.body) == ("PUT", "/x", "127.0.0.1", b"b")
        with pytest.warns(DeprecationWarning, match="to HTTPServerRequest"):
            request = HTTPServerRequest()
        assert (request.method, request.uri, request.version) == ("GET", "/", "HTTP/1.0")
        with pytest.warns(DeprecationWarning, match="The host argument"):
            assert made(host="").host == ""

    def test_given_objects_are_kept(self) -> None:
        files: dict[str, Any] = {"f": []}
        connection, server_connection = mock.Mock(), object()
        request = made(files=files, connection=connection, server_connection=server_connection)
        assert request.files is files
        assert request.connection is connection
        assert request.server_connection is server_connection

    @pytest.mark.parametrize(
        "host", ["", "a", "a:80", "a:", "[::1]", "[::1]:80", "ex_a.b-c", "%41", "1.2.3.4"]
    )
    def test_valid_hosts_are_accepted(self, host: str) -> None:
        assert made(headers=HTTPHeaders({"Host": host})).host == host

    @pytest.mark.parametrize(
        "host",
        ["a b", "a/b", "a@b", "a?", "a#", "a,b", "a:b", "a:80:90", "[::1", "::1]", "[a]b", "é", "a:123456"],
    )
    def test_invalid_hosts_are_rejected(self, host: str) -> None:
        with pytest.raises(HTTPInputError, match=r"Host header"):
            made(headers=HTTPHeaders({"Host": host}))

    def test_host_is_mandatory_in_http_1_1(self) -> None:
        with pytest.raises(HTTPInputError, match="missing Host"):
            made(headers=HTTPHeaders())
        twice = HTTPHeaders()
        twice.add("Host", "a")
        twice.add("Host", "a")
        with pytest.raises(HTTPInputError, match="more than one Host"):
            made(headers=twice)
        assert from_head(host=None, version="HTTP/1.0").host == "127.0.0.1"


class TestCookies:
    def test_cookies_are_parsed_once(self) -> None:
        request = from_head(headers=HTTPHeaders({"Cookie": r'a=b; c="d\073e"; path=/; x y=z; é=1; =2; a=f'}))
        assert isinstance(request.cookies, http.cookies.SimpleCookie)
        assert {name: morsel.value for name, morsel in request.cookies.items()} == {"a": "f", "c": "d;e"}
        assert request.cookies is request.cookies

    def test_cookies_of_several_fields_are_combined(self) -> None:
        headers = HTTPHeaders()
        headers.add("Cookie", "a=b")
        headers.add("Cookie", "c=d")
        assert sorted(from_head(headers=headers).cookies) == ["a", "c"]

    @pytest.mark.parametrize("cookie", [{}, {"Cookie": "a=b; c=d"}])
    def test_headers_may_be_any_mapping(self, cookie: dict[str, str]) -> None:
        """Only ``in``, ``[]`` and ``get`` of the mapping are used."""
        request = HTTPServerRequest(
            start_line=RequestStartLine("POST", "/?e=1", "HTTP/1.1"),
            headers=SmallMapping({"Host": "example.com", **FORM, **cookie}),  # type: ignore[arg-type]
            body=b"f=2",
        )
        assert {name: morsel.value for name, morsel in request.cookies.items()} == (
            {"a": "b", "c": "d"} if cookie else {}
        )
        request._parse_body()
        assert request.arguments == {"e": [b"1"], "f": [b"2"]}
        assert request.host == "example.com"


class TestCertificate:
    def request(self, getpeercert: Any) -> HTTPServerRequest:
        socket = types.SimpleNamespace(getpeercert=getpeercert)
        return made(connection=types.SimpleNamespace(stream=types.SimpleNamespace(socket=socket)))

    def test_certificate_of_the_connection_is_returned(self) -> None:
        request = self.request(lambda binary_form: ("certificate", binary_form))
        assert request.get_ssl_certificate() == ("certificate", False)
        assert request.get_ssl_certificate(binary_form=True) == ("certificate", True)

    def test_certificate_is_none_without_tls_or_certificate(self) -> None:
        def refuse(binary_form: bool) -> None:
            raise ssl.SSLError()

        assert self.request(refuse).get_ssl_certificate() is None
        assert self.request(None).get_ssl_certificate() is None


def test_class_lists_its_attributes() -> None:
    assert set(dir(HTTPServerRequest)) >= set(_COMPUTED)
    assert HTTPServerRequest.query is vars(HTTPServerRequest)["query"]
    assert mock.Mock(spec=HTTPServerRequest).query


def test_few_attributes_are_stored() -> None:
    assert sorted(vars(from_head())) == [
        "_head",
        "_start_time",
        "connection",
        "matched_rule",
        "method",
        "path",
        "uri",
        "version",
    ]
