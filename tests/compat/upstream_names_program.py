"""Print the public names of Tornado's modules, the data of ``upstream_names.py``.

Run it in an environment with ``tornado==6.6.1``, ``pycares`` and ``twisted``. It imports the modules and
lists their names, except those from `typing` and those of upstream's test suite.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
import textwrap
import typing

import tornado


def is_of_typing(name: str, value: object) -> bool:
    return getattr(typing, name, None) is value or type(value).__module__ == "typing"


for module in ["tornado", *(each.name for each in pkgutil.walk_packages(tornado.__path__, "tornado."))]:
    if f"{module}.".startswith("tornado.test."):
        continue
    try:
        namespace = vars(importlib.import_module(module))
    except ImportError:  # curl_httpclient without pycurl
        continue
    names = [
        name
        for name, value in sorted(namespace.items())
        if not name.startswith("_") and not is_of_typing(name, value)
    ]
    if names:
        lines = textwrap.wrap(" ".join(names), 100)
        sys.stdout.write(f'    "{module}": """\n        ' + "\n        ".join(lines) + '\n    """,\n')
