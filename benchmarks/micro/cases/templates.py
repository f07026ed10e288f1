"""Render a table of 1,000 rows and 10 columns of escaped cells; print CPU microseconds per rendering.

The engine is the argument: ``tornado`` (the package installed under that name) or ``jinja2``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from measure import fastest

ROWS = [{f"column{column}": f"<{row}.{column}>" for column in range(10)} for row in range(1000)]

TORNADO = """<table>
{% for row in rows %}<tr>{% for value in row.values() %}<td>{{ value }}</td>{% end %}</tr>
{% end %}</table>
"""
JINJA2 = """<table>
{% for row in rows %}<tr>{% for value in row.values() %}<td>{{ value }}</td>{% endfor %}</tr>
{% endfor %}</table>
"""


def tornado() -> Callable[[], object]:
    """Return a function that renders the table with the package `tornado`."""
    from tornado.template import Template

    template = Template(TORNADO)
    return lambda: template.generate(rows=ROWS)


def jinja2() -> Callable[[], object]:
    """Return a function that renders the table with Jinja2, and encodes the text as for a response."""
    import jinja2 as engine

    template = engine.Environment(autoescape=True).from_string(JINJA2)
    return lambda: template.render(rows=ROWS).encode()


if __name__ == "__main__":
    render = {"tornado": tornado, "jinja2": jinja2}[sys.argv[1]]()
    assert b"&lt;999.9&gt;" in render()  # type: ignore[operator]
    fastest(render, 20)
