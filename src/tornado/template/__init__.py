"""Templates that are compiled to Python.

A template is text with Python in it. It is compiled once, to a function that puts its output together,
and run with names of your choice::

    page = Template("<h1>{{ title }}</h1>")
    page.generate(title="R & D")            # b'<h1>R &amp; D</h1>'

    loader = Loader("/srv/app/templates")
    loader.load("home.html").generate(title="Home")

`RequestHandler.render` does that for a handler, from the setting ``template_path``.

Expressions
    ``{{ expression }}`` puts out the value of any Python expression, escaped for HTML unless autoescape
    is off.

Statements
    ``{% if condition %} … {% elif condition %} … {% else %} … {% end %}``
        As in Python; so are the next three.
    ``{% for item in items %} … {% end %}``, ``{% while condition %} … {% end %}``
        With ``{% break %}`` and ``{% continue %}`` in them, and ``{% else %}``.
    ``{% try %} … {% except Error %} … {% else %} … {% finally %} … {% end %}``
        Output from before an error stays.
    ``{% set name = value %}``, ``{% import module %}``, ``{% from module import name %}``
        Names for the rest of the template.

Files
    ``{% extends "name" %}``
        Takes another template and puts this one's blocks in place of its own of the same names. What is
        not in a block here is not used.
    ``{% block name %} … {% end %}``
        A part that may be replaced. A name may be used once.
    ``{% include "name" %}``
        The other file's parts, as if written here: it sees the same local names.
    ``{% module Name(arguments) %}``
        The output of a `.UIModule`.

Escaping
    ``{% raw expression %}``
        Puts out a value as it is.
    ``{% autoescape function %}``
        What the expressions of this file go through; ``None`` for nothing. The default is ``xhtml_escape``.
    ``{% apply function %} … {% end %}``
        Puts the output of a part, as bytes, through a function.
    ``{{!``, ``{%!``, ``{#!``
        The braces themselves.

Other
    ``{# … #}``, ``{% comment … %}``
        Nothing.
    ``{% whitespace mode %}``
        What becomes of white space from here on; see `filter_whitespace`.

Every template knows ``escape`` and ``xhtml_escape``, ``url_escape``, ``json_encode``, ``squeeze``,
``linkify`` (see `tornado.escape`) and the module ``datetime``, besides the names it is run with, those of
its loader, and Python's own. **A template is a program**: only templates you trust may be run.

Errors in a template's form raise `ParseError`, and errors in its Python `SyntaxError`, with the line in the
template. A traceback from running one shows the generated code, each line with its template and line, and a
note on the error tells the same.
"""

from __future__ import annotations

from tornado._export import export
from tornado._reexports import reexport
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
