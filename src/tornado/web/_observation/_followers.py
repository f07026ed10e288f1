"""What an observer tells the parts that follow each request: access log, request identifiers, traces."""

from __future__ import annotations

from typing import Any

__all__ = ["RequestFollower"]


class RequestFollower:
    """An object that an `Observer` calls at the start and at the end of each request."""

    def request_started(self, request: Any) -> None:
        """Called in the context of the request, before the handler is created."""

    def request_finished(self, handler: Any, status: int, duration: float, size: int) -> None:
        """Called in the context of the request, after the response.

        :param handler: the handler. For a request that the server has refused, one that has not run.
        :param status: the status code.
        :param duration: the duration of the request in seconds, without the time for which its handler has
            waited by design.
        :param size: the size of the response body in bytes.
        """
