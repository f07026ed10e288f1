"""The public API of templates."""

from __future__ import annotations

import codecs
import traceback
from types import SimpleNamespace

import pytest

from tornado.template import DictLoader, ParseError, Template
from tornado.template._errors import places_of


def run(source, /, name="t.txt", loader=None, **names):
    return Template(source, name, loader).generate(**names).decode()


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("plain é {", "plain é {"),
        ("{{ x }}", "&lt;x&gt;"),
        ("{% raw x %}", "<x>"),
        ("{% autoescape None %}{{ x }}", "<x>"),
        ("{{ x }}{% autoescape upper %}", "<X>"),
        ("{{ 1, 2 }}", "(1, 2)"),
        ("{{ (1 +\n 2) # why }}", "3"),
        ("{% if n %}a{% elif x %}b{% else %}c{% end %}", "b"),
        ("{% if n %}{% end %}x", "x"),
        ("{% for i in items %}{% if i == 2 %}{% continue %}{% end %}{{ i }}{% else %}!{% end %}", "13!"),
        ("{% for i in items %}{{ i }}{% break %}{% end %}", "1"),
        ("{% set k = 0 %}{% while k < 3 %}{{ k }}{% set k += 1 %}{% end %}", "012"),
        ("{% try %}a{{ nothing }}b{% except NameError %}c{% else %}d{% finally %}e{% end %}", "ace"),
        ("{% import math %}{{ math.pi > 3 }}{% from math import e %}{{ e < 3 }}", "TrueTrue"),
        ("{% apply upper %}a{{ x }}{% apply upper %}b{% end %}{% end %}", "A&LT;X&GT;B"),
        ("{% apply upper %}{% for i in items %}{{ i }}{% end %}{% end %}", "123"),
        ("{% apply len %}é{% end %}", "2"),
        ("{{ escape('<') }}{% raw url_escape('/') %}{% raw json_encode('</') %}", '&amp;lt;%2F"<\\/"'),
        ("{{ squeeze(' a  b ') }}{% raw linkify('www.x.y') %}", 'a b<a href="http://www.x.y">www.x.y</a>'),
        ("{{ datetime.date(2025, 1, 31) }}", "2025-01-31"),
        ("{% comment x %}{# y #}{{! }}", "{{ }}"),
        ('{% block a %}{% set s = """b\nc""" %}{{ s }}{% end %}', "b\nc"),
        ("{% set upper = len %}{% apply upper %}abc{% end %}", "3"),
        ("{% set xhtml_escape = upper %}{{ x }}", "<X>"),
        ("{% apply str.strip %}{% end %}", None),
        ("{% module M(1, k='<') %}", "<1<>"),
        ("{% raw b'x' %}{{ b'<' }}", "x&lt;"),
    ],
)
def test_templates_are_rendered(source, expected):
    def upper(text):
        return text.decode().upper()

    names = {"x": "<x>", "n": None, "items": [1, 2, 3], "upper": upper}
    names["_tt_modules"] = SimpleNamespace(M=lambda a, k: f"<{a}{k}>")
    if expected is None:
        with pytest.raises(TypeError):
            run(source, **names)
    else:
        assert run(source, **names) == expected


def test_names_of_every_kind():
    assert run("{{ self }}{{ names }}", self=1, names=2) == "12"
    assert run("{{ range }}", range=3) == "3"


def test_raw_keeps_bytes_that_are_not_utf8():
    assert Template("é{% raw x %}").generate(x=b"\xe9") == b"\xc3\xa9\xe9"


def test_generate_calls_do_not_share_names():
    template = Template("{% if first %}{% set x = 1 %}{% end %}{{ x }}")
    assert template.generate(first=True) == b"1"
    with pytest.raises(UnboundLocalError):
        template.generate(first=False)


def test_custom_xhtml_escape():
    template = Template("{{ x }}")
    assert template.generate(x="<", xhtml_escape=lambda value: value + b"!") == b"<!"
    assert template.generate(x="<") == b"&lt;"
    loader = DictLoader({"a": "{{ x }}"}, namespace={"xhtml_escape": lambda value: "E"})
    assert loader.load("a").generate(x="<") == b"E"


def test_tt_append_is_accessible():
    assert run("a{% set _tt_append('b') %}c") == "abc"


# --- files ---

FILES = {
    "base.html": "<{% block head %}base {{ x }}{% end %}|{% block body %}{% include 'part.html' %}{% end %}>",
    "part.html": "part{% block inner %}-{% end %}",
    "page.html": "dropped {% extends 'base.html' %}{% block head %}page {{ x }}{% end %}",
    "sub.html": "{% extends page.html %}{% block inner %}sub{% end %}"
    "{% block head %}{% autoescape None %}{{ x }}{% end %}",
    "dir/a.html": "{% include 'b.html' %}{% include '../part.html' %}{% include '/part.html' %}",
    "dir/b.html": "b",
    "/part.html": "root",
    "loop.html": "{% for i in range(2) %}{% include 'item.html' %}{% end %}",
    "item.html": "{{ i }},",
    "escape.html": "{% autoescape None %}{% include 'shown.html' %}{{ x }}",
    "shown.html": "{{ x }}",
}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("base.html", "<base &amp;|part->"),
        ("page.html", "<page &amp;|part->"),
        ("sub.html", "<&|partsub>"),
        ("dir/a.html", "bpart-root"),
        ("loop.html", "0,1,"),
        ("escape.html", "&amp;&"),
    ],
)
def test_inheritance_and_includes_are_rendered(name, expected):
    assert DictLoader(FILES).load(name).generate(x="&").decode() == expected


@pytest.mark.parametrize("operator", ["extends", "include"])
def test_files_without_a_loader(operator):
    with pytest.raises(ParseError, match="a template without a loader cannot extend or include 'x'"):
        Template(f"{{% {operator} x %}}")


@pytest.mark.parametrize("source", ["{% block a %}{% extends 'b' %}{% end %}", "{% include 'c' %}"])
def test_extends_in_block_or_included_file_is_rejected(source):
    with pytest.raises(ParseError, match="not allowed in a block or in an included file"):
        DictLoader({"a": source, "b": "", "c": "{% extends 'b' %}"}).load("a")


def test_error_in_other_file_names_referring_templates():
    with pytest.raises(ParseError) as caught:
        DictLoader({"a": "\n{% include 'b' %}", "b": "{% extends 'c' %}", "c": "{{"}).load("a")
    assert caught.value.filename == "c"
    assert caught.value.__notes__ == [
        "'c' is extended or included by b:1",
        "'b' is extended or included by a:2",
    ]


# --- settings ---


def test_whitespace_mode_depends_on_name_and_arguments():
    source = "a  b\n\n c"
    assert Template(source, "x.html").generate() == b"a b\nc"
    assert Template(source, "x.txt").generate() == source.encode()
    assert Template(source, "x.html", whitespace="all").generate() == source.encode()
    assert Template(source, compress_whitespace=True).generate() == b"a b\nc"
    assert Template(source, "x.html", compress_whitespace=False).generate() == source.encode()
    assert DictLoader({"x": source}, whitespace="oneline").load("x").generate() == b"a b c"
    with pytest.raises(ValueError, match="mutually exclusive: pass whitespace"):
        Template(source, compress_whitespace=True, whitespace="all")
    with pytest.raises(ValueError, match="unknown whitespace mode"):
        Template(source, whitespace="some")


def test_autoescape_argument_selects_the_function():
    assert Template("{{ '<' }}", autoescape=None).generate() == b"<"
    assert Template("{{ '/' }}", autoescape="url_escape").generate() == b"%2F"
    template = DictLoader({"x": "{{ '<' }}"}, autoescape=None).load("x")
    assert template.generate() == b"<"
    assert template.autoescape is None
    assert (
        Template("{{ '<' }}", loader=DictLoader({}, autoescape=None), autoescape="escape").generate()
        == b"&lt;"
    )


def test_sources_are_utf8():
    assert Template("é".encode()).generate() == "é".encode()
    assert Template(codecs.BOM_UTF8 + b"x\xef\xbb\xbfy").generate() == b"x\xef\xbb\xbfy"
    with pytest.raises(UnicodeDecodeError) as caught:
        Template(b"\xe9", "x")
    assert caught.value.__notes__ == ["in template x: templates must be UTF-8"]


# --- errors ---


@pytest.mark.parametrize(
    "source",
    [
        "\n{{ a b }}",
        "\n{% if %}{% end %}",
        "\n{% for x %}{% end %}",
        "\n{{ a) + (b }}",
        "\n{% set a b %}",
        "\n{{ x = }}",
    ],
)
def test_syntax_error_names_template_line(source):
    with pytest.raises(SyntaxError) as caught:
        Template(source, "name")
    assert (caught.value.filename, caught.value.lineno) == ("name", 2)


def test_traceback_shows_generated_code_with_template_lines():
    loader = DictLoader({"a.html": "\n\n{% include 'b.html' %}", "b.html": "\n{{ 1 / 0 }}"})
    for _ in range(2):
        with pytest.raises(ZeroDivisionError) as caught:
            loader.load("a.html").generate()
    text = "".join(traceback.format_exception(caught.value))
    assert "_tt_tmp = 1 / 0  # b.html:2 (via a.html:3)" in text
    assert 'a_html.generated.py"' in text


def test_traceback_shows_code_of_the_right_template():
    # Both templates have the same name, and so do their generated files.
    first, second = Template("{{ 1 / 0 }}"), Template("\n{{ [][1] }}")
    for template, expected in ((first, "1 / 0"), (second, "[][1]"), (first, "1 / 0")):
        with pytest.raises((ZeroDivisionError, IndexError)) as caught:
            template.generate()
        assert f"_tt_tmp = {expected}  # <string>:" in "".join(traceback.format_exception(caught.value))


def test_generated_line_maps_to_template_line():
    source = '{% set a = """\n\n""" %}\n{{ f(\n a) }}'
    with pytest.raises(NameError) as caught:
        Template(source, "x").generate()
    frame = caught.traceback[-1].frame.raw
    loader = frame.f_globals["__loader__"]
    found = loader.locate(caught.traceback[-1].lineno + 1)
    assert found.template == "x"
    assert found.line in (4, 5)
    assert loader.get_source() == Template(source, "x").code
    assert loader.locate(0) is None
    assert loader.locate(10**6) is None
    assert loader.includers(0) == ()
    assert loader.template_source("x") == source
    assert loader.template_source("y") == ""


@pytest.mark.parametrize(
    ("source", "text", "columns"),
    [
        ("\n<p>{{ a b }}", "<p>{{ a b }}", (9, 10)),
        ("\n{% set x = %}", "{% set x = %}", (None, None)),
        ("\n{{ a b }}{{ a b }}", "{{ a b }}{{ a b }}", (None, None)),
        ("\n{% if %}{% end %}", "{% if %}{% end %}", (None, None)),
    ],
)
def test_syntax_error_shows_template_source(source, text, columns):
    with pytest.raises(SyntaxError) as caught:
        Template(source, "name")
    error = caught.value
    assert error.text == text
    if columns[0] is None:
        assert error.offset is None or error.offset <= len(text)
    else:
        assert (error.offset, error.end_offset) == columns
    # The error that refers to the generated code is not its context.
    assert error.__cause__ is None
    assert error.__suppress_context__ or error.__context__ is None
    assert [(place.template, place.line, place.source) for place in places_of(error)] == [("name", 2, source)]


def test_error_note_names_template_line():
    loader = DictLoader({"a.html": "\n\n{% include 'b.html' %}", "b.html": "\n{{ x.y }}", "c": "{{ x.y }}"})
    with pytest.raises(AttributeError) as caught:
        loader.load("a.html").generate(x=1)
    assert caught.value.__notes__ == ["in template b.html, line 2 (from a.html, line 3)"]
    with pytest.raises(AttributeError) as caught:
        loader.load("c").generate(x=1)
    assert caught.value.__notes__ == ["in template c, line 1"]


def test_error_raised_repeatedly_has_one_note():
    error = ValueError("one for all")

    def fail():
        raise error

    template = Template("{{ fail() }}", "t")
    for _ in range(3):
        with pytest.raises(ValueError):
            template.generate(fail=fail)
    assert error.__notes__ == ["in template t, line 1"]


def test_places_of_parse_error():
    with pytest.raises(ParseError) as caught:
        DictLoader({"a": "\n{% include 'b' %}", "b": "x\n{{"}).load("a")
    assert [(place.template, place.line) for place in places_of(caught.value)] == [("b", 2), ("a", 2)]
    assert places_of(caught.value)[0].source == "x\n{{"
    assert places_of(ValueError()) == []


def test_unprintable_template_name_is_escaped_in_comment():
    template = Template("{{ 5 }}", "a\nimport os")
    assert template.generate() == b"5"
    assert "\nimport os" not in template.code


def test_adjacent_texts_become_one_constant():
    assert Template("a{# x #}b{% comment y %}{{!c{% block d %}e{% end %}").code.count("_tt_append(") == 1
