"""Templates that are compiled to Python.

A template is text with embedded Python code. It is compiled once, to a Python function, and can then be
rendered any number of times with different values::

    page = Template("<h1>{{ title }}</h1>")
    page.generate(title="R & D")            # b'<h1>R &amp; D</h1>'

    loader = Loader("/srv/app/templates")
    loader.load("home.html").generate(title="Home")

In a request handler, `RequestHandler.render` renders templates from the setting ``template_path``.

Expressions
    ``{{ expression }}`` writes the value of a Python expression, escaped for HTML unless autoescaping is
    disabled.

Statements
    ``{% if condition %} … {% elif condition %} … {% else %} … {% end %}``
        Branches. ``if``, ``for``, ``while`` and ``try`` have the same meaning as in Python.
    ``{% for item in items %} … {% end %}``, ``{% while condition %} … {% end %}``
        Loops. They may contain ``{% break %}``, ``{% continue %}`` and ``{% else %}``.
    ``{% try %} … {% except Error %} … {% else %} … {% finally %} … {% end %}``
        Error handling. Output written before the error is kept.
    ``{% set name = value %}``, ``{% import module %}``, ``{% from module import name %}``
        Define names for the rest of the template.

Files
    ``{% extends "name" %}``
        Renders another template, in which the blocks of this template replace the blocks of the same name.
        Text outside of this template's blocks is ignored.
    ``{% block name %} … {% end %}``
        A part that other templates can replace. A template may use each name once.
    ``{% include "name" %}``
        Inserts the content of another file. The file can use the local names of this template.
    ``{% module Name(arguments) %}``
        Inserts the output of a `.UIModule`.

Escaping
    ``{% raw expression %}``
        Writes a value without escaping.
    ``{% autoescape function %}``
        Sets the function that escapes the expressions of this file; ``None`` disables escaping. The default
        is ``xhtml_escape``.
    ``{% apply function %} … {% end %}``
        Passes the output of the block, as bytes, to a function, and writes the result.
    ``{{!``, ``{%!``, ``{#!``
        Write ``{{``, ``{%`` and ``{#``.

Other
    ``{# … #}``, ``{% comment … %}``
        Comments, which write no output.
    ``{% whitespace mode %}``
        Sets the whitespace mode for the rest of the file; see `filter_whitespace`.

A template can use ``escape`` and ``xhtml_escape``, ``url_escape``, ``json_encode``, ``squeeze``, ``linkify``
(see `tornado.escape`), the module ``datetime``, the names passed to `Template.generate`, the namespace of its
loader, and Python's builtins. **A template is a program**: use only templates that you trust.

A template that is not well-formed raises `ParseError`, and an error in its Python code raises `SyntaxError`,
both with the line in the template. If rendering raises an exception, the traceback shows the generated code,
in which each line ends with the name and line of the template; a note on the exception contains them too.
"""

from __future__ import annotations

from tornado._implicit_reexports import reexport
from tornado._public_module_names import export
from tornado.template._errors import ParseError, TemplateNotFoundError
from tornado.template._loader import BaseLoader, DictLoader, Loader
from tornado.template._template import Template
from tornado.template._whitespace import filter_whitespace
from tornado.util import ObjectDict

__all__ = [
    "BaseLoader",
    "DictLoader",
    "Loader",
    "ParseError",
    "Template",
    "TemplateNotFoundError",
    "filter_whitespace",
]

export(globals())
reexport(globals())
