"""The undocumented names that programs rely on exist; they are listed in ``names.py``."""

from __future__ import annotations

import importlib
import importlib.util
from contextlib import ExitStack
from typing import Any

import pytest

from tests.compat.names import MODULES, NAMES, PENDING
from tests.compat.objects import FACTORIES
from tests.support.modules import NEEDS


def find(path: str, stack: ExitStack) -> Any:
    """Return the object at a path; raise ImportError or AttributeError if it does not exist."""
    if path.startswith("<"):
        key, _, rest = path[1:].partition(">.")
        found = FACTORIES[key](stack)
        attributes = rest.split(".")
    else:
        # The longest prefix that is a module, as the import statement would find it.
        parts = path.split(".")
        found, used = importlib.import_module(parts[0]), 1
        while used < len(parts) and importlib.util.find_spec(".".join(parts[: used + 1])):
            used += 1
            found = importlib.import_module(".".join(parts[:used]))
            if not hasattr(found, "__path__"):
                break
        attributes = parts[used:]
    for name in attributes:
        found = getattr(found, name)
    return found


def pending(path: str) -> str | None:
    return next(
        (why for prefix, why in PENDING.items() if path == prefix or path.startswith(prefix + ".")), None
    )


@pytest.mark.parametrize(("group", "path"), [(group, path) for group in NAMES for path in NAMES[group]])
async def test_listed_name_exists_or_is_pending(group, path):
    with ExitStack() as stack:
        if why := pending(path):
            with pytest.raises((AttributeError, ImportError)):
                find(path, stack)
                pytest.fail(f"{path} exists: remove it from PENDING ({why})")
        else:
            find(path, stack)


@pytest.mark.parametrize("name", MODULES)
def test_public_module_can_be_imported(name):
    name = f"tornado.{name}"
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    importlib.import_module(name)
