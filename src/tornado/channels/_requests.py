"""The requests of the channel protocol (docs/reference/channel-protocol.md), without input and output."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, NoReturn

from tornado.channels._encoding import encode_json, encode_text
from tornado.channels._limits import ClientLimits
from tornado.channels._names import MAX_CHANNEL, RESERVED, find_control
from tornado.channels._values import Position

PROTOCOL_VERSION: Final = 1
_MAX_KEY = 200
_MAX_POSITION = 200
_MAX_ID = 64
_MAX_WAIT: Final = 50.0
_WAIT: Final = 25.0

#: The maximum number of nested objects and arrays. Python and the clients could not process many more.
_MAX_DEPTH: Final = 100

_find_escaped_surrogate = re.compile(r"\\u[dD][89a-fA-F]").search
_client_pattern = re.compile(r"[A-Za-z0-9_-]{8,64}")

#: For each error code: the HTTP status, and the close code if the error ends a connection.
ERRORS: Final[Mapping[str, tuple[int, int | None]]] = {
    "bad_request": (400, None),
    "version": (400, 1002),
    "unauthorized": (401, 4401),
    "expired": (401, 4401),
    "forbidden": (403, None),
    "revoked": (403, None),
    "not_subscribed": (409, None),
    "limit": (409, None),
    "too_large": (413, None),
    "rate": (429, None),
    "internal": (500, None),
    "unavailable": (503, None),
}


#: The error code of each HTTP status that is not the response to a request of the protocol.
_CODES: Final[Mapping[int, str]] = {
    401: "unauthorized",
    403: "forbidden",
    413: "too_large",
    503: "unavailable",
}


def encode_http_error(status: int, reason: str) -> bytes:
    """Return the ``error`` for an HTTP status that another part of the framework has chosen."""
    code = _CODES.get(status, "bad_request" if status < 500 else "internal")
    return encode_reply("error", None, {"code": code, "message": reason})


class _Absent:
    """The type of `ABSENT`."""

    def __repr__(self) -> str:
        return "ABSENT"


#: The value of ``join`` if the client is not to be present.
ABSENT: Final = _Absent()


class RequestError(Exception):
    """Raised for a request that gets an ``error``.

    :param code: one of `ERRORS`.
    :param message: a description for developers.
    :param channel: the channel that the error is about.
    :param retry: the number of seconds after which to repeat the request.
    """

    def __init__(
        self, code: str, message: str, *, channel: str | None = None, retry: float | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.channel = channel
        self.retry = retry
        self.status, self.close_code = ERRORS[code]

    def encode(self, request_id: str | None = None) -> bytes:
        """Return the ``error`` as JSON."""
        members: dict[str, Any] = {"code": self.code, "message": str(self)}
        if self.channel is not None:
            members["channel"] = self.channel
        if self.retry is not None:
            members["retry"] = round(self.retry * 1000)
        return encode_reply("error", request_id, members)


class SubscriptionRequest(NamedTuple):
    """A subscription.

    :ivar position: the position after which to continue, or None.
    :ivar join: the data with which to be present, or `ABSENT`.
    :ivar watch: whether to send the members; a text is the version that the client has.
    """

    channel: str
    position: Position | None = None
    join: Any = ABSENT
    watch: bool | str = False


class Request(NamedTuple):
    """A request of a client, after validation."""

    type: str
    id: str | None = None
    subscriptions: tuple[SubscriptionRequest, ...] = ()
    channel: str = ""
    data: Any = None
    key: str | None = None
    is_ephemeral: bool = False
    token: str | None = None
    client: str | None = None
    wait: float = _WAIT
    #: The errors of subscriptions in the list that are malformed.
    refused: tuple[RequestError, ...] = ()


def decode_object(text: str | bytes) -> dict[str, Any]:
    """Return the JSON object of a request.

    :raises RequestError: if the text is not one.
    """
    try:
        if isinstance(text, bytes):
            text = text.decode()  # json.loads would also accept UTF-16 and UTF-32
        value = _decode(text)
    except (ValueError, RecursionError):
        raise RequestError("bad_request", "expected a JSON object in UTF-8") from None
    if not isinstance(value, dict):
        raise RequestError("bad_request", f"expected a JSON object, got {type(value).__name__}")
    if text.count("[") + text.count("{") > _MAX_DEPTH and _is_deeper(value, _MAX_DEPTH):
        raise RequestError("bad_request", f"the request is nested more than {_MAX_DEPTH} levels deep")
    if "\\" in text and _find_escaped_surrogate(text) is not None:
        try:
            encode_json(value)
        except UnicodeEncodeError:
            raise RequestError(
                "bad_request", "a text contains a surrogate, which UTF-8 cannot represent"
            ) from None
    return value


def _is_deeper(value: Any, limit: int) -> bool:
    """Whether objects and arrays are nested more than `limit` levels deep."""
    level = [value]
    for _ in range(limit):
        inner: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                inner += [item for item in each.values() if isinstance(item, (dict, list))]
            elif isinstance(each, list):
                inner += [item for item in each if isinstance(item, (dict, list))]
        if not inner:
            return False
        level = inner
    return True


def request_id_of(members: Mapping[str, Any]) -> str | None:
    """Return the ``id`` of a request, or None if it has none.

    :raises RequestError: if it is invalid.
    """
    return _text(members, "id", _MAX_ID)


def channel_of(members: Mapping[str, Any]) -> str | None:
    """Return the ``channel`` of a request that has failed, or None if it has none or it is invalid."""
    try:
        return _text(members, "channel", MAX_CHANNEL)
    except RequestError:
        return None


def parse_request(members: Mapping[str, Any], request_id: str | None) -> Request:
    """Validate a request.

    :param request_id: the result of `request_id_of`.
    :raises RequestError: if it is malformed.
    """
    kind = members.get("type")
    parse = _PARSERS.get(kind) if isinstance(kind, str) else None
    if parse is None:
        raise RequestError("bad_request", f"unknown type {kind!r:.60} of a request")
    return parse(kind, request_id, members)  # type: ignore[arg-type]  # it is the key of a parser


def encode_reply(kind: str, request_id: str | None, members: Mapping[str, Any]) -> bytes:
    """Return a reply or an event as JSON."""
    text = f'{{"type":"{kind}"'
    if request_id is not None:
        text += f',"id":{encode_text(request_id)}'
    for name, value in members.items():
        # An encoder for a single text is faster than one for an object.
        text += f',"{name}":{encode_text(value) if type(value) is str else encode_json(value).decode()}'
    return f"{text}}}".encode()


def encode_connected(request_id: str | None, client: str, expires_in: int | None, limits: str) -> bytes:
    """Return the reply ``connected``.

    :param client: the ID of the client.
    :param expires_in: the seconds until the token expires, or None.
    :param limits: the result of `encode_limits`.
    """
    own = "" if request_id is None else f',"id":{encode_text(request_id)}'
    expiry = "" if expires_in is None else f',"expires_in":{expires_in}'
    return f'{{"type":"connected"{own},"client":{encode_text(client)}{expiry}{limits}}}'.encode()


def encode_subscribed(request_id: str | None, channel: str, position: str) -> bytes:
    """Return the reply ``subscribed``."""
    own = "" if request_id is None else f',"id":{encode_text(request_id)}'
    text = f'{{"type":"subscribed"{own},"channel":{encode_text(channel)},"position":{encode_text(position)}}}'
    return text.encode()


def encode_limits(limits: ClientLimits, keep_alive: float) -> str:
    """Return the members of ``connected`` that are the same for all clients, each after a comma."""
    members = {
        "version": PROTOCOL_VERSION,
        "keep_alive": keep_alive,
        "limits": {
            "message": limits.message,
            "subscriptions": limits.subscriptions,
            "rate": limits.rate,
            "burst": limits.burst,
        },
    }
    return f",{encode_json(members)[1:-1].decode()}"


def _parse_connect(kind: str, request_id: str | None, members: Mapping[str, Any]) -> Request:
    version = members.get("version", PROTOCOL_VERSION)
    if version not in (None, PROTOCOL_VERSION):
        raise RequestError("version", f"expected version {PROTOCOL_VERSION}, got {version!r:.60}")
    client = _client(members)
    listed = members.get("subscribe")
    if listed is None:
        listed = []
    if not isinstance(listed, list):
        _reject("subscribe", listed, "a list of subscriptions")
    subscriptions, refused = _subscriptions(listed)
    if len({each.channel for each in subscriptions}) < len(subscriptions):
        raise RequestError("bad_request", "subscribe contains a channel twice")
    wait = members.get("wait")
    if wait is None:
        wait = _WAIT
    if isinstance(wait, bool) or not isinstance(wait, (int, float)) or not 0 <= wait <= _MAX_WAIT:
        _reject("wait", wait, f"a number of seconds from 0 to {_MAX_WAIT:g}")
    return Request(
        kind,
        request_id,
        subscriptions,
        token=_text(members, "token", 1 << 16),
        client=client,
        wait=float(wait),
        refused=refused,
    )


def _parse_subscribe(kind: str, request_id: str | None, members: Mapping[str, Any]) -> Request:
    return Request(kind, request_id, (_subscription(members),))


def _parse_channel(kind: str, request_id: str | None, members: Mapping[str, Any]) -> Request:
    return Request(kind, request_id, channel=_channel(members), data=members.get("data"))


def _parse_publish(kind: str, request_id: str | None, members: Mapping[str, Any]) -> Request:
    channel = _channel(members)
    is_ephemeral = members.get("ephemeral") or False
    if not isinstance(is_ephemeral, bool):
        _reject("ephemeral", is_ephemeral, "true or false")
    if request_id is None and not is_ephemeral:
        raise RequestError("bad_request", "publish needs an id, which is its idempotency key")
    if "data" not in members:
        raise RequestError("bad_request", "publish needs data")
    return Request(
        kind,
        request_id,
        channel=channel,
        data=members["data"],
        key=_text(members, "key", _MAX_KEY),
        is_ephemeral=is_ephemeral,
        token=_text(members, "token", 1 << 16),
        client=_client(members),
    )


def _parse_token(kind: str, request_id: str | None, members: Mapping[str, Any]) -> Request:
    token = _text(members, "token", 1 << 16)
    if token is None:
        raise RequestError("bad_request", "expected a token")
    return Request(kind, request_id, token=token)


def _parse_ping(kind: str, request_id: str | None, members: Mapping[str, Any]) -> Request:
    return Request(kind, request_id)


_PARSERS: Final[Mapping[str, Callable[[str, str | None, Mapping[str, Any]], Request]]] = {
    "connect": _parse_connect,
    "stream": _parse_connect,
    "poll": _parse_connect,
    "subscribe": _parse_subscribe,
    "unsubscribe": _parse_channel,
    "join": _parse_channel,
    "leave": _parse_channel,
    "watch": _parse_channel,
    "unwatch": _parse_channel,
    "publish": _parse_publish,
    "token": _parse_token,
    "ping": _parse_ping,
}


def _client(members: Mapping[str, Any]) -> str | None:
    client = _text(members, "client", _MAX_ID)
    if client is not None and _client_pattern.fullmatch(client) is None:
        _reject("client", client, "8 to 64 letters, digits, '_' and '-'")
    return client


def _subscriptions(listed: list[Any]) -> tuple[tuple[SubscriptionRequest, ...], tuple[RequestError, ...]]:
    """Return the valid subscriptions of a list, and the errors of the others.

    :raises RequestError: if an element does not name its channel.
    """
    found, refused = [], []
    for each in listed:
        try:
            found.append(_subscription(each))
        except RequestError as error:
            channel = each.get("channel") if isinstance(each, dict) else None
            if not isinstance(channel, str):
                raise
            error.channel = channel  # also if it is not a valid name
            refused.append(error)
    return tuple(found), tuple(refused)


def _subscription(members: Any) -> SubscriptionRequest:
    if not isinstance(members, dict):
        _reject("subscribe", members, "a list of objects")
    watch = members.get("watch") or False
    if watch is not False and not isinstance(watch, (bool, str)):
        _reject("watch", watch, "true or the version of a presence event")
    position = None if members.get("position") is None else _position(members)
    return SubscriptionRequest(_channel(members), position, members.get("join", ABSENT), watch)


def _position(members: Mapping[str, Any]) -> Position:
    text = _text(members, "position", _MAX_POSITION)
    assert text is not None  # checked by the caller
    try:
        return Position.parse(text)
    except ValueError as error:
        raise RequestError("bad_request", str(error)) from None


def _channel(members: Mapping[str, Any]) -> str:
    channel = members.get("channel")
    # Nearly all names consist of printable characters. No search is necessary for them.
    if type(channel) is not str or len(channel) > MAX_CHANNEL or not channel.isprintable():
        channel = _text(members, "channel", MAX_CHANNEL)
    if not channel:
        raise RequestError("bad_request", "expected a channel")
    if channel.startswith(RESERVED):
        raise RequestError("forbidden", "channels that begin with '$' are reserved", channel=channel)
    return channel


def _text(members: Mapping[str, Any], name: str, limit: int) -> str | None:
    """Return an optional text without control characters."""
    value = members.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > limit or find_control(value) is not None:
        _reject(name, value, f"a text of at most {limit} characters without control characters")
    return value


def _reject(name: str, value: Any, expected: str) -> NoReturn:
    raise RequestError("bad_request", f"{name} must be {expected}, got {value!r:.60}")


def _reject_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _finite(text: str) -> float:
    """Return a number. JSON cannot represent the infinite ones, which very large numbers would become."""
    value = float(text)
    if math.isinf(value):
        raise ValueError(text)
    return value


#: `json.loads` would create a decoder for each call.
_decoder = json.JSONDecoder(parse_constant=_reject_constant, parse_float=_finite)
#: Return the value at an index of a text, and the index of its end.
_scan: Callable[[str, int], tuple[Any, int]] = _decoder.scan_once  # type: ignore[attr-defined]


def _decode(text: str) -> Any:
    """Return the value of a JSON text."""
    try:
        value, end = _scan(text, 0)
    except (StopIteration, ValueError):
        end = -1
    # `decode` also accepts whitespace around the value, which takes as long as the value itself.
    return value if end == len(text) else _decoder.decode(text)


__all__ = [
    "ABSENT",
    "PROTOCOL_VERSION",
    "Request",
    "RequestError",
    "SubscriptionRequest",
    "channel_of",
    "decode_object",
    "encode_connected",
    "encode_http_error",
    "encode_limits",
    "encode_reply",
    "encode_subscribed",
    "parse_request",
    "request_id_of",
]
