"""`ProviderMixin`, the base class of all login mixins, and functions for requests to a provider."""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from tornado import httputil
from tornado.auth._errors import AuthError
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPResponse

if TYPE_CHECKING:
    from tornado.web import RequestHandler

#: Header fields of every form request. GitHub and others respond in form encoding unless JSON is requested.
_FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}


class ProviderMixin:
    """The base class of the login mixins. It must be combined with a `.RequestHandler`."""

    def get_auth_http_client(self) -> AsyncHTTPClient:
        """Return the client for requests to the provider. Override this method to use another client.

        :returns: the shared `.AsyncHTTPClient` of the current loop by default.
        """
        return AsyncHTTPClient()

    def _handler(self) -> RequestHandler:
        """Return this object, typed as a request handler."""
        return cast("RequestHandler", self)

    def _absolute_url(self, url: str | None) -> str:
        """Return `url` resolved against the URL of the current request.

        :param url: an absolute or relative URL; None means the URL of the current request.
        """
        request_url = self._handler().request.full_url()
        return request_url if url is None else urllib.parse.urljoin(request_url, url)


async def post_form(
    client: AsyncHTTPClient, url: str, fields: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> HTTPResponse:
    """Send a form to a provider's endpoint and return its response.

    :param fields: the form fields; None values are omitted.
    :param headers: further header fields.
    :raises HTTPClientError: for a status code other than 2xx.
    """
    body = urllib.parse.urlencode({name: value for name, value in fields.items() if value is not None})
    return await client.fetch(url, method="POST", headers={**_FORM, **(headers or {})}, body=body)


async def request_token(
    provider: str,
    client: AsyncHTTPClient,
    url: str,
    fields: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Send a token request (RFC 6749 section 4.1.3) and return the decoded response.

    :param provider: the provider's name, for error messages.
    :param fields: the form fields to send in a POST request; without them the request is a GET.
    :param headers: further header fields of the POST request.
    :raises AuthError: if the response is an error, or is not a JSON object.
    """
    try:
        response = await (client.fetch(url) if fields is None else post_form(client, url, fields, headers))
    except HTTPClientError as error:
        raise AuthError(f"{provider}: the token request failed: {describe(error)}") from error
    return json_object(provider, response.body)


def json_object(provider: str, body: bytes) -> dict[str, Any]:
    """Return the JSON object in `body`.

    :raises AuthError: if `body` is not a JSON object.
    """
    try:
        value = json.loads(body)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise AuthError(f"{provider}: expected a JSON object in the response")
    return value


def describe(error: HTTPClientError) -> str:
    """Return a description of an error response that contains no credentials.

    It includes only ``error`` and ``error_description``, which RFC 6749 section 5.2 defines as readable text.
    """
    text = f"HTTP status {error.code}"
    try:
        content = json.loads(error.response.body) if error.response is not None else None
    except ValueError:
        content = None
    if isinstance(content, dict):
        texts = [content.get("error"), content.get("error_description")]
        details = [detail for detail in texts if isinstance(detail, str) and len(detail) <= 500]
        if details:
            text = f"{text} ({': '.join(details)})"
    return text


def with_query(url: str, arguments: Mapping[str, Any]) -> str:
    """Return `url` with `arguments` added to its query; None values are omitted.

    >>> with_query("https://example.com/login?a=1", {"b": "x y", "c": None})
    'https://example.com/login?a=1&b=x+y'
    """
    return httputil.url_concat(url, {name: value for name, value in arguments.items() if value is not None})
