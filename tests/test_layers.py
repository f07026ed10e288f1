"""The layers of the package as data, and the rule that every import follows them."""

from __future__ import annotations

import sys

import pytest

from tests.support.modules import Import, cycles, imports, sources
from tornado._implicit_reexports import _IMPORTS

#: From left to right: a module imports from its own layer or from a layer to its left. A package represents
#: all of its files. Late imports and imports by dotted name are included.
LAYERS = {
    "words": [
        "tornado",
        "_accel",
        "_public_module_names",
        "_original_methods",
        "_percent_decoding",
        "_implicit_reexports",
        "_setting_names",
        "_signature_checks",
        "_log_rate_limit",
        "_thread_safety",
        "_version",
        "escape",
        "log",
        "options",
        "speedups",
        "util",
    ],
    "wire": ["_wire"],
    "loop": [
        "_tornado4",
        "_loop",
        "_yielded_values",
        "concurrent",
        "gen",
        "ioloop",
        "locks",
        "platform",
        "queues",
        "stack_context",
    ],
    "net": [
        "_connection_limits",
        "_forked_children",
        "_trusted_proxies",
        "_process_replacement",
        "_forked_restart",
        "_subprocess_options",
        "iostream",
        "netutil",
        "process",
        "tcpclient",
        "tcpserver",
    ],
    "http": [
        "_http_server_drain",
        "_http_server_options",
        "curl_httpclient",
        "http1connection",
        "httpclient",
        "httpserver",
        "_forwarded_fields",
        "httputil",
        "simple_httpclient",
    ],
    "web": [
        "_language_matching",
        "_language_names",
        "auth",
        "channels",
        "locale",
        "routing",
        "template",
        "web",
        "websocket",
    ],
    "edge": [
        "__main__",
        "_gateway_access_log",
        "_gateway_observation",
        "_mount_path",
        "_serve",
        "asgi",
        "autoreload",
        "testing",
        "wsgi",
    ],
}

#: Imports that break a rule, by importer and imported module (each with all its files), and the reason.
EXCEPTIONS = {
    "tornado.concurrent -> tornado._tornado4": "return_future and callback= are bound on first use",
    "tornado.gen -> tornado._tornado4": "the names of Tornado 4 are bound on first use",
    "tornado.ioloop -> tornado._tornado4.poll_ioloop": "PollIOLoop is bound on first use",
    "tornado.util -> tornado._tornado4.is_finalizing": "is_finalizing is bound on first use",
    "tornado._tornado4.twisted_resolver -> tornado.netutil": "a Resolver, as in platform.caresresolver",
    "tornado.log -> tornado.options": "enable_pretty_logging() without arguments uses the global options",
    "tornado.ioloop -> tornado.platform.asyncio": "IOLoop() is configurable; its default is a dotted name",
    "tornado.httpclient -> tornado.simple_httpclient": "likewise for AsyncHTTPClient()",
    "tornado.httputil._field_values -> tornado.httputil": "doctests() runs the examples with public names",
    "tornado._process_replacement -> tornado.autoreload": "after a failed start, it waits for a change",
    "tornado.platform.caresresolver -> tornado.netutil": "a Resolver, which the API places in platform",
    "tornado.web -> tornado._serve": "run() starts a whole program, which belongs to the edge layer",
    "tornado.web -> tornado.autoreload": "debug=True starts the reloader, which belongs to the edge layer",
}

#: Modules that the wire layer must not import: it maps bytes to values; time and randomness are arguments.
WIRE_FORBIDS = set(
    """
    _socket asyncio concurrent random secrets select selectors signal socket ssl subprocess threading time
    """.split()
)

#: Packages outside the standard library, each used only if it is installed.
EXTRAS = {
    "Cython": "compiled versions of modules",
    "brotli": "content coding br",
    "compression": "content coding zstd, in the standard library of Python 3.14",
    "colorama": "coloured logs on old Windows consoles",
    "jwt": "ID tokens of tornado.auth",
    "nats": "channels over NATS",
    "opentelemetry": "traces and metrics of applications",
    "prometheus_client": "web.MetricsHandler",
    "pycares": "platform.caresresolver",
    "pycurl": "curl_httpclient",
    "pytest": "testing.pytest, a pytest plugin",
    "python_socks": "SOCKS5 proxies of the HTTP client",
    "redis": "sessions and channels in Redis",
    "twisted": "platform.twisted",
    "uvloop": "a faster event loop",
    "zope": "interfaces in Twisted, which depends on it",
    "watchfiles": "file system notifications for autoreload",
    "zstandard": "content coding zstd",
}

SOURCES = sources()
NAMES = set(SOURCES)
IMPORTS = [each for name, path in SOURCES.items() for each in imports(name, path, NAMES)]
RANK = {module: rank for rank, modules in enumerate(LAYERS.values()) for module in modules}


def top_level_module(name: str) -> str:
    """Return the module or package directly under ``tornado`` to which a dotted name belongs."""
    return "tornado" if name == "tornado" else name.split(".")[1]


def inside(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def exception(found: Import) -> str | None:
    for pair in EXCEPTIONS:
        importer, imported = pair.split(" -> ")
        if inside(found.importer, importer) and inside(found.imported, imported):
            return pair
    return None


def describe(found: Import) -> str:
    return f"{SOURCES[found.importer]}:{found.line}: {found.importer} imports {found.imported}"


#: All imports within the package, except those that tell type checkers what ``__getattr__`` of the root
#: imports.
PACKAGE_IMPORTS = [
    each
    for each in IMPORTS
    if inside(each.imported, "tornado") and not (each.importer == "tornado" and each.typing_only)
]


def import_graph() -> dict[str, set[str]]:
    """Return the modules that each module imports, also under ``if TYPE_CHECKING``, without `EXCEPTIONS`."""
    graph: dict[str, set[str]] = {name: set() for name in NAMES}
    for each in PACKAGE_IMPORTS:
        if exception(each) or each.imported == each.importer:
            continue  # a program that also runs as __main__ imports itself by name
        if each.imported in NAMES:
            graph[each.importer].add(each.imported)
    del graph["tornado"]  # its __getattr__ imports modules on request; it has no other imports
    return graph


def test_every_module_has_a_layer():
    assert sorted({top_level_module(name) for name in NAMES} - set(RANK)) == []


def test_imports_follow_the_layers():
    wrong = [
        describe(each)
        for each in PACKAGE_IMPORTS
        if RANK[top_level_module(each.imported)] > RANK[top_level_module(each.importer)]
        and not exception(each)
    ]
    assert wrong == []


def test_imports_have_no_cycles():
    """Cycles within a layer or package are wrong as well, and so are those of imports for annotations.

    If an import is needed for annotations only, the lower module should declare a Protocol instead.
    """
    assert cycles(import_graph()) == []


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        ({"a": {"b"}, "b": {"c"}, "c": set()}, []),
        ({"a": {"a"}}, []),
        ({"a": {"b"}, "b": {"a"}}, [{"a", "b"}]),
        ({"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": {"e"}}, [{"b", "c"}]),
        ({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a", "e"}, "e": {"d"}}, [{"a", "b", "c"}, {"d", "e"}]),
    ],
)
def test_cycles_are_found(graph, expected):
    assert cycles(graph) == expected


def test_late_bound_names_follow_the_layers():
    """These names are bound late, from dotted names in a table. The source ``tornado`` means submodules."""
    wrong = []
    for module, sources_ in _IMPORTS.items():
        for source, names in sources_.items():
            for imported in (
                [f"tornado.{name}" for name in names.split()] if source == "tornado" else [source]
            ):
                found = Import(module, imported, 0)
                if not inside(imported, "tornado") or top_level_module(imported) not in RANK:
                    continue
                if RANK[top_level_module(imported)] > RANK[top_level_module(module)] and not exception(found):
                    wrong.append(f"{module} imports {imported}")
    assert wrong == []


def test_every_exception_is_needed():
    used = {exception(each) for each in PACKAGE_IMPORTS}
    present = {pair for pair in EXCEPTIONS if set(pair.split(" -> ")) <= NAMES}
    assert sorted(present - used) == []


def test_root_imports_only_the_version():
    imported = {each.imported for each in PACKAGE_IMPORTS if each.importer == "tornado"}
    assert imported == {"tornado._version"}


def test_wire_imports_no_forbidden_modules():
    wrong = [
        describe(each)
        for each in IMPORTS
        if top_level_module(each.importer) == "_wire" and each.imported.partition(".")[0] in WIRE_FORBIDS
    ]
    assert wrong == []


def test_core_imports_only_the_standard_library():
    wrong = [
        describe(each)
        for each in IMPORTS
        if (top := each.imported.partition(".")[0]) not in sys.stdlib_module_names
        and top != "tornado"
        and top not in EXTRAS
    ]
    assert wrong == []


def test_only_one_module_imports_the_extension():
    wrong = [
        describe(each)
        for each in PACKAGE_IMPORTS
        if each.imported in ("tornado._speedups", "tornado.speedups") and each.importer != "tornado._accel"
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import tornado.gen", ["tornado.gen"]),
        ("from tornado import gen, version", ["tornado.gen", "tornado"]),
        ("from tornado.web import Application", ["tornado.web"]),
        ("def late():\n    from tornado.web._handler import RequestHandler", ["tornado.web._handler"]),
        ("from . import gen", ["tornado.gen"]),
        ("from .web import _handler", ["tornado.web._handler"]),
        ("x = import_object('tornado.gen.coroutine')", ["tornado.gen"]),
        ("x = importlib.import_module('tornado.web')", ["tornado.web"]),
    ],
)
def test_imports_are_found(tmp_path, source, expected):
    path = tmp_path / "log.py"
    path.write_text(source)
    known = {"tornado", "tornado.gen", "tornado.web", "tornado.web._handler"}
    assert [each.imported for each in imports("tornado.log", path, known)] == expected


def test_imports_for_annotations_are_marked(tmp_path):
    path = tmp_path / "log.py"
    path.write_text("if TYPE_CHECKING:\n    import tornado.gen\nelse:\n    import tornado.web\n")
    found = imports("tornado.log", path, set())
    assert [(each.imported, each.typing_only) for each in found] == [
        ("tornado.gen", True),
        ("tornado.web", False),
    ]
