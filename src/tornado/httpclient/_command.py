"""The command-line interface: fetch URLs and print the responses."""

from __future__ import annotations

from tornado.escape import native_str
from tornado.httpclient._client import HTTPClient
from tornado.httpclient._response import HTTPError
from tornado.options import define, options, parse_command_line


def main() -> None:
    """Fetch each URL on the command line and print its body, headers or both; see ``--help``."""
    define("print_headers", type=bool, default=False, help="print the response's headers")
    define("print_body", type=bool, default=True, help="print the response's body")
    define("follow_redirects", type=bool, default=True, help="follow redirects")
    define("validate_cert", type=bool, default=True, help="check the server's certificate")
    define("proxy_host", type=str, help="the proxy's host name or address")
    define("proxy_port", type=int, help="the proxy's port")
    client = HTTPClient()
    try:
        for url in parse_command_line():
            _show(client, url)
    finally:
        client.close()


def _show(client: HTTPClient, url: str) -> None:
    names = ("proxy_host", "proxy_port", "follow_redirects", "validate_cert")
    try:
        response = client.fetch(url, **{name: options[name] for name in names})
    except HTTPError as error:
        if error.response is None:
            raise
        response = error.response
    if options.print_headers:
        print(response.headers)  # noqa: T201
    if options.print_body:
        print(native_str(response.body))  # noqa: T201
