"""Tests of the opening handshake."""

import pytest

from tornado._wire.headers import HTTPHeaders
from tornado._wire.ws_deflate import DeflateParameters, DeflatePolicy
from tornado._wire.ws_errors import HandshakeError
from tornado._wire.ws_handshake import (
    MAX_SUBPROTOCOLS,
    accept_value,
    check_request,
    check_response,
    make_key,
    request_headers,
    response_headers,
)

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
REQUEST = {
    "Upgrade": "websocket",
    "Connection": "keep-alive, Upgrade",
    "Sec-WebSocket-Key": KEY,
    "Sec-WebSocket-Version": "13",
}
RESPONSE = {
    "Upgrade": "WebSocket",
    "Connection": "upgrade",
    "Sec-WebSocket-Accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
}


def fields(base, changes=()):
    """Return header fields with changes: a list adds several fields, None removes a field."""
    headers = HTTPHeaders()
    for name, value in {**base, **dict(changes)}.items():
        for each in [value] if isinstance(value, str) else value or []:
            headers.add(name, each)
    return headers


def offer(changes=(), method="GET", version="HTTP/1.1"):
    return check_request(method, version, fields(REQUEST, changes))


def test_example_of_the_rfc():
    """The example of RFC 6455 section 1.3."""
    assert make_key(b"the sample nonce") == KEY
    assert accept_value(KEY) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    with pytest.raises(ValueError, match="15"):
        make_key(bytes(15))


def test_minimal_request_is_accepted():
    found = offer()
    assert (found.key, found.version, found.subprotocols, found.extensions) == (KEY, "13", (), ())
    assert found.deflate(DeflatePolicy()) is None
    assert response_headers(found) == [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-Websocket-Accept", accept_value(KEY)),
    ]


def test_request_with_options():
    found = offer(
        {
            "Upgrade": "h2c, WebSocket",
            "Connection": ["keep-alive", "UPGRADE"],
            "Sec-WebSocket-Version": "8",
            "Sec-WebSocket-Protocol": ["chat, , superchat", "x"],
            "Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits",
        }
    )
    assert found.subprotocols == ("chat", "superchat", "x")
    assert found.deflate(None) is None
    agreed, value = found.deflate(DeflatePolicy(client_max_window_bits=10))
    assert agreed == DeflateParameters(client_max_window_bits=10)
    assert response_headers(found, "superchat", value)[3:] == [
        ("Sec-Websocket-Protocol", "superchat"),
        ("Sec-Websocket-Extensions", "permessage-deflate; client_max_window_bits=10"),
    ]
    with pytest.raises(ValueError, match="'other'"):
        response_headers(found, "other")


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"Upgrade": None}, "Upgrade: websocket"),
        ({"Upgrade": "websockets"}, "Upgrade: websocket"),
        ({"Connection": None}, "Connection: Upgrade"),
        ({"Connection": "keep-alive"}, "Connection: Upgrade"),
        ({"Sec-WebSocket-Key": None}, "Sec-WebSocket-Key: missing"),
        ({"Sec-WebSocket-Key": [KEY, KEY]}, "Sec-WebSocket-Key: more than one"),
        ({"Sec-WebSocket-Key": "x"}, "expected 16 bytes"),
        ({"Sec-WebSocket-Key": "AAAA"}, "expected 16 bytes"),
        ({"Sec-WebSocket-Key": KEY + "\xe9"}, "expected 16 bytes"),
        ({"Sec-WebSocket-Version": None}, "Sec-WebSocket-Version: missing"),
        ({"Sec-WebSocket-Version": ["13", "8"]}, "Sec-WebSocket-Version: more than one"),
        ({"Sec-WebSocket-Protocol": "a b"}, "'a b' is not a token"),
        ({"Sec-WebSocket-Protocol": "a, a"}, "duplicate subprotocol"),
        (
            {"Sec-WebSocket-Protocol": ",".join(map(str, range(MAX_SUBPROTOCOLS + 1)))},
            f"more than {MAX_SUBPROTOCOLS}",
        ),
        ({"Sec-WebSocket-Extensions": "a b"}, "malformed value"),
    ],
)
def test_invalid_requests_are_rejected(changes, fault):
    with pytest.raises(HandshakeError, match=fault) as caught:
        offer(changes)
    assert (caught.value.status_code, caught.value.headers) == (400, ())


@pytest.mark.parametrize("head", [{"method": "POST"}, {"method": "get"}, {"version": "HTTP/1.0"}])
def test_method_and_http_version_are_checked(head):
    with pytest.raises(HandshakeError, match="requires GET"):
        offer(**head)


@pytest.mark.parametrize("version", ["12", "0", "14", "013", "", "x"])
def test_unsupported_versions_are_rejected(version):
    with pytest.raises(HandshakeError, match="unsupported version") as caught:
        offer({"Sec-WebSocket-Version": version})
    assert caught.value.status_code == 426
    assert caught.value.headers == (("Sec-WebSocket-Version", "13, 8, 7"),)


# -- client --


def test_client_request_headers():
    assert request_headers(KEY) == [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Key", KEY),
        ("Sec-WebSocket-Version", "13"),
    ]
    policy = DeflatePolicy(client_no_context_takeover=True)
    assert request_headers(KEY, ["a", "b"], policy)[4:] == [
        ("Sec-WebSocket-Protocol", "a, b"),
        (
            "Sec-WebSocket-Extensions",
            "permessage-deflate; client_no_context_takeover; client_max_window_bits",
        ),
    ]
    for names in (["a", "a"], ["a b"], [""]):
        with pytest.raises(ValueError, match="tokens"):
            request_headers(KEY, names)


def test_client_and_server_agree():
    policy = DeflatePolicy()
    request = HTTPHeaders(request_headers(KEY, ["a", "b"], policy))
    found = check_request("GET", "HTTP/1.1", request)
    agreed, value = found.deflate(DeflatePolicy(server_no_context_takeover=True))
    response = HTTPHeaders(response_headers(found, "b", value))
    assert check_response(101, response, KEY, ["a", "b"], policy) == ("b", agreed)
    assert check_response(101, fields(RESPONSE), KEY) == (None, None)
    assert check_response(101, fields(RESPONSE), KEY, ["a"], policy) == (None, None)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"Upgrade": None}, "Upgrade: missing"),
        ({"Upgrade": "h2c"}, "Upgrade: websocket"),
        ({"Upgrade": ["websocket", "websocket"]}, "more than one"),
        ({"Connection": "close"}, "Connection: Upgrade"),
        ({"Sec-WebSocket-Accept": None}, "Accept: missing"),
        ({"Sec-WebSocket-Accept": "S3pPLMBiTxaQ9kYGzzhZRbK+xOo="}, "does not match"),
        ({"Sec-WebSocket-Protocol": "b"}, "'b' was not offered"),
        ({"Sec-WebSocket-Protocol": ["a", "a"]}, "more than one"),
        ({"Sec-WebSocket-Extensions": "other"}, "only offered extensions, .* got other"),
        ({"Sec-WebSocket-Extensions": "permessage-deflate, permessage-deflate"}, "each once"),
        ({"Sec-WebSocket-Extensions": "permessage-deflate; x"}, "invalid parameters"),
        ({"Sec-WebSocket-Extensions": "a b"}, "malformed value"),
    ],
)
def test_invalid_responses_are_rejected(changes, fault):
    with pytest.raises(HandshakeError, match=fault):
        check_response(101, fields(RESPONSE, changes), KEY, ["a"], DeflatePolicy())


def test_extension_without_offer_is_rejected():
    with pytest.raises(HandshakeError, match="expected only offered extensions"):
        check_response(101, fields(RESPONSE, {"Sec-WebSocket-Extensions": "permessage-deflate"}), KEY)


def test_other_status_is_rejected():
    with pytest.raises(HandshakeError, match="status code 101 .*, got 200"):
        check_response(200, fields(RESPONSE), KEY)
