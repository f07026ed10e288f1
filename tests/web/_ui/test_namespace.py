"""The attribute ``ui`` of handlers, and the name ``modules`` in templates."""

from __future__ import annotations

import types
from typing import Any

import pytest

from tests.support.server import ExpectLog, ask, raised
from tests.web._ui.test_uimodules import Button, Plain, page
from tornado import web


def double(handler: Any, value: Any) -> Any:
    """A UI method."""
    assert isinstance(handler, web.RequestHandler)
    return value * 2


METHODS = types.ModuleType("methods")
METHODS.double = double  # type: ignore[attr-defined]
METHODS.NotLower = double  # type: ignore[attr-defined]
METHODS._private = double  # type: ignore[attr-defined]
METHODS.number = 7  # type: ignore[attr-defined]
METHODS.Button = Button  # type: ignore[attr-defined]
METHODS.Other = int  # type: ignore[attr-defined]


@pytest.mark.parametrize("methods", [METHODS, {"double": double}, [{"double": double}], [METHODS, {}]])
async def test_ui_methods_and_modules_are_available(methods: Any) -> None:
    html = await page("{{ double('ab') }} {{ modules.Plain() is not None }}", ui_methods=methods)
    assert html == "abab True"


def test_names_used_from_a_python_module() -> None:
    app = web.Application(ui_methods=METHODS, ui_modules=METHODS)
    assert set(app.ui_methods) == {"double"}
    assert set(app.ui_modules) == {"Button", "Template", "linkify", "xsrf_form_html"}


async def test_ui_attribute_of_a_handler() -> None:
    class Handler(web.RequestHandler):
        def get(self) -> None:
            assert self.ui is self.ui
            assert self.ui["double"](2) == 4
            assert self.ui.double(2) == 4  # type: ignore[attr-defined]
            self.write(self.ui["modules"]["Plain"]())
            with pytest.raises(AttributeError):
                self.ui["modules"].Unknown()
            with pytest.raises(KeyError):
                self.ui["modules"]["Unknown"]()

    response = await ask(Handler, ui_methods={"double": double}, ui_modules={"Plain": Plain})
    assert response.code == 200


async def test_attribute_error_in_a_property_is_reported(expect_log: ExpectLog) -> None:
    """An AttributeError inside get_current_user() is reported unchanged."""

    def get_current_user(self: Any) -> Any:
        return self.no_such_thing

    with expect_log("tornado.application", "Uncaught exception") as expected:
        await page("{{ current_user }}", expect_code=500, members={"get_current_user": get_current_user})
    assert "no_such_thing" in str(raised(expected))


async def test_unknown_module_is_explained(expect_log: ExpectLog) -> None:
    with expect_log("tornado.application", "Uncaught exception") as expected:
        await page("\n{% module Buton() %}", expect_code=500, ui_modules={"Button": Button})
    error = raised(expected)
    assert str(error) == (
        "there is no UI module 'Buton': did you mean 'Button'? "
        "The application has Button, Template, linkify, xsrf_form_html; its setting ui_modules adds more"
    )
    assert error.__notes__ == ["in template page.html, line 2"]
