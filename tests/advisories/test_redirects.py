"""Open redirects: to a browser, ``//host`` and ``/\\host`` in a Location field refer to another host."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest

from tests.support.server import ExpectLog, ask, handler_of, serving
from tornado import web

EVIL = ["//evil.example", "///evil.example", "/\\evil.example", "/\\/evil.example", "\\\\evil.example"]


def redirect_host(location: str | None) -> str | None:
    """Return the host that a browser requests; it treats ``\\`` as ``/`` (URL Standard, section 4.4)."""
    if location is None:
        return "here"
    return urlsplit(urljoin("http://here/", location.replace("\\", "/"))).hostname


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "index.html").write_text("index")
    return tmp_path


@pytest.mark.parametrize("prefix", ["//", "///", "/\\", "/%5C", "/%2F", "/./\\", "/%2e/%2F"])
async def test_cve_2023_28370_static_directories(prefix: str, root: Path, expect_log: ExpectLog) -> None:
    """The path after the host name is the absolute path of a directory, which exists in the file system."""
    routes = [("/(.*)", web.StaticFileHandler, {"path": str(root), "default_filename": "index.html"})]
    for directory in (f"{root}/sub".lstrip("/"), "sub", "sub%2f..%2fsub", "evil.example/../sub"):
        with expect_log("tornado.general", "", required=False):
            response = await ask(routes, path=prefix + directory)
        assert redirect_host(response.get("location")) == "here", (directory, response.head)


async def test_cve_2023_28370_static_directory_redirects_to_slash(root: Path) -> None:
    routes = [("/(.*)", web.StaticFileHandler, {"path": str(root), "default_filename": "index.html"})]
    response = await ask(routes, path="/sub")
    assert (response.code, response.get("location")) == (301, "/sub/")


class Slashful(web.RequestHandler):
    """A handler that redirects ``/a`` to ``/a/``."""

    @web.addslash
    def get(self) -> None:
        """Do nothing: the decorator has redirected each request without the slash."""


class Slashless(web.RequestHandler):
    """A handler that redirects ``/a/`` to ``/a``."""

    @web.removeslash
    def get(self) -> None:
        """Do nothing: the decorator has redirected each request with the slash."""


@pytest.mark.parametrize("path", EVIL)
@pytest.mark.parametrize("handler", [Slashful, Slashless])
async def test_release_6_6_0_slash_decorators(path: str, handler: Any, expect_log: ExpectLog) -> None:
    path += "" if handler is Slashful else "/"
    with expect_log("tornado.general", "two initial slashes|Malformed", required=False):
        response = await ask(handler, path=path)
    assert response.code in (400, 403)
    assert response.get("location") is None


@pytest.mark.parametrize(
    "path", ["/%5Cevil.example/", "/%2Fevil.example/", "/%09/evil.example/", "/.//evil.example/"]
)
async def test_release_6_6_1_escaped_slashes_stay_escaped(path: str, expect_log: ExpectLog) -> None:
    for handler, asked in ((Slashful, path.rstrip("/")), (Slashless, path)):
        with expect_log("tornado.general", "", required=False):
            response = await ask(handler, path=asked)
        assert redirect_host(response.get("location")) == "here"


async def test_release_6_6_1_redirect_of_absolute_target_has_no_host() -> None:
    """The redirect does not contain the authority of an absolute-form target, which the client chooses."""
    async with serving(web.Application([("/.*", Slashful)])) as server:
        response = await server.fetch("http://evil.example/a", "Host: here")
    assert (response.code, response.get("location")) == (301, "/a/")


async def test_release_6_6_1_next_argument_of_login_redirect_is_local() -> None:
    """The argument ``next`` is the escaped path without a host."""
    handler = handler_of(get=web.authenticated(lambda self: None), get_current_user=lambda self: None)
    response = await ask(handler, path="/a?b=c&next=http://evil.example", login_url="/login")
    assert response.get("location") == "/login?next=%2Fa%3Fb%3Dc%26next%3Dhttp%3A%2F%2Fevil.example"
