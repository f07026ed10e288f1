"""The response with status 101 (Switching Protocols), sent in one step."""

from __future__ import annotations

from tornado.web._execution._response import Response, ResponseOwner, bare_block, is_plain, security_of

__all__ = ["send_upgrade"]


def send_upgrade(handler: ResponseOwner, response: Response, fields: bytes) -> bool:
    """Send the head of a 101 response, unless the program has set header fields of its own.

    This is the fast path for ``set_status``, ``set_header`` and ``flush``. The caller ensures that the
    handler has the original methods, and detaches the connection afterwards.

    :param fields: the serialized header fields that the new protocol requires, and the empty line.
    :returns: whether the head was sent.
    """
    connection = handler.request.connection
    if (
        not response.is_unchanged()
        or response.session is not None
        or not is_plain(connection)
        or security_of(handler) is not None
    ):
        return False
    block = bare_block()
    response.record_upgrade(block, fields)
    connection.send_upgrade(block + fields)  # type: ignore[union-attr]
    return True
