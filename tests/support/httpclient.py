"""The internals of `tornado.httpclient` that tests access."""

from __future__ import annotations

from typing import Any

from tornado.httpclient import AsyncHTTPClient, HTTPClient, HTTPRequest, HTTPResponse


def async_client(client: HTTPClient) -> AsyncHTTPClient:
    """Return the client that a blocking client uses."""
    return client._async_client


def is_error_for_code(response: HTTPResponse) -> bool:
    """Whether the error of a response was created for its status code."""
    return response._error_is_response_code


def request_defaults() -> dict[str, Any]:
    """Return the default values for the attributes of a request, which programs pass to ``_RequestProxy``."""
    return HTTPRequest._DEFAULTS
