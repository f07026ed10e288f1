"""Give public objects their public address.

A package whose work is done in underscore files shows one face to the world: a class that lives in
``tornado/template/_loader.py`` says it comes from ``tornado.template``, in tracebacks, pickles and
manuals alike.
"""

from __future__ import annotations

from collections.abc import Collection, MutableMapping
from typing import Any

_PACKAGE = __name__.partition(".")[0]


def export(
    namespace: MutableMapping[str, Any], module: str | None = None, late: Collection[str] = ()
) -> None:
    """Set ``__module__`` of everything in a facade's ``__all__`` that is a class or function of this package.

    :arg namespace: the facade's ``globals()``, with ``__all__`` in it.
    :arg module: the dotted public name to set; the facade's own name where it is left out.
    :arg late: names that the facade's ``__getattr__`` gives when they are asked for; left alone.

    ``dir()`` of the facade then lists its ``__all__`` only; see `list_public`.

    Call it as the last statement of a package's ``__init__``. Values from elsewhere (an alias of a builtin, a
    logger, a constant) keep what they have, and so does what already belongs to another public module.

    :raises AttributeError: if ``__all__`` lists a name that is not there.
    """
    public = module or namespace["__name__"]
    if public == namespace["__name__"]:
        list_public(namespace)
    for name in namespace["__all__"]:
        if name in late:
            continue
        if name not in namespace:
            raise AttributeError(f"{public}.__all__ lists {name!r}, which {public} does not define")
        thing = namespace[name]
        home = getattr(thing, "__module__", None)
        if isinstance(home, str) and _is_private(home) and callable(thing):
            thing.__module__ = public


def list_public(namespace: MutableMapping[str, Any], late: Collection[str] = ()) -> None:
    """Have ``dir()`` of a module list the names of its ``__all__`` and the attributes of every module.

    Other names, which programs reach all the same, are left out: those that the module imports or keeps for
    itself, and those that its ``__getattr__`` finds.

    :arg namespace: the module's ``globals()``, with ``__all__`` in it.
    :arg late: public names that ``__all__`` leaves out, because importing them has consequences.
    """

    def names() -> list[str]:
        special = [name for name in namespace if name.startswith("__") and name.endswith("__")]
        return sorted({*namespace["__all__"], *late, *special})

    namespace["__dir__"] = names


def _is_private(home: str) -> bool:
    """Whether a module's dotted name leads to an underscore file of this package."""
    parts = home.split(".")
    return parts[0] == _PACKAGE and any(part.startswith("_") for part in parts[1:])
