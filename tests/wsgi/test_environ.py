"""The WSGI environment of requests that were received or created by a program."""

from __future__ import annotations

import io
import json
import sys
from unittest.mock import Mock
from wsgiref.validate import check_environ

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.httputil import request_from_head
from tests.wsgi.conftest import running
from tornado._wire.h1 import parse_request_head
from tornado.concurrent import dummy_executor
from tornado.httputil import HTTPHeaders, HTTPInputError, HTTPServerRequest, RequestStartLine
from tornado.wsgi import WSGIContainer, to_wsgi_str
from tornado.wsgi._files import FileWrapper


def no_application(environ, start_response):
    raise AssertionError("not to be called")


container = WSGIContainer(no_application)


def made(target="/", method="GET", body=b"", connection=None, **fields):
    headers = HTTPHeaders({"Host": "example.com"})
    for name, value in fields.items():
        headers[name.replace("_", "-")] = value
    return HTTPServerRequest(
        start_line=RequestStartLine(method, target, "HTTP/1.1"),
        headers=headers,
        body=body,
        connection=connection,
    )


def environ_of(*args, **fields):
    environ = container.environ(made(*args, **fields))
    if environ["PATH_INFO"] != "*":
        check_environ(environ)
    return environ


def test_headers_may_be_a_dictionary():
    request = HTTPServerRequest(
        start_line=RequestStartLine("GET", "/", "HTTP/1.1"),
        headers={"Host": "example.com", "Cookie": "a=b; c=d", "X-Mine": "1"},
    )
    environ = container.environ(request)
    assert (environ["HTTP_COOKIE"], environ["HTTP_X_MINE"]) == ("a=b; c=d", "1")


async def sent(head, body=b"", **options):
    """Send a request to a server and return its environment."""
    seen = {}

    def application(environ, start_response):
        seen.update(environ)
        seen["body"] = environ["wsgi.input"].read()
        start_response("204 No Content", [])
        return []

    async with running(application, **options) as server:
        received = await server.exchange(
            head.replace("\n", "\r\n").encode("latin-1") + b"Connection: close\r\n\r\n" + body
        )
        assert received.startswith(b"HTTP/1.1 204 ")
    return seen


def test_all_variables_of_a_request():
    environ = environ_of("/a/b?c=d", "POST", b"body", Content_Type="text/plain", Content_Length="4", X_Y="z")
    assert environ.pop("wsgi.input").read() == b"body"
    assert environ == {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/a/b",
        "QUERY_STRING": "c=d",
        "REMOTE_ADDR": "",
        "SERVER_NAME": "example.com",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_TYPE": "text/plain",
        "CONTENT_LENGTH": "4",
        "HTTP_HOST": "example.com",
        "HTTP_X_Y": "z",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": FileWrapper,
    }


def test_multithread_is_true_with_several_threads():
    for made_so, expected in [
        (WSGIContainer(no_application), False),
        (WSGIContainer(no_application, dummy_executor), False),
        (WSGIContainer(no_application, threads=2), True),
        (WSGIContainer(no_application, Mock()), True),
    ]:
        assert made_so.environ(made())["wsgi.multithread"] is expected


def test_environ_can_be_called_on_the_class_as_in_tornado_4():
    assert WSGIContainer.environ(made("/x"))["PATH_INFO"] == "/x"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/a%20b", "/a b"),
        ("/a+b", "/a+b"),
        ("/%C3%A9", "/\xc3\xa9"),
        ("/%ff%2F", "/\xff/"),
        ("/\xe9", "/\xe9"),  # a byte that was not escaped
        ("/\u20ac", "/\xe2\x82\xac"),  # not Latin-1, so created by a program
        ("/\udcff", "/\xed\xb3\xbf"),
        ("*", ""),  # PEP 3333: PATH_INFO is empty or begins with a slash
        ("example.com:443", ""),
    ],
)
def test_path_is_decoded_to_latin_1(path, expected):
    assert environ_of(path)["PATH_INFO"] == expected


@pytest.mark.parametrize(
    ("host", "name", "port"),
    [
        ("example.com", "example.com", "80"),
        ("example.com:8080", "example.com", "8080"),
        ("example.com:", "example.com", "80"),
        ("[::1]:8080", "[::1]", "8080"),
        ("[::1]", "[::1]", "80"),
        ("", "127.0.0.1", "80"),
    ],
)
def test_server_name_and_port_are_those_of_host(host, name, port):
    environ = environ_of(Host=host)
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == (name, port)
    assert environ["HTTP_HOST"] == host


def test_https_connection_has_scheme_and_port():
    connection = Mock()
    connection.context.protocol, connection.context.remote_ip = "https", "::1"
    environ = environ_of(connection=connection)
    assert (environ["wsgi.url_scheme"], environ["SERVER_PORT"]) == ("https", "443")
    assert environ["REMOTE_ADDR"] == "::1"


async def test_two_fields_never_map_to_one_variable():
    environ = await sent("GET / HTTP/1.1\nHost: a\nX-User: checked\nX_User: forged\nX_Other: x\n")
    assert environ["HTTP_X_USER"] == "checked"
    assert "HTTP_X_OTHER" not in environ


async def test_proxy_field_is_omitted():
    assert "HTTP_PROXY" not in await sent("GET / HTTP/1.1\nHost: a\nProxy: evil.example\n")


async def test_repeated_fields_are_joined():
    environ = await sent("GET / HTTP/1.1\nHost: a\nX-A: 1\nX-A: 2\nCookie: a=b\nCookie: c=d\nX-L: \xe9\n")
    assert environ["HTTP_X_A"] == "1,2"
    assert environ["HTTP_COOKIE"] == "a=b; c=d"
    assert environ["HTTP_X_L"] == "\xe9"


async def test_content_type_and_length_have_no_prefix():
    head = "POST / HTTP/1.1\nHost: a\nContent-Type: text/plain\nContent-Length: 3\n"
    environ = await sent(head, b"abc")
    assert (environ["CONTENT_TYPE"], environ["CONTENT_LENGTH"], environ["body"]) == (
        "text/plain",
        "3",
        b"abc",
    )
    assert "HTTP_CONTENT_TYPE" not in environ
    assert "HTTP_CONTENT_LENGTH" not in environ


async def test_a_chunked_body_has_a_length():
    head = "POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\n"
    environ = await sent(head, b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
    assert environ["CONTENT_LENGTH"] == "5"
    assert environ["body"] == b"abcde"
    assert "HTTP_TRANSFER_ENCODING" not in environ


async def test_request_without_body_has_no_length():
    assert "CONTENT_LENGTH" not in await sent("GET / HTTP/1.1\nHost: a\n")
    environ = await sent("POST / HTTP/1.1\nHost: a\nContent-Length: 0\n")
    assert (environ["CONTENT_LENGTH"], environ["body"]) == ("0", b"")


async def test_an_absolute_target_overrides_host():
    environ = await sent("GET http://inner:81/x?y HTTP/1.1\nHost: outer\n")
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"], environ["HTTP_HOST"]) == (
        "inner",
        "81",
        "inner:81",
    )
    assert (environ["PATH_INFO"], environ["QUERY_STRING"]) == ("/x", "y")


async def test_http_1_0_without_host():
    environ = await sent("GET / HTTP/1.0\n")
    assert environ["SERVER_PROTOCOL"] == "HTTP/1.0"
    assert "HTTP_HOST" not in environ
    assert environ["SERVER_NAME"]


async def test_xheaders_set_address_and_scheme():
    head = "GET / HTTP/1.1\nHost: a\nX-Forwarded-For: 10.1.2.3\nX-Forwarded-Proto: https\n"
    environ = await sent(head, xheaders=True)
    assert (environ["REMOTE_ADDR"], environ["wsgi.url_scheme"]) == ("10.1.2.3", "https")


async def test_decompressed_body_has_its_own_length():
    import gzip

    packed = gzip.compress(b"text" * 100)
    head = f"POST / HTTP/1.1\nHost: a\nContent-Encoding: gzip\nContent-Length: {len(packed)}\n"
    environ = await sent(head, packed, decompress_request=True)
    assert environ["body"] == b"text" * 100
    assert environ["CONTENT_LENGTH"] == "400"


async def test_an_overridden_environ_is_used():
    class Container(WSGIContainer):
        def environ(self, request):
            return {**super().environ(request), "SCRIPT_NAME": "/app", "size": len(request.body)}

    seen = []

    def application(environ, start_response):
        seen.append((environ["SCRIPT_NAME"], environ["size"], len(environ["wsgi.input"].read())))
        start_response("204 No Content", [])
        return []

    created = Container(application, threads=1)
    created.max_body_in_memory = 10
    async with running(created) as server:
        for size in (5, 50):
            await server.fetch("/", method="POST", body=b"x" * size)
    assert seen == [("/app", 5, 5), ("/app", 50, 50)]


def test_to_wsgi_str():
    assert to_wsgi_str(b"\xe9") == "\xe9"
    with pytest.raises(TypeError, match="expects bytes, got str"):
        to_wsgi_str("text")


TOKENS = st.from_regex(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,12}", fullmatch=True)
TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=20)


@given(
    TOKENS,
    st.text(st.characters(min_codepoint=33, max_codepoint=255, exclude_characters="\x7f#"), max_size=20),
    st.lists(st.tuples(TOKENS, TEXT), max_size=5),
    st.sampled_from(["1.0", "1.1"]),
)
def test_every_parsed_request_has_an_environment(method, target, fields, version):
    lines = [f"{method} /{target} HTTP/{version}", "Host: localhost", *(f"{n}: {v}" for n, v in fields)]
    try:
        head = parse_request_head("\r\n".join([*lines, "", ""]).encode("latin-1"))
        request = request_from_head(None, head)
        direct = HTTPServerRequest(
            start_line=RequestStartLine(head.method, head.target, head.version), headers=head.headers
        )
    except HTTPInputError:
        return
    for each in (request, direct):
        environ = container.environ(each)
        for name, value in environ.items():
            if "wsgi." not in name:
                assert isinstance(value, str)
                value.encode("latin-1")
    assert isinstance(environ["wsgi.input"], io.BytesIO)
    json.dumps({name: value for name, value in environ.items() if isinstance(value, str)})


@given(st.text(max_size=30), st.text(max_size=30), st.text(max_size=30))
def test_every_created_request_has_an_environment(path, query, host):
    request = made()
    request.path, request.query, request.host = "/" + path, query, host
    environ = container.environ(request)
    for name in ("PATH_INFO", "QUERY_STRING", "SERVER_NAME", "SERVER_PORT", "HTTP_HOST"):
        environ[name].encode("latin-1")
    assert environ["SERVER_NAME"]
