"""The exceptions that end a request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tornado import httputil


class HTTPError(Exception):
    """Ends the request with an HTTP status; raised in a handler, it becomes the error page of that status.

    ::

        raise HTTPError(404, "no story %s", story_id, public_message="The story was deleted.")

    :param int status_code: the status, also one that is not in `http.HTTPStatus` if `reason` is given.
    :param str log_message: written to the log, never to the client; formatted with ``% args``.
    :param str reason: (keyword only) the reason phrase instead of the usual one. One that holds a control
        character, a character outside Latin-1 or an angle bracket (it is shown on the error page) is replaced
        by "Unknown".
    :param str public_message: (keyword only) a text that the default error page shows to the client, as HTML
        or JSON (``{"error": {"status": 404, "message": …}}``); kept as an attribute of that name.
    :raises TypeError: if the status is no integer.
    """

    public_message: str | None = None
    #: Values of ``WWW-Authenticate``, each sent in a separate field line; see `AuthenticationError`.
    www_authenticate: Sequence[str] = ()

    def __init__(
        self, status_code: int = 500, log_message: str | None = None, *args: object, **kwargs: Any
    ) -> None:
        if not isinstance(status_code, int):
            raise TypeError(f"a status code is an int, not {status_code!r}")
        self.status_code = status_code
        self._log_message = log_message
        self.args = args
        self.reason: str | None = kwargs.get("reason")
        if "public_message" in kwargs:
            self.public_message = kwargs["public_message"]

    @property
    def log_message(self) -> str | None:
        """The log message as a ``%`` format that may safely be applied to `args`, an empty tuple included."""
        message = self._log_message
        if message and not self.args:
            message = message.replace("%", "%%")
        return message

    def get_message(self) -> str | None:
        """The log message with its arguments filled in."""
        message = self._log_message
        if message and self.args:
            try:
                return message % self.args
            except (TypeError, ValueError):
                return f"{message} {self.args!r}"  # they do not fit: what was meant is still worth reading
        return message

    def __reduce__(self) -> tuple[Any, ...]:
        return _remade, (type(self), self.args), self.__dict__

    def __str__(self) -> str:
        usual = httputil.responses.get(self.status_code, "Unknown")
        text = f"HTTP {self.status_code}: {self.reason or usual}"
        message = self.get_message()
        return f"{text} ({message})" if message else text


def _remade(cls: type[HTTPError], args: tuple[object, ...]) -> HTTPError:
    """An error without its attributes, for copies; subclasses have constructors of their own."""
    error = cls.__new__(cls)
    error.args = args
    return error


class Finish(Exception):
    """Ends the request without an error page: what was written so far, or the argument, is the whole
    response.

    ::

        self.set_status(401)
        self.set_header("WWW-Authenticate", 'Basic realm="things"')
        raise Finish("who are you?")
    """


class MissingArgumentError(HTTPError):
    """A required argument is absent (400).

    :param str arg_name: which one; kept as an attribute of that name.
    """

    def __init__(self, arg_name: str) -> None:
        super().__init__(400, f"Missing argument {arg_name}")
        self.arg_name = arg_name


class InvalidArgumentError(HTTPError):
    """An argument is there but is not what the handler asked for with ``type=`` (400).

    :param str arg_name: which one; kept as an attribute of that name.
    :param str value: the beginning of what was sent; it goes to the log, not to the client.
    :param str wanted: what would have been right.

    ``public_message`` says which argument, and what was wanted; the default error page shows it.
    """

    def __init__(self, arg_name: str, value: str, wanted: str) -> None:
        super().__init__(400, "Invalid argument %s: %r is not %s", arg_name, value, wanted)
        self.arg_name = arg_name
        self.public_message: str | None = f"argument {arg_name!r} is not {wanted}"


class InvalidBodyError(HTTPError):
    """A request's body is not the JSON that the handler asked for: 400, or 415 if it is not said to be JSON.

    :param str log_message: what is wrong, and where; to the log, as in `HTTPError`, and as ``public_message``
        to the default error page.
    """

    def __init__(self, log_message: str, *args: object, status_code: int = 400) -> None:
        super().__init__(status_code, "Invalid body: " + log_message, *args)
        self.public_message: str | None = (self.get_message() or "").removeprefix("Invalid body: ")
