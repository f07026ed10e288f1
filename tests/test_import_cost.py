"""The modules that an import loads. Each one adds to the start-up time of every program."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

#: Modules of the standard library that a web server must not load at start-up; import them on use.
FORBIDDEN = set(
    """
    argparse cgi cmd code csv ctypes decimal doctest email.message email.parser fractions ftplib
    getpass http.client http.server imaplib logging.config logging.handlers multiprocessing netrc
    optparse pdb pickle platform pydoc readline shelve shutil smtplib socketserver sqlite3 statistics tarfile
    tempfile tkinter unittest urllib.request uuid webbrowser wsgiref xml xmlrpc zipfile
    """.split()
)

#: Modules that a server must not load unless it uses them.
UNUSED = {
    "tornado.asgi",
    "tornado.auth",
    "tornado.autoreload",
    "tornado.curl_httpclient",
    "tornado.simple_httpclient",
    "tornado.testing",
    "tornado.websocket",
    "tornado.wsgi",
    "uvloop",
}


def loaded_by(statement: str) -> set[str]:
    """Return the modules that ``statement`` loads in a new interpreter."""
    program = f"import sys; before = set(sys.modules); {statement}; import json; "
    program += "print(json.dumps(sorted(set(sys.modules) - before)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, timeout=60)
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("module", ["tornado.web", "tornado.httpserver", "tornado.ioloop"])
def test_modules_imported_by_a_server(module):
    loaded = loaded_by(f"import {module}")
    assert sorted(loaded & FORBIDDEN) == []
    assert sorted(loaded & UNUSED) == []


def test_web_imports_optional_parts_on_first_use():
    """Type checkers, ``dir()`` and ``from tornado.web import *`` still find the names of these modules."""
    optional = ("_debug.", "_sse.", "_sessions", "_input._upload", "_input._json_body")
    loaded = loaded_by("import tornado.web")
    assert (
        sorted(
            each
            for each in loaded
            if each.startswith(tuple(f"tornado.web.{part}" for part in optional))
            or each == "tornado.web._debug"
        )
        == []
    )
    # These modules extend signatures of functions that every program uses. All others are imported on use.
    assert {each for each in loaded if each.startswith("tornado._tornado4.")} <= {
        "tornado._tornado4.deprecation",
        "tornado._tornado4.legacy_arguments",
    }
    assert "tornado.web._sse._sse_handler" in loaded_by("from tornado.web import *")


def test_package_does_not_import_its_modules():
    loaded = {name for name in loaded_by("import tornado") if name.startswith("tornado")}
    assert loaded == {"tornado", "tornado._version"}


@pytest.mark.parametrize("module", ["tornado.ioloop", "tornado.gen", "tornado.iostream", "tornado.tcpserver"])
def test_lower_layers_do_not_import_upper_layers(module):
    upper = {
        "tornado.http1connection",
        "tornado.httputil",
        "tornado.routing",
        "tornado.web",
        "tornado.template",
    }
    assert sorted(loaded_by(f"import {module}") & upper) == []


def test_wire_does_not_import_asyncio_or_socket():
    loaded = loaded_by("import tornado._wire.h1, tornado._wire.headers")
    assert sorted(loaded & {"asyncio", "socket", "ssl", "select", "threading", "subprocess"}) == []
