"""Loading templates from directories and dictionaries."""

from __future__ import annotations

import os

import pytest

from tornado.template import BaseLoader, DictLoader, Loader, ParseError, Template, TemplateNotFoundError


@pytest.fixture
def root(tmp_path):
    for name, text in {
        "root/a.html": "a:{% include 'dir/b.html' %}",
        "root/dir/b.html": "b:{% include 'c.html' %}{% include '../d.html' %}{% include '/d.html' %}",
        "root/dir/c.html": "c",
        "root/d.html": "d",
        "root/up.html": "{% include '../secret.html' %}",
        "secret.html": "secret",
        "root-2/secret.html": "secret",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return tmp_path / "root"


def test_names_are_relative_to_the_including_template(root):
    loader = Loader(str(root))
    assert loader.root == str(root)
    # A name that begins with a slash is a path, which is rejected if it is outside of the root.
    with pytest.raises(TemplateNotFoundError):
        loader.load("dir/b.html")
    (root / "dir/b.html").write_text("b:{% include 'c.html' %}{% include '../d.html' %}")
    assert loader.load("a.html").generate() == b"a:b:cd"
    assert set(loader.templates) == {"a.html", "dir/b.html", "dir/c.html", "d.html"}
    assert loader.load("dir/../d.html").generate() == b"d"
    assert loader.load(str(root / "d.html")).generate() == b"d"


@pytest.mark.parametrize(
    "name", ["../secret.html", "dir/../../secret.html", "../root-2/secret.html", "up.html", ".."]
)
def test_names_cannot_leave_the_root(root, name):
    with pytest.raises(TemplateNotFoundError, match=f"is outside of the template directory {root}"):
        Loader(str(root)).load(name)


def test_absolute_name_may_be_outside_of_root(root):
    (root / "base.html").write_text("base:{% block x %}{% end %}")
    (root.parent / "page.html").write_text("{% extends 'base.html' %}{% block x %}page{% end %}")
    roundabout = root / ".." / "page.html"
    for name in (root.parent / "page.html", roundabout):
        assert Loader(str(root)).load(str(name)).generate() == b"base:page"


def test_symbolic_link_may_point_outside_of_root(root):
    os.symlink(root.parent / "secret.html", root / "link.html")
    assert Loader(str(root)).load("link.html").generate() == b"secret"


@pytest.mark.parametrize("name", ["missing.html", "d.html/x"])
def test_missing_file_error_names_the_directory(root, name):
    with pytest.raises(TemplateNotFoundError) as caught:
        Loader(str(root)).load(name)
    assert str(caught.value) == f"template {name!r} not found in the template directory {root}"
    assert caught.value.filename == str(root / name)
    assert isinstance(caught.value, FileNotFoundError)


def test_missing_file_suggests_similar_name(root):
    with pytest.raises(TemplateNotFoundError) as caught:
        Loader(str(root)).load("dir/bb.html")
    assert caught.value.__notes__ == ["did you mean 'dir/b.html'?"]
    for name in ("nothing/b.html", "quite-different.txt"):
        with pytest.raises(TemplateNotFoundError) as caught:
            Loader(str(root)).load(name)
        assert not hasattr(caught.value, "__notes__")


def test_missing_name_in_dictionary():
    with pytest.raises(KeyError) as caught:
        DictLoader({"a": "{% extends 'x' %}"}).load("a")
    assert str(caught.value) == "template 'x' not found in the dictionary, which contains a"
    assert caught.value.__notes__ == ["'x' is extended or included by a:1"]


def test_templates_are_cached_until_reset(root):
    loader = Loader(str(root))
    first = loader.load("d.html")
    assert loader.load("d.html") is first
    (root / "d.html").write_text("new")
    assert loader.load("d.html").generate() == b"d"
    loader.reset()
    assert loader.load("d.html").generate() == b"new"


def test_namespace_of_the_loader_is_available():
    loader = DictLoader({"x": "{{ a }}{{ b }}"}, namespace={"a": 1, "b": 2})
    assert loader.load("x").generate(b=3) == b"13"


@pytest.mark.parametrize(
    ("files", "circle"),
    [
        ({"a": "{% include 'a' %}"}, "a -> a"),
        ({"a": "{% extends 'b' %}", "b": "{% include 'c' %}", "c": "{% extends 'b' %}"}, "b -> c -> b"),
    ],
)
def test_cyclic_extends_and_includes(files, circle):
    loader = DictLoader(files)
    with pytest.raises(ParseError, match=f"extends or includes itself: {circle} at"):
        loader.load("a")
    files["c" if "c" in files else "a"] = "fine"
    assert loader.load("a").generate() == (b"fine")


@pytest.mark.parametrize(
    ("name", "parent", "expected"),
    [
        ("a", None, "a"),
        ("a", "b", "a"),
        ("a", "dir/b", "dir/a"),
        ("../a", "dir/b", "a"),
        ("/a", "dir/b", "/a"),
        ("a", "/dir/b", "a"),
        ("a", "<string>", "a"),
    ],
)
def test_names_are_resolved_relative_to_the_parent(tmp_path, name, parent, expected):
    assert DictLoader({}).resolve_path(name, parent) == expected
    assert Loader(str(tmp_path)).resolve_path(name, parent) == expected


def test_methods_of_a_custom_loader_are_called():
    class CustomLoader(BaseLoader):
        def resolve_path(self, name, parent_path=None):
            return name.upper()

        def _create_template(self, name):
            return Template(f"{name}:{{{{ x }}}}", name, self)

    assert CustomLoader().load("a").generate(x=1) == b"A:1"
    with pytest.raises(NotImplementedError, match="resolve_path"):
        BaseLoader().load("a")

    class ResolvingLoader(BaseLoader):
        def resolve_path(self, name, parent_path=None):
            return name

    with pytest.raises(NotImplementedError, match="_create_template"):
        ResolvingLoader().load("a")
