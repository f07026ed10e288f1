"""The TypedDicts of keyword arguments match the parameters of the functions."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, get_type_hints

import pytest

from tornado import httpclient, httpserver, process, web
from tornado._setting_names import APPLICATION, SERVER
from tornado.websocket import websocket_connect


def parameters(function: Callable[..., Any], *others: str) -> set[str]:
    """Return the names of a function's parameters, except `others` and variadic ones."""
    kinds = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    found = inspect.signature(function).parameters.values()
    return {each.name for each in found if each.kind not in kinds} - {"self", *others}


def test_server_options_are_the_arguments_of_the_server():
    options = set(httpserver.HTTPServerOptions.__annotations__)
    assert options == parameters(httpserver.HTTPServer.initialize, "request_callback")
    assert options == SERVER


def test_request_options_are_the_arguments_of_a_request():
    options = set(httpclient.HTTPRequestOptions.__annotations__)
    assert options == parameters(httpclient.HTTPRequest.__init__, "url")
    assert set(httpclient.FetchOptions.__annotations__) == {*options, "callback"}


def test_handshake_options_are_the_other_arguments_of_a_request():
    options = set(httpclient.WebSocketHandshakeOptions.__annotations__)
    assert options == set(httpclient.HTTPRequestOptions.__annotations__) - {"connect_timeout"}
    assert options & parameters(websocket_connect, "url") == set()


def test_application_settings_are_those_that_are_known():
    assert set(web.ApplicationSettings.__annotations__) == APPLICATION


def test_cookie_attributes_are_the_arguments_of_set_cookie():
    taken = parameters(web.RequestHandler.set_cookie, "name", "value")
    assert {*web.SignedCookieOptions.__annotations__, "expires_days"} == taken
    # A TypedDict for `**kwargs` must not contain names of other parameters.
    assert web.SignedCookieOptions.__annotations__.keys().isdisjoint(
        parameters(web.RequestHandler.set_signed_cookie)
    )
    assert web.ClearCookieOptions.__annotations__.keys().isdisjoint(
        parameters(web.RequestHandler.clear_cookie)
    )


def test_subprocess_options_are_the_arguments_of_popen():
    taken = parameters(process.subprocess.Popen.__init__, "args", "bufsize", "executable")
    assert set(process.SubprocessOptions.__annotations__) == taken


@pytest.mark.parametrize(
    "options",
    [
        httpclient.FetchOptions,
        httpserver.HTTPServerOptions,
        process.SubprocessOptions,
        web.ApplicationSettings,
        web.SignedCookieOptions,
    ],
)
def test_annotations_can_be_evaluated_at_run_time(options):
    assert get_type_hints(options)
