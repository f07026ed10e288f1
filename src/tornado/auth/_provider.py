"""The base of all login mixins: access to the request handler, and requests to the provider."""

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

#: Of every form: GitHub and others answer in form encoding unless JSON is asked for.
_FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}


class ProviderMixin:
    """The base of the login mixins; a `.RequestHandler` must be among the bases of the final class."""

    def get_auth_http_client(self) -> AsyncHTTPClient:
        """Return the client for requests to the provider; override it to use another one.

        :returns: the shared `.AsyncHTTPClient` of the current loop by default.
        """
        return AsyncHTTPClient()

    def _handler(self) -> RequestHandler:
        """Return this object as the request handler it also is."""
        return cast("RequestHandler", self)

    def _absolute_url(self, url: str | None) -> str:
        """Return `url` resolved against the URL of the current request.

        :param url: absolute or relative; None stands for the current request's own URL.
        """
        request_url = self._handler().request.full_url()
        return request_url if url is None else urllib.parse.urljoin(request_url, url)


async def post_form(
    client: AsyncHTTPClient, url: str, fields: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> HTTPResponse:
    """Send a form to a provider's endpoint and return its response.

    :param fields: the fields of the form; None values are left out.
    :param headers: further header fields.
    :raises HTTPClientError: for a status other than 2xx.
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
    """Send a token request (RFC 6749 section 4.1.3) and return the decoded answer.

    :param provider: the provider's name, for error messages.
    :param fields: sent as a form by POST; without them the request is a GET.
    :param headers: further header fields of the POST.
    :raises AuthError: if the provider answers with an error, or with something other than a JSON object.
    """
    try:
        response = await (client.fetch(url) if fields is None else post_form(client, url, fields, headers))
    except HTTPClientError as error:
        raise AuthError(f"{provider}: the token request failed: {describe(error)}") from error
    return json_object(provider, response.body)


def json_object(provider: str, body: bytes) -> dict[str, Any]:
    """Return the JSON object in `body`.

    :raises AuthError: if it holds anything else.
    """
    try:
        value = json.loads(body)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise AuthError(f"{provider}: expected a JSON object in the answer")
    return value


def describe(error: HTTPClientError) -> str:
    """Return what an error response says, without anything that could be a credential.

    RFC 6749 section 5.2 makes ``error`` and ``error_description`` text for people.
    """
    text = f"HTTP status {error.code}"
    try:
        answer = json.loads(error.response.body) if error.response is not None else None
    except ValueError:
        answer = None
    if isinstance(answer, dict):
        said = [answer.get("error"), answer.get("error_description")]
        details = [detail for detail in said if isinstance(detail, str) and len(detail) <= 500]
        if details:
            text = f"{text} ({': '.join(details)})"
    return text


def with_query(url: str, arguments: Mapping[str, Any]) -> str:
    """Return `url` with `arguments` added to its query; None values are left out.

    >>> with_query("https://example.com/login?a=1", {"b": "x y", "c": None})
    'https://example.com/login?a=1&b=x+y'
    """
    return httputil.url_concat(url, {name: value for name, value in arguments.items() if value is not None})
