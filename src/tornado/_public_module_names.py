"""Set the public module name of objects that are implemented in private modules.

A class implemented in ``tornado/template/_loader.py`` has the ``__module__`` ``tornado.template``, which is
what tracebacks, pickles and the documentation show.
"""

from __future__ import annotations

from collections.abc import Collection, MutableMapping
from typing import Any

_PACKAGE = __name__.partition(".")[0]


def export(
    namespace: MutableMapping[str, Any], module: str | None = None, late: Collection[str] = ()
) -> None:
    """Set ``__module__`` of the classes and functions in a package's ``__all__`` to the name of the package.

    Call it as the last statement of the package's ``__init__``. It changes only objects that are defined in a
    private module of ``tornado``; an alias of a builtin, a logger, a constant or an object of another public
    module stays as it is. ``dir()`` of the package then lists only the names in ``__all__``; see
    `list_public`.

    :param namespace: the package's ``globals()``, which must contain ``__all__``.
    :param module: the dotted public name to set, by default the name of the package.
    :param late: names in ``__all__`` to skip because the package's ``__getattr__`` imports them on first use.
    :raises AttributeError: if ``__all__`` lists a name that is not defined.
    """
    public = module or namespace["__name__"]
    if public == namespace["__name__"]:
        list_public(namespace)
    for name in namespace["__all__"]:
        if name in late:
            continue
        if name not in namespace:
            raise AttributeError(f"{public}.__all__ lists {name!r}, which {public} does not define")
        obj = namespace[name]
        module_name = getattr(obj, "__module__", None)
        if isinstance(module_name, str) and _is_private(module_name) and callable(obj):
            obj.__module__ = public


def list_public(namespace: MutableMapping[str, Any], late: Collection[str] = ()) -> None:
    """Define a module's ``__dir__``: the names in ``__all__`` and the attributes that every module has.

    Imported names, private names and names that ``__getattr__`` finds remain accessible but are not listed.

    :param namespace: the module's ``globals()``, which must contain ``__all__``.
    :param late: public names to list although they are not in ``__all__``, because importing them has side
        effects.
    """

    def names() -> list[str]:
        special = [name for name in namespace if name.startswith("__") and name.endswith("__")]
        return sorted({*namespace["__all__"], *late, *special})

    namespace["__dir__"] = names


def _is_private(module_name: str) -> bool:
    """Whether a dotted name is the name of a private module of this package."""
    parts = module_name.split(".")
    return parts[0] == _PACKAGE and any(part.startswith("_") for part in parts[1:])
