"""The form in the body of a request, decoded when the program first reads an argument.

Decoding takes time proportional to the size of the body, and most handlers of large bodies never read
arguments. The body and its Content-Type are saved before the call of `prepare()`, when Tornado decodes them.
A program that later replaces ``request.body`` or a header field therefore still reads the arguments that the
client sent.

============  =================================================  ============
state         event                                              next state
============  =================================================  ============
``UNREAD``    `read`: the body is valid                          READ
              `read`: the body is malformed or too large, raise  REFUSED
              `tolerate`                                         TOLERANT
``TOLERANT``  `read`: a malformed or too large body has no       READ
              arguments
``REFUSED``   `read`: raise again                                REFUSED
              `tolerate`: the body has no arguments              READ
``READ``      any                                                READ
============  =================================================  ============
"""

from __future__ import annotations

import copy
import enum

from tornado._wire.errors import BodyTooLarge, HTTPInputError
from tornado._wire.headers import HTTPHeaders
from tornado.httputil._forms import HTTPFile, is_form, parse_body_arguments

__all__ = ["FormState", "LazyForm"]


class FormState(enum.Enum):
    """The state of a `LazyForm`; see the table in the module docstring."""

    UNREAD = "unread"
    TOLERANT = "tolerant"
    REFUSED = "refused"
    READ = "read"


_TOLERATED = {
    FormState.UNREAD: FormState.TOLERANT,
    FormState.TOLERANT: FormState.TOLERANT,
    FormState.REFUSED: FormState.READ,
    FormState.READ: FormState.READ,
}


class LazyForm:
    """The arguments and files in one body.

    :param body: the body as received.
    :param content_type: the Content-Type of the request; empty if it has none.
    :param headers: the header fields of the request; None if they have no Content-Encoding.
    :ivar arguments: name -> values; empty until `read` is called.
    :ivar files: name -> files; empty until `read` is called.
    """

    __slots__ = ("_content_type", "_error", "_headers", "arguments", "body", "files", "state")

    def __init__(self, body: bytes, content_type: str, headers: HTTPHeaders | None) -> None:
        self.body = body
        self.state = FormState.UNREAD
        self.arguments: dict[str, list[bytes]] = {}
        self.files: dict[str, list[HTTPFile]] = {}
        self._content_type = content_type
        self._headers = headers
        self._error: HTTPInputError | None = None

    def read(self, max_size: int | None) -> None:
        """Decode the body, unless it has been decoded already.

        :param max_size: the maximum size of a form in bytes; None for no limit.
        :raises HTTPInputError: if the body is a malformed form, or one that exceeds a limit.
        """
        if self.state is FormState.READ:
            return
        if self._error is not None:
            raise copy.copy(self._error)
        kind, body = self._content_type, self.body
        try:
            if max_size is not None and len(body) > max_size and is_form(kind):
                raise BodyTooLarge(
                    f"a form of {len(body)} bytes is larger than max_form_size ({max_size} bytes)"
                )
            parse_body_arguments(kind, body, self.arguments, self.files, self._headers)
        except HTTPInputError as error:
            self.arguments, self.files = {}, {}
            if self.state is not FormState.TOLERANT:
                self.state = FormState.REFUSED
                # A copy has no traceback. Its frames would refer to this object, and the cycle would keep the
                # body in memory until the next garbage collection.
                self._error = copy.copy(error)
                raise
        self.state = FormState.READ

    def tolerate(self) -> None:
        """Treat a malformed body as one without arguments from now on."""
        self.state = _TOLERATED[self.state]
        self._error = None
