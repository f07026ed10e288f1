"""The public module `tornado.httputil`."""

from __future__ import annotations

import inspect

import pytest

from tornado import httputil


def test_public_objects_have_public_module() -> None:
    for name in httputil.__all__:
        thing = getattr(httputil, name)
        if inspect.isclass(thing) or inspect.isfunction(thing):
            assert thing.__module__ == "tornado.httputil", name


def test_unknown_name_raises_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'tornado.httputil' has no attribute 'nothing'"):
        httputil.nothing  # noqa: B018
