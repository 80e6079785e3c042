"""Names and modules as they were called before; they go with the release after this one."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])

MODULES = {
    "mmtempreg.apis.configs": "mmtempreg.openmmlab.configs",
    "mmtempreg.apis.consistency": "mmtempreg.apis.blind_consistency",
    "mmtempreg.apis.printing": "mmtempreg.utils.tables",
    "mmtempreg.apis.scripts": "mmtempreg.openmmlab.mmagic_tools",
    "mmtempreg.apis.tuning": "mmtempreg.tuning",
    "mmtempreg.datasets.seeded_loading": "mmtempreg.engine.seeded_loading",
    "mmtempreg.fileio": "mmtempreg.utils.atomic_write",
    "mmtempreg.registration": "mmtempreg.openmmlab.registries",
}
"""Old name of a module -> its new one."""


def warn(old: str, new: str) -> None:
    """Says once for each place in the code that an old name is on its way out."""
    warnings.warn(f"{old} is now {new}; the old name goes with the next release", DeprecationWarning, stacklevel=3)


class _MovedModules(MetaPathFinder, Loader):
    """Finds a module by its old name: it stands last, and nobody else knows these."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> Any:
        return ModuleSpec(fullname, self) if fullname in MODULES else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        warn(spec.name, MODULES[spec.name])
        return ModuleType(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        sys.modules[module.__name__] = import_module(MODULES[module.__name__])


def find_moved_modules() -> None:
    """Makes `import` find modules by their old names. Safe to call again."""
    if not any(isinstance(finder, _MovedModules) for finder in sys.meta_path):
        sys.meta_path.append(_MovedModules())


def moved_names(module: str, names: Mapping[str, str]) -> Callable[[str], Any]:
    """A module's `__getattr__`, for names that it had.

    Args:
        module: Its `__name__`.
        names: Old name -> 'module:name' of today.
    """

    def get(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        home, _, new = names[name].partition(":")
        warn(f"{module}.{name}", f"{home}.{new}")
        return getattr(import_module(home), new)

    return get


def renamed_arguments(**names: str) -> Callable[[F], F]:
    """Decorates a function whose keyword arguments had other names: old=new."""

    def decorate(function: F) -> F:
        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            for old in names.keys() & kwargs.keys():
                warn(f"the argument {old!r} of {function.__name__}", repr(names[old]))
                kwargs[names[old]] = kwargs.pop(old)
            return function(*args, **kwargs)

        return cast(F, call)

    return decorate
