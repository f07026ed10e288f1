"""The pytest plugin, tested in separate runs of pytest together with anyio's plugin."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

CONFTEST = """
import asyncio
import pytest
from tornado import web

pytest_plugins = ["tornado.testing.pytest"]

class Hello(web.RequestHandler):
    def get(self):
        self.write("hello")

@pytest.fixture
def tornado_app():
    return web.Application([("/", Hello)])

@pytest.fixture
async def value(events):
    events.append("value")
    await asyncio.sleep(0)
    return 42

@pytest.fixture
async def group(value, events):
    async with asyncio.TaskGroup() as group:
        yield group
    events.append("left")

@pytest.fixture(scope="module")
def events():
    return []
"""


def run(folder, tests, *arguments, conftest=CONFTEST):
    """Run pytest; return the outcome of each test, and the output."""
    (folder / "conftest.py").write_text(conftest)
    (folder / "test_it.py").write_text("import asyncio\nimport pytest\n" + tests)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "pytest", "-p", "no:cacheprovider", "-vv", *arguments],
        cwd=folder,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "anyio.pytest_plugin"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    found = re.findall(r"^test_it.py::(\S+) ([A-Z]+)", done.stdout, re.MULTILINE)
    return found, done.stdout + done.stderr


def test_passing_tests(tmp_path):
    verdicts, output = run(
        tmp_path,
        """
from tornado.testing import AsyncTestCase, gen_test

async def test_server(tornado_server, value):
    response = await tornado_server.fetch("/")
    assert (response.body, value) == (b"hello", 42)

async def test_group(group, events):
    events.clear()
    group.create_task(asyncio.sleep(0))

def test_after_it(events):
    assert events == ["left"]

@pytest.mark.parametrize("number", [1, 2])
async def test_parameters(number, value, other=3):
    assert (number in (1, 2), value, other) == (True, 42, 3)

class TestMethods:
    @pytest.fixture
    async def prepared(self):
        self.ready = True
        return self

    @pytest.fixture
    async def stepwise(self):
        self.step = 1
        yield self

    async def test_method(self, prepared, stepwise):
        assert prepared is stepwise is self
        assert (self.ready, self.step) == (True, 1)

async def test_skip():
    await asyncio.sleep(0)
    pytest.skip("reason")

@pytest.mark.xfail
async def test_expected():
    assert False

@pytest.mark.tornado(timeout=30)
async def test_mark():
    async with asyncio.timeout(20):
        await asyncio.sleep(0)

@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_anyio(anyio_backend, value):
    assert value == 42


class Loop(asyncio.SelectorEventLoop):
    pass

class TestLoop:
    @pytest.fixture
    def tornado_loop_factory(self):
        return Loop

    async def test_loop(self):
        assert type(asyncio.get_running_loop()) is Loop

class TestDecorated(AsyncTestCase):
    @gen_test
    async def test_case(self):
        await asyncio.sleep(0)

class TestBare(AsyncTestCase):
    run_coroutines = True
    async def test_case(self):
        await asyncio.sleep(0)

def test_plain(tornado_runner):
    async def three():
        return 3
    assert tornado_runner.run(three()) == 3
""",
    )
    expected = dict.fromkeys(
        """test_server test_group test_after_it test_parameters[1] test_parameters[2]
        TestMethods::test_method test_mark test_anyio[asyncio] TestLoop::test_loop
        TestDecorated::test_case TestBare::test_case test_plain""".split(),
        "PASSED",
    )
    assert dict(verdicts) == {**expected, "test_skip": "SKIPPED", "test_expected": "XFAIL"}, output


def test_failing_tests(tmp_path):
    verdicts, output = run(
        tmp_path,
        """
async def test_assertion():
    left, right = 1, 2
    await asyncio.sleep(0)
    assert left == right

@pytest.mark.tornado(timeout=0.01)
async def test_late():
    await asyncio.Event().wait()  # where it waits

@pytest.fixture(scope="module")
async def wide():
    return 1

async def test_wide(wide):
    pass

@pytest.fixture
async def twice():
    yield 1
    yield 2

async def test_twice(twice):
    pass

@pytest.fixture
async def never():
    if False:
        yield

async def test_never(never):
    pass

@pytest.fixture
async def failing():
    raise KeyError("in the fixture")

async def test_failing(failing):
    pass

async def test_nested_run(tornado_runner):
    tornado_runner.run(asyncio.sleep(0))

async def test_getting(request):
    request.getfixturevalue("value")

async def test_yielding():
    yield
""",
    )
    assert verdicts == [
        ("test_assertion", "FAILED"),
        ("test_late", "FAILED"),
        ("test_wide", "ERROR"),
        ("test_twice", "PASSED"),
        ("test_twice", "ERROR"),
        ("test_never", "ERROR"),
        ("test_failing", "ERROR"),
        ("test_nested_run", "FAILED"),
        ("test_getting", "FAILED"),
        ("test_yielding", "FAILED"),
    ], output
    assert "assert 1 == 2" in output
    assert "TimeoutError: timed out after 0.01 seconds" in output
    assert "# where it waits" in output
    assert "the fixture wide is async def and has the scope 'module'" in output
    assert "more than one 'yield'" in output
    assert "did not yield a value" in output
    assert "in the fixture" in output
    assert "tornado_runner.run() cannot be called while an event loop is running: await" in output
    assert "the fixture value is async def and cannot be set up while a test is running" in output
    assert "the test test_yielding contains 'yield', which only fixtures may do" in output
    assert "never awaited" not in output
    assert "_async_runner.py" not in output  # the frames of that file are hidden


def test_unrequested_plugin_has_no_effect(tmp_path):
    verdicts, output = run(
        tmp_path,
        """
async def test_native():
    pass

def test_fixture(tornado_server):
    pass
""",
        conftest="",
    )
    assert dict(verdicts) == {"test_native": "FAILED", "test_fixture": "ERROR"}
    assert "async def functions are not natively supported" in output
    assert "fixture 'tornado_server' not found" in output


def test_missing_tornado_app_fixture(tmp_path):
    _, output = run(
        tmp_path,
        "async def test(tornado_server):\n    pass\n",
        conftest='pytest_plugins = ["tornado.testing.pytest"]\n',
    )
    assert "tornado_server requires a fixture tornado_app that returns the application" in output


#: The fixtures of pytest-tornado, and its mark for generator-based tests.
ANOTHER = """
import asyncio
import pytest

@pytest.fixture
def io_loop(): return "another io_loop"
@pytest.fixture
def app(): return "another app"
@pytest.fixture
def http_client(): return "another http_client"
@pytest.fixture
def http_server(): return "another http_server"
@pytest.fixture
def base_url(): return "another base_url"

def pytest_configure(config):
    config.addinivalue_line("markers", "gen_test: another one's")

@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    if pyfuncitem.get_closest_marker("gen_test"):
        names = pyfuncitem.funcargs
        assert "tornado_runner" not in names
        asyncio.run(pyfuncitem.obj(**{name: names[name] for name in ("app", "http_client")}))
        return True
"""


@pytest.mark.parametrize(
    "order", ['["another", "tornado.testing.pytest"]', '["tornado.testing.pytest", "another"]']
)
def test_plugin_works_with_pytest_tornado(tmp_path, order):
    (tmp_path / "another.py").write_text(ANOTHER)
    verdicts, output = run(
        tmp_path,
        """
@pytest.mark.gen_test
async def test_theirs(app, http_client):
    assert (app, http_client) == ("another app", "another http_client")

async def test_ours(app, tornado_runner):
    assert app == "another app"
""",
        conftest=f"pytest_plugins = {order}\n",
    )
    assert verdicts == [("test_theirs", "PASSED"), ("test_ours", "PASSED")], output


@pytest.mark.parametrize("arguments", ["timeot=3", "3, timeout=3", "1, 2"])
def test_unknown_argument_of_mark_is_an_error(tmp_path, arguments):
    found, output = run(
        tmp_path, f"@pytest.mark.tornado({arguments})\nasync def test_it():\n    print('begun')\n"
    )
    assert found == [("test_it", "FAILED")]
    assert f"@pytest.mark.tornado takes only the argument timeout (in seconds), got ({arguments})" in output
    assert "begun" not in output
