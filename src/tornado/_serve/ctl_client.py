"""The client of the administration, for ``python -m tornado ctl``."""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
import sys
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from tornado._serve.arguments import ConfigurationError
from tornado._serve.bind import Bind, BindKind, parse_bind
from tornado._serve.printable import escape_unprintable
from tornado._serve.unix_peers import HAS_CREDENTIALS, peer_of

__all__ = ["FORMS", "Client", "ControlError"]

_TIMEOUT = 10.0
#: The forms of addresses, for messages.
FORMS = "a URL, host:port or unix:path"
_LOCAL = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}


class ControlError(Exception):
    """The service cannot be reached, or refuses the request. The text is for the user.

    :param text: the text, which may contain what a client of the service has sent.
    """

    def __init__(self, text: str) -> None:
        super().__init__(escape_unprintable(text))


class _UnixConnection(http.client.HTTPConnection):
    """A connection to a Unix socket.

    :param path: the path of the socket; a name that begins with a NUL character is abstract.
    :param has_token: whether a token will be sent.
    """

    def __init__(self, path: str, has_token: bool) -> None:
        super().__init__("localhost", timeout=_TIMEOUT)
        self._path = path
        self._has_token = has_token

    def connect(self) -> None:
        """Connect to the socket.

        :raises OSError: if that is impossible, or if a token would be sent to another user: any user can bind
            an abstract name before the service does.
        """
        if sys.platform == "win32":
            raise OSError("this platform does not support Unix sockets")
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_TIMEOUT)
        self.sock.connect(self._path)
        if self._has_token and self._path.startswith("\0") and HAS_CREDENTIALS:
            peer = peer_of(self.sock)
            if peer.user not in (0, os.geteuid()):
                self.close()
                raise OSError(
                    f"it belongs to user {peer.user} (process {peer.process}), and the token is not sent to "
                    "another user"
                )


class _PinnedConnection(http.client.HTTPSConnection):
    """A connection to a service with a known certificate. Its names are not checked.

    :param certificate: the certificate in the DER format.
    """

    def __init__(self, host: str, port: int, certificate: bytes) -> None:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        super().__init__(host, port, timeout=_TIMEOUT, context=context)
        self._certificate = certificate

    def connect(self) -> None:
        """Connect, and compare the certificates.

        :raises OSError: if they differ.
        """
        super().connect()
        if self.sock.getpeercert(binary_form=True) != self._certificate:
            self.close()
            raise OSError("the certificate of the service is not that of --admin-certificate")


def _read_certificate(file: str) -> bytes:
    """Return the first certificate of a file.

    :raises ConfigurationError: if there is none.
    """
    try:
        with open(file, encoding="ascii", errors="replace") as opened:
            text = opened.read()
        begin, end = text.index(ssl.PEM_HEADER), text.index(ssl.PEM_FOOTER) + len(ssl.PEM_FOOTER)
        return ssl.PEM_cert_to_DER_cert(text[begin:end])
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "expected a PEM file"
        raise ConfigurationError(f"--admin-certificate: cannot read {file!r}: {reason}") from None


class Client:
    """A client of the administration.

    :param address: a URL, or an address as ``--admin`` of the service accepts it.
    :param token: the token, or None.
    :param certificate: the file of the service's certificate. Without a URL, the service must present it,
        for any name. A URL with ``https`` is verified as usual instead.
    """

    def __init__(self, address: str, token: str | None, certificate: str | None = None) -> None:
        self._certificate = certificate
        self._address = address
        self._token = token
        self._prefix = "/"

    def request(self, method: str, path: str, body: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Send a request, and return the JSON object of the response.

        :param body: the fields of a form.
        :raises ControlError: if it fails.
        """
        return self.receive(self.send(method, path, body))

    def send(
        self,
        method: str,
        path: str,
        body: Mapping[str, str] | None = None,
        timeout: float | None = _TIMEOUT,
    ) -> http.client.HTTPConnection:
        """Send a request, and return the connection for `receive`.

        :param timeout: the maximum time for the response in seconds; None for no limit.
        :raises ControlError: if the administration cannot be reached.
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
            if connection.sock is not None:
                connection.sock.settimeout(timeout)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise self._unreachable(error) from None
        return connection

    def receive(self, connection: http.client.HTTPConnection) -> dict[str, Any]:
        """Return the JSON object of the response to a request, and close the connection.

        :raises ControlError: if the request fails.
        """
        try:
            response = connection.getresponse()
            status, content = response.status, response.read()
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from None
        finally:
            connection.close()
        return self._checked(status, content)

    def _unreachable(self, error: Exception) -> ControlError:
        text = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return ControlError(f"cannot reach the administration at {self._address}: {text}")

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
                return _UnixConnection(bind.path, self._token is not None)
            case BindKind.TCP:
                host = _LOCAL.get(bind.host, bind.host)
                if self._certificate is not None:
                    return _PinnedConnection(host, bind.port, _read_certificate(self._certificate))
                return http.client.HTTPConnection(host, bind.port, timeout=_TIMEOUT)
        raise ConfigurationError(f"--admin: expected {FORMS}, got {self._address!r}")

    def _connection_of_url(self) -> http.client.HTTPConnection:
        try:
            parts = urlsplit(self._address)
            host, port = parts.hostname, parts.port
        except ValueError:
            host = port = None
        if host is None or parts.scheme not in ("http", "https"):
            raise ConfigurationError(f"--admin: expected {FORMS}, got {self._address!r}")
        self._prefix = parts.path.rstrip("/") + "/"
        if parts.scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=_TIMEOUT)
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(host, port, timeout=_TIMEOUT, context=context)
