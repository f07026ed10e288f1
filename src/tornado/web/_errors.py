"""The exceptions that end a request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tornado import httputil


class HTTPError(Exception):
    """An exception that ends the request with an HTTP status. In a handler, it results in the error page of
    that status.

    ::

        raise HTTPError(404, "no story %s", story_id, public_message="The story was deleted.")

    :param int status_code: the status code. A code that is not in `http.HTTPStatus` needs a `reason`.
    :param str log_message: written to the log, not sent to the client; formatted with ``% args``.
    :param str reason: (keyword only) the reason phrase that replaces the standard one. A phrase that contains
        a control character, a character outside Latin-1 or an angle bracket is replaced by "Unknown". (Angle
        brackets are not accepted because the error page contains the phrase.)
    :param str public_message: (keyword only) text that the default error page shows to the client, as HTML
        or JSON (``{"error": {"status": 404, "message": …}}``); stored in an attribute of the same name.
    :raises TypeError: if the status code is not an integer.
    """

    public_message: str | None = None
    #: Values of ``WWW-Authenticate``, each sent in a separate field line; see `AuthenticationError`.
    www_authenticate: Sequence[str] = ()

    def __init__(
        self, status_code: int = 500, log_message: str | None = None, *args: object, **kwargs: Any
    ) -> None:
        if not isinstance(status_code, int):
            raise TypeError(f"status_code must be an int, got {status_code!r}")
        self.status_code = status_code
        self._log_message = log_message
        self.args = args
        self.reason: str | None = kwargs.get("reason")
        if "public_message" in kwargs:
            self.public_message = kwargs["public_message"]

    @property
    def log_message(self) -> str | None:
        """The log message as a ``%`` format that can be applied to `args`, even if `args` is empty."""
        message = self._log_message
        if message and not self.args:
            message = message.replace("%", "%%")
        return message

    def get_message(self) -> str | None:
        """Return the log message formatted with its arguments."""
        message = self._log_message
        if message and self.args:
            try:
                return message % self.args
            except (TypeError, ValueError):
                # the arguments do not match the format, but are worth logging
                return f"{message} {self.args!r}"
        return message

    def __reduce__(self) -> tuple[Any, ...]:
        return _new_error, (type(self), self.args), self.__dict__

    def __str__(self) -> str:
        usual = httputil.responses.get(self.status_code, "Unknown")
        text = f"HTTP {self.status_code}: {self.reason or usual}"
        message = self.get_message()
        return f"{text} ({message})" if message else text


def _new_error(cls: type[HTTPError], args: tuple[object, ...]) -> HTTPError:
    """Create an error without calling its constructor, whose parameters differ between subclasses; used by
    `copy` and `pickle`.
    """
    error = cls.__new__(cls)
    error.args = args
    return error


class Finish(Exception):
    """Ends the request without an error page. The output so far, or the argument, is the complete response.

    ::

        self.set_status(401)
        self.set_header("WWW-Authenticate", 'Basic realm="things"')
        raise Finish("who are you?")
    """


class MissingArgumentError(HTTPError):
    """A required argument is absent (400).

    :param str arg_name: the name of the argument; stored in an attribute of the same name.
    """

    def __init__(self, arg_name: str) -> None:
        super().__init__(400, f"Missing argument {arg_name}")
        self.arg_name = arg_name


class InvalidArgumentError(HTTPError):
    """An argument is present but cannot be converted to the ``type`` given by the handler (400).

    :param str arg_name: the name of the argument; stored in an attribute of the same name.
    :param str value: the beginning of the text received; it is logged but not sent to the client.
    :param str wanted: a description of the accepted values.

    ``public_message`` names the argument and the accepted values; the default error page shows it.
    """

    def __init__(self, arg_name: str, value: str, wanted: str) -> None:
        super().__init__(400, "Invalid argument %s: %r is not %s", arg_name, value, wanted)
        self.arg_name = arg_name
        self.public_message: str | None = f"argument {arg_name!r} is not {wanted}"


class InvalidBodyError(HTTPError):
    """The body of a request is not the expected JSON: 400, or 415 if its Content-Type is not JSON.

    :param str log_message: the error and its position; written to the log, as in `HTTPError`, and shown on
        the default error page as ``public_message``.
    """

    def __init__(self, log_message: str, *args: object, status_code: int = 400) -> None:
        super().__init__(status_code, "Invalid body: " + log_message, *args)
        self.public_message: str | None = (self.get_message() or "").removeprefix("Invalid body: ")
