"""The command ``python -m tornado ctl``: shows and controls a running service through ``--admin``."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from tornado._serve import ctl_tables
from tornado._serve.arguments import Arguments, ConfigurationError, suggestion
from tornado._serve.bind import Bind, BindKind, parse_bind
from tornado._serve.configuration import text_of

_TIMEOUT = 10.0
#: The actions, with the name of their argument or None.
_ACTIONS: dict[str, str | None] = {"reload": None, "drain": None, "scale": "number", "restart": "worker"}
_VIEWS: dict[str, str | None] = {"status": None, "requests": None, "errors": None, "log": "request id"}
_FORMS = "a URL, host:port or unix:path"
_LOCAL = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}


class ControlError(Exception):
    """The service cannot be reached, or refuses the request. The text is for the user."""


def run(arguments: Arguments, environment: Mapping[str, str]) -> str:
    """Run the command, and return its output.

    :raises ConfigurationError: if the command line is wrong.
    :raises ControlError: if the service cannot be reached, or refuses the request.
    """
    name, argument = _command(arguments)
    text = text_of("admin", arguments, environment)
    if text is None:
        raise ConfigurationError(
            f"expected the address of the administration as --admin, {_FORMS}, got none; it is the value of "
            "--admin of the service"
        )
    client = _Client(text, text_of("admin_token", arguments, environment))
    as_json = "--json" in arguments.switches
    if name in _ACTIONS:
        answer = _act(client, name, argument)
        return (
            _json(answer)
            if as_json
            else f"requested: {' '.join([name, *([argument] if argument else [])])}\n"
        )
    path = f"api/requests/{argument}/log" if name == "log" else f"api/{name}"
    answer = client.request("GET", path)
    answer.pop("xsrf", None)
    return _json(answer) if as_json else ctl_tables.TABLES[name](answer, time.time())


def _command(arguments: Arguments) -> tuple[str, str | None]:
    """Return the name of the subcommand and its argument."""
    known = {**_VIEWS, **_ACTIONS}
    if arguments.target is None:
        raise ConfigurationError(f"expected one of {', '.join(known)}, got none")
    name = arguments.target
    if name not in known:
        hint = suggestion(name, known) or f"; expected one of {', '.join(known)}"
        raise ConfigurationError(f"unknown subcommand {name!r}{hint}")
    argument, *rest = [*arguments.words, None]
    needed = known[name]
    if (needed is None) is not (argument is None) or len(rest) > 1:
        expected = f"a {needed}" if needed else "no argument"
        raise ConfigurationError(f"{name}: expected {expected}, got {' '.join(arguments.words) or 'none'}")
    if name in ("scale", "restart") and not (argument or "").isdecimal():
        raise ConfigurationError(f"{name}: expected a {needed}, got {argument!r}")
    return name, argument


def _act(client: _Client, name: str, argument: str | None) -> dict[str, Any]:
    path, body = f"api/{name}", {}
    if name == "restart":
        path += f"/{argument}"
    elif name == "scale":
        body["workers"] = str(argument)
    return client.request("POST", path, body)


def _json(answer: dict[str, Any]) -> str:
    return json.dumps(answer, indent=2) + "\n"


class _UnixConnection(http.client.HTTPConnection):
    """A connection to a Unix socket.

    :param path: the path of the socket; a name that begins with a NUL character is abstract.
    """

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_TIMEOUT)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_TIMEOUT)
        self.sock.connect(self._path)


class _Client:
    """A client of the administration.

    :param address: a URL, or an address as ``--admin`` of the service accepts it.
    :param token: the token, or None.
    """

    def __init__(self, address: str, token: str | None) -> None:
        self._address = address
        self._token = token
        self._prefix = "/"

    def request(self, method: str, path: str, body: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Send a request, and return the JSON object of the response.

        :param body: the fields of a form.
        :raises ControlError: if it fails.
        """
        fields = {"Accept": "application/json"}
        if self._token is not None:
            fields["Authorization"] = f"Bearer {self._token}"
        elif method == "POST":
            xsrf = self.request("GET", "api/status")["xsrf"]
            fields |= {"Cookie": f"waterspout_admin_xsrf={xsrf}", "X-XSRFToken": xsrf}
        data = None
        if body is not None:
            data = urlencode(body)
            fields["Content-Type"] = "application/x-www-form-urlencoded"
        connection = self._connection()
        try:
            connection.request(method, self._prefix + path, data, fields)
            response = connection.getresponse()
            status, content = response.status, response.read()
        except (OSError, http.client.HTTPException) as error:
            text = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise ControlError(f"cannot reach the administration at {self._address}: {text}") from None
        finally:
            connection.close()
        return self._checked(status, content)

    def _checked(self, status: int, content: bytes) -> dict[str, Any]:
        try:
            answer = json.loads(content)
        except ValueError:
            answer = None
        if status == 401:
            state = "requires a token" if self._token is None else "refuses the token"
            raise ControlError(
                f"the administration at {self._address} {state}; set WATERSPOUT_ADMIN_TOKEN to the value of "
                "--admin-token, or to the one in the log of the service"
            )
        if not isinstance(answer, dict):
            raise ControlError(
                f"{self._address} is not the administration of a service: it has answered with status "
                f"{status} and no JSON; expected the value of --admin of the service"
            )
        if status >= 400:
            raise ControlError(str((answer.get("error") or {}).get("message", f"status {status}")))
        return answer

    def _connection(self) -> http.client.HTTPConnection:
        if "://" in self._address:
            return self._connection_of_url()
        try:
            bind = parse_bind(self._address)
        except ValueError:
            bind = Bind(BindKind.DESCRIPTOR)
        match bind.kind:
            case BindKind.UNIX:
                return _UnixConnection(bind.path)
            case BindKind.TCP:
                host = _LOCAL.get(bind.host, bind.host)
                return http.client.HTTPConnection(host, bind.port, timeout=_TIMEOUT)
        raise ConfigurationError(f"--admin: expected {_FORMS}, got {self._address!r}")

    def _connection_of_url(self) -> http.client.HTTPConnection:
        try:
            parts = urlsplit(self._address)
            host, port = parts.hostname, parts.port
        except ValueError:
            host = port = None
        if host is None or parts.scheme not in ("http", "https"):
            raise ConfigurationError(f"--admin: expected {_FORMS}, got {self._address!r}")
        self._prefix = parts.path.rstrip("/") + "/"
        if parts.scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=_TIMEOUT)
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(host, port, timeout=_TIMEOUT, context=context)


__all__ = ["ControlError", "run"]
