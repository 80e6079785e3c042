"""Work that waits for another module's import, instead of importing it."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType


class _Finder(MetaPathFinder):
    """Finds a module as all others find it, and has something done when it has run."""

    def __init__(self, name: str, work: Callable[[], None]) -> None:
        self.name, self.work, self.asks_others = name, work, False

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self.name or self.asks_others:
            return None
        self.asks_others = True
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            self.asks_others = False
        if spec is None or spec.loader is None:
            return spec
        run = spec.loader.exec_module

        def run_and_work(module: ModuleType) -> None:
            run(module)
            if self in sys.meta_path:
                sys.meta_path.remove(self)
            self.work()

        spec.loader.exec_module = run_and_work  # type: ignore[method-assign]
        return spec


def after_import(name: str, work: Callable[[], None]) -> None:
    """Calls `work` when the module `name` has been imported: now if it is, else once, whoever imports it."""
    if sys.modules.get(name) is not None:
        work()
    else:
        sys.meta_path.insert(0, _Finder(name, work))
