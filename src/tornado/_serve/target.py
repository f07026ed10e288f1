"""Loads the application that the command line names: ``module:name``.

The kinds of targets are told apart by the object itself: an `.Application` or another connection delegate, a
function without arguments that returns one (a factory, which may be a coroutine function), a WSGI
application, or an ASGI application.
"""

from __future__ import annotations

import difflib
import enum
import importlib
import inspect
import os
import sys
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Unpack

from tornado import _signature_checks
from tornado._http_server_options import HTTPServerOptions
from tornado._serve.program_error import ProgramError, only_frames_of_ours
from tornado.asgi import ASGIContainer
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPServerConnectionDelegate
from tornado.web import Application, RequestHandler
from tornado.wsgi import WSGIContainer

#: The names that a target without a name may have, in this order.
DEFAULT_NAMES = ("application", "app", "make_app", "create_app")
#: How many requests of a WSGI application run at the same time.
WSGI_THREADS = 20


class TargetKind(enum.Enum):
    """The kinds of targets that can be served."""

    #: An `.Application`, another router or connection delegate, or a function that takes a request.
    APPLICATION = "application"
    #: A function without arguments that returns a target of another kind, or a coroutine function.
    FACTORY = "factory"
    WSGI = "WSGI application"
    ASGI = "ASGI application"


#: The kinds of callables by the number of arguments that they require.
_KINDS = {0: TargetKind.FACTORY, 1: TargetKind.APPLICATION, 2: TargetKind.WSGI, 3: TargetKind.ASGI}


@dataclass(frozen=True, slots=True)
class LoadedTarget:
    """A target that has been imported.

    :ivar kind: its kind.
    :ivar application: the object itself.
    :ivar name: ``module:name``, for messages.
    """

    kind: TargetKind
    application: Any
    name: str

    async def resolve(self) -> LoadedTarget:
        """Return the target to serve: the result of a factory, otherwise this target.

        Call it in the event loop of the server, because a coroutine function may open connections.

        :raises ProgramError: if the factory fails, or returns something that cannot be served.
        """
        if self.kind is not TargetKind.FACTORY:
            return self._contained()
        try:
            made = self.application()
            if inspect.isawaitable(made):
                made = await made
        except Exception as error:
            raise ProgramError(f"cannot serve {self.name}: the function has failed", error) from error
        name = f"{self.name}()"
        loaded = LoadedTarget(_kind_of(made, name), made, name)
        if loaded.kind is TargetKind.FACTORY:
            raise ProgramError(
                f"cannot serve {name}: expected an application, got {_shown(made)}, which is another "
                f"function without arguments"
            )
        return loaded._contained()

    def _contained(self) -> LoadedTarget:
        """Return an ASGI application in its container, which has a lifespan; other targets as they are."""
        if self.kind is not TargetKind.ASGI:
            return self
        return LoadedTarget(TargetKind.APPLICATION, ASGIContainer(self.application), self.name)

    def make_server(self, **options: Unpack[HTTPServerOptions]) -> HTTPServer:
        """Return a server for the application, which does not listen yet.

        :param options: the arguments of `.HTTPServer`.
        :raises RuntimeError: for a factory or an ASGI application; serve the result of `resolve`.
        """
        if self.kind in (TargetKind.FACTORY, TargetKind.ASGI):
            kind = f"a {self.kind.value}" if self.kind is TargetKind.FACTORY else f"an {self.kind.value}"
            raise RuntimeError(f"{self.name} is {kind}: call make_server() of the result of resolve()")
        if self.kind is TargetKind.WSGI:
            return HTTPServer(WSGIContainer(self.application, threads=WSGI_THREADS), **options)
        if isinstance(self.application, Application):
            self.application.server_listens(runs_lifespan=True)
        return HTTPServer(self.application, **options)


def load(text: str) -> LoadedTarget:
    """Import a target. Modules are also found in the current directory.

    :param text: ``module:name``, where the name may be a dotted path; or a module that has one of
        `DEFAULT_NAMES`.
    :raises ProgramError: if it does not exist, cannot be imported, or cannot be served.
    """
    module_name, _, path = text.partition(":")
    _check_form(text, module_name, path)
    _add_current_directory()
    module = _import(text, module_name)
    if not path:
        path = _default_name(module)
    name = f"{module_name}:{path}"
    found: Any = module
    for part in path.split("."):
        found = _attribute(found, part, name)
    return LoadedTarget(_kind_of(found, name), found, name)


def adopt(application: object, name: str) -> LoadedTarget:
    """Return an object that the program has passed to `tornado.web.run` as a target.

    :raises TypeError: if it cannot be served.
    """
    try:
        return LoadedTarget(_kind_of(application, name), application, name)
    except ProgramError as error:
        raise TypeError(str(error)) from None


def _check_form(text: str, module_name: str, path: str) -> None:
    if module_name.endswith(".py") or "/" in module_name:
        dotted = module_name.removesuffix(".py").strip("./").replace("/", ".")
        raise ProgramError(
            f"cannot load {text!r}: expected the name of a module, got the name of a file; "
            f"write {dotted}{':' + path if path else ''}"
        )
    parts = module_name.split(".") + (path.split(".") if path else [])
    if not all(part.isidentifier() for part in parts):
        raise ProgramError(f"cannot load {text!r}: expected module:name, such as app:application")


def _add_current_directory() -> None:
    """Let modules in the current directory be imported, also by the console script.

    ``python -m`` does this by itself.
    """
    here = os.getcwd()
    if here not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)


def _import(text: str, module_name: str) -> ModuleType:
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if only_frames_of_ours(error.__traceback__):
            raise ProgramError(
                f"cannot load {text!r}: there is no module {error.name!r} in {os.getcwd()} or in sys.path"
            ) from None
        raise ProgramError(f"cannot load {text!r}: its import has failed", error) from error
    except SystemExit as error:
        raise ProgramError(
            f"cannot load {text!r}: the module exits when it is imported (status {error.code}); "
            'put the code that runs the program under `if __name__ == "__main__":`',
            error,
        ) from error
    except Exception as error:
        raise ProgramError(f"cannot load {text!r}: its import has failed", error) from error


def _default_name(module: ModuleType) -> str:
    for name in DEFAULT_NAMES:
        if hasattr(module, name):
            return name
    applications = [name for name, value in vars(module).items() if isinstance(value, Application)]
    hint = f"write {module.__name__}:{applications[0]}" if applications else "write module:name"
    raise ProgramError(
        f"cannot load {module.__name__!r}: expected one of {', '.join(DEFAULT_NAMES)} in the module; {hint}"
    )


def _attribute(owner: Any, part: str, name: str) -> Any:
    try:
        return getattr(owner, part)
    except AttributeError:
        similar = difflib.get_close_matches(part, dir(owner), 1)
        hint = f"; did you mean {similar[0]!r}?" if similar else ""
        kind = f"the module {owner.__name__!r}" if isinstance(owner, ModuleType) else _shown(owner)
        raise ProgramError(f"cannot load {name!r}: {kind} has no attribute {part!r}{hint}") from None
    except Exception as error:
        raise ProgramError(
            f"cannot load {name!r}: reading the attribute {part!r} has failed", error
        ) from error


def _kind_of(found: Any, name: str) -> TargetKind:
    """Return the kind of a target.

    :raises ProgramError: if the object cannot be served.
    """
    if isinstance(found, type):
        return _kind_of_class(found, name)
    if isinstance(found, HTTPServerConnectionDelegate):
        return TargetKind.APPLICATION
    required = _required_arguments(found)
    if required is None or required not in _KINDS:
        raise ProgramError(
            f"cannot serve {name}: expected an Application, a function without arguments that returns one, "
            f"or a WSGI or ASGI application, got {_shown(found)}"
        )
    return _KINDS[required]


def _kind_of_class(found: type, name: str) -> TargetKind:
    if issubclass(found, RequestHandler):
        raise ProgramError(
            f"cannot serve {name}: {found.__qualname__} is a handler class; expected an Application with a "
            "route to it"
        )
    if issubclass(found, HTTPServerConnectionDelegate) and _signature_checks.accepts(found, 0):
        return TargetKind.FACTORY
    raise ProgramError(
        f"cannot serve {name}: expected an application, got the class {found.__qualname__}; name an object "
        "of it, or a function that returns one"
    )


def _required_arguments(found: Any) -> int | None:
    """Return how many positional arguments a callable requires; None if it cannot be called with any number.

    A decorated function is examined without its decorators, if they use `functools.wraps`.
    """
    if not callable(found):
        return None
    try:
        parameters = inspect.signature(found).parameters.values()
    except (TypeError, ValueError):
        return 2  # a compiled callable; only WSGI applications of this kind are known
    required = [each for each in parameters if each.default is each.empty]
    if any(each.kind is each.KEYWORD_ONLY for each in required):
        return None
    if any(each.kind is each.VAR_POSITIONAL for each in required) and not _is_named_as_factory(found):
        return 3 if inspect.iscoroutinefunction(found) else 2
    return sum(each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD) for each in required)


def _is_named_as_factory(found: Any) -> bool:
    return str(getattr(found, "__name__", "")).startswith(("make", "create", "build", "get"))


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}…"


__all__ = ["DEFAULT_NAMES", "WSGI_THREADS", "LoadedTarget", "TargetKind", "adopt", "load"]
