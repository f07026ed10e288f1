from __future__ import annotations

import functools
import sys

import pytest

from tests.support.serve import APPLICATION, write_module
from tornado._serve.program_error import ProgramError
from tornado._serve.target import TargetKind, adopt, load
from tornado.asgi import ASGIContainer
from tornado.routing import RuleRouter
from tornado.web import Application, RequestHandler

KINDS = (
    APPLICATION
    + """
import functools
from tornado.routing import RuleRouter

router = RuleRouter()
class Own(web.Application):
    pass
def make_app(debug=False): return application
async def make_async(): return application
def make_settings(**settings): return application
make_partial = functools.partial(make_settings, debug=True)
def build_anything(*args, **kwargs): return application
def callback(request): pass
def wsgi(environ, start_response): pass
class WSGI:
    def __call__(self, environ, start_response): pass
wsgi_object = WSGI()
def wrapped(*args): return wsgi(*args)
decorated = functools.wraps(wsgi)(wrapped)
class Holder:
    class inner:
        application = application
"""
)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("application", TargetKind.APPLICATION),
        ("Holder.inner.application", TargetKind.APPLICATION),
        ("router", TargetKind.APPLICATION),
        ("callback", TargetKind.APPLICATION),
        ("Own", TargetKind.FACTORY),
        ("make_app", TargetKind.FACTORY),
        ("make_async", TargetKind.FACTORY),
        ("make_settings", TargetKind.FACTORY),
        ("make_partial", TargetKind.FACTORY),
        ("build_anything", TargetKind.FACTORY),
        ("wsgi", TargetKind.WSGI),
        ("wsgi_object", TargetKind.WSGI),
        ("wrapped", TargetKind.WSGI),
        ("decorated", TargetKind.WSGI),
    ],
)
def test_kinds_are_told_apart(folder, name, kind):
    write_module(folder, KINDS)
    loaded = load(f"app:{name}")
    assert loaded.kind is kind
    assert loaded.name == f"app:{name}"


@pytest.mark.parametrize("name", ["application", "app", "make_app", "create_app"])
def test_names_of_targets_without_a_name(folder, name):
    write_module(folder, APPLICATION.replace("application =", "site =") + f"{name} = lambda: site")
    assert load("app").name == f"app:{name}"


def test_modules_of_packages_are_found(folder):
    (folder / "site").mkdir()
    (folder / "package").mkdir()
    write_module(folder / "package", APPLICATION, "main")
    assert load("package.main").kind is TargetKind.APPLICATION


@pytest.mark.parametrize("name", ["make_app", "make_async", "Own", "application"])
async def test_factories_are_called_in_the_event_loop(folder, name):
    write_module(folder, KINDS)
    resolved = await load(f"app:{name}").resolve()
    assert resolved.kind is TargetKind.APPLICATION
    assert isinstance(resolved.application, Application)


async def test_factory_may_return_a_wsgi_application(folder):
    write_module(folder, "def make_app(): return lambda environ, start_response: []")
    assert (await load("app").resolve()).kind is TargetKind.WSGI


@pytest.mark.parametrize(
    "source",
    [
        "async def app(scope, receive, send): pass",
        "class X:\n  async def __call__(self, a, b, c): pass\napp = X()",
        "async def app(*arguments): pass",
        "def make_app():\n  async def app(scope, receive, send): pass\n  return app",
    ],
)
async def test_asgi_application_is_served_in_a_container(folder, source):
    write_module(folder, source)
    loaded = load("app")
    if loaded.kind is not TargetKind.FACTORY:
        assert loaded.kind is TargetKind.ASGI
    target = await loaded.resolve()
    assert target.kind is TargetKind.APPLICATION
    assert isinstance(target.application, ASGIContainer)
    assert target.make_server().request_callback is target.application


async def _asgi_application(scope, receive, send): ...


@pytest.mark.parametrize(
    ("application", "kind"), [(Application, "a factory"), (_asgi_application, "an ASGI application")]
)
def test_target_that_must_be_resolved_has_no_server(application, kind):
    with pytest.raises(RuntimeError, match=f"here is {kind}"):
        adopt(application, "here").make_server()


@pytest.mark.parametrize(
    ("source", "text", "message"),
    [
        (APPLICATION, "app.py", r"got the name of a file; write app$"),
        (APPLICATION, "./folder/app.py:x", r"write folder.app:x$"),
        (APPLICATION, "app:", None),
        (APPLICATION, "app:1", "cannot load 'app:1': expected module:name, such as app:application"),
        (APPLICATION, "app:applicaton", "'app' has no attribute 'applicaton'; did you mean 'application'"),
        (APPLICATION, "app:application.x", "has no attribute 'x'$"),
        (APPLICATION, "nowhere:app", "there is no module 'nowhere' in /"),
        (APPLICATION, "nowhere.app:app", "there is no module 'nowhere' in /"),
        (APPLICATION, "app:Hello", "Hello is a handler class; expected an Application"),
        (
            APPLICATION.replace("application", "site"),
            "app",
            "expected one of application, app, .*; write app:site$",
        ),
        ("x = 1", "app", "expected one of application, .*; write module:name$"),
        ("x = 1", "app:x", "expected an Application, .*, got 1"),
        ("x = 'a' * 99", "app:x", "got 'a{79}…"),
        ("def x(*, a): pass", "app:x", "got <function x"),
        ("def x(a, b, c, d): pass", "app:x", "got <function x"),
        ("class X:\n  pass", "app:X", "got the class X; name an object of it"),
    ],
)
def test_targets_that_cannot_be_served_are_explained(folder, source, text, message):
    write_module(folder, source)
    if message is None:
        assert load(text).name == "app:application"
        return
    with pytest.raises(ProgramError, match=message) as caught:
        load(text)
    assert caught.value.report() == f"{caught.value}\n"


@pytest.mark.parametrize(
    ("source", "last"),
    [
        ("import nowhere", "ModuleNotFoundError: No module named 'nowhere'"),
        ("def f():\n  1 / 0\nf()", "ZeroDivisionError: division by zero"),
        ("x = (", "SyntaxError: '(' was never closed"),
    ],
)
def test_errors_of_an_import_show_the_frames_of_the_program(folder, source, last):
    write_module(folder, source)
    with pytest.raises(ProgramError, match="cannot load 'app': its import has failed") as caught:
        load("app")
    lines = caught.value.report().splitlines()
    assert last in lines
    assert f'  File "{folder}/app.py", line' in caught.value.report()
    assert not any("tornado" in line or "importlib" in line for line in lines)


def test_module_that_exits_is_explained(folder):
    write_module(folder, "import sys\nsys.exit(3)")
    with pytest.raises(ProgramError, match=r"exits when it is imported \(status 3\); put the code"):
        load("app")


def test_attribute_that_raises_is_explained(folder):
    write_module(folder, "def __getattr__(name):\n  raise OSError('no')")
    with pytest.raises(ProgramError, match="reading the attribute 'x' has failed") as caught:
        load("app:x")
    assert "OSError: no" in caught.value.report()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def make_app(): return 1", r"cannot serve app:make_app\(\): expected an Application, .* got 1"),
        ("def make_app(): return lambda: None", "which is another function without arguments"),
        (
            "async def make_app(): raise OSError('no database')",
            "cannot serve app:make_app: the function has failed",
        ),
    ],
)
async def test_factories_that_fail_are_explained(folder, source, message):
    write_module(folder, source)
    with pytest.raises(ProgramError, match=message):
        await load("app").resolve()


async def test_error_of_a_factory_shows_the_frames_of_the_program(folder):
    write_module(folder, "async def make_app():\n  raise OSError('no database')")
    with pytest.raises(ProgramError) as caught:
        await load("app").resolve()
    lines = caught.value.report().splitlines()
    assert lines[1].startswith(f'  File "{folder}/app.py", line 2')
    assert lines[-2] == "OSError: no database"


def test_current_directory_is_searched(folder, monkeypatch):
    write_module(folder, APPLICATION)
    monkeypatch.setattr(sys, "path", [each for each in sys.path if each not in ("", str(folder))])
    assert load("app").kind is TargetKind.APPLICATION


def test_objects_of_a_program():
    assert adopt(RuleRouter(), "run()").kind is TargetKind.APPLICATION
    assert adopt(functools.partial(Application, []), "run()").kind is TargetKind.FACTORY
    with pytest.raises(TypeError, match=r"cannot serve run\(\): RequestHandler is a handler class"):
        adopt(RequestHandler, "run()")
