"""The only place that knows other packages' versions and faults.

MMagic 1.2.0 and MMEngine 0.10.7 are no longer maintained. Each repair below is applied only where its fault
exists, when the package that needs it is imported, changes nothing elsewhere, and names the fault:

- `alias_numpy_bool8`: MMagic reads `np.bool8` at import; NumPy 2 has removed it.
- `stand_in_for_mmcv_ops`: mmcv-lite has no compiled operators, which `mmagic.models` imports at the top.
- `hide_new_mediapipe_from_controlnet_aux`: `mmagic.apis` imports controlnet_aux, which asks MediaPipe for `solutions`;
  MediaPipe has them no more. Without MediaPipe it does without.
- `allow_mmengine_checkpoints`: torch >= 2.6 loads with `weights_only=True` and refuses what MMEngine's
  checkpoints hold beside weights.
- `format_configs_once`: MMEngine formats the text of a run's config again and again, up to half a second each time.
"""

from __future__ import annotations

import functools
import importlib.machinery
import inspect
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

from ..utils.after_import import after_import


def apply() -> None:
    """Applies every repair whose fault is present, and imports nothing for it. Safe to call again."""
    stand_in_for_mmcv_ops()
    hide_new_mediapipe_from_controlnet_aux()
    after_import("numpy", alias_numpy_bool8)
    after_import("torch", allow_mmengine_checkpoints)
    after_import("mmengine.config.config", format_configs_once)


def alias_numpy_bool8() -> None:
    """Gives `np.bool8` back where NumPy no longer has it."""
    import numpy as np

    if int(np.__version__.split(".")[0]) >= 2 and "bool8" not in np.__dict__:  # NumPy 1 has it
        np.bool8 = np.bool_  # type: ignore[attr-defined]


class _MissingOps(ModuleType):
    """Stands in for mmcv's compiled operators: every name is there, and raises when it is called."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)

        def missing(*args: Any, **kwargs: Any) -> None:
            raise RuntimeError(
                f"{self.__name__}.{name} is a compiled operator that mmcv-lite does not have. "
                "Install the full package (pip uninstall mmcv-lite; pip install mmcv==2.1.0) to use it."
            )

        # A class, since MMagic's modules may inherit from an operator.
        return type(name, (), {"__init__": missing, "__module__": self.__name__})


class _MissingOpsFinder(MetaPathFinder, Loader):
    """Supplies mmcv's compiled operators when nobody else does.

    It stands last in `sys.meta_path`: a full mmcv is found before anybody asks here.
    """

    NAMES = ("mmcv.ops", "mmcv._ext")

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in self.NAMES:
            return None
        return importlib.machinery.ModuleSpec(fullname, self)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return _MissingOps(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        pass


def stand_in_for_mmcv_ops() -> None:
    """Lets `import mmcv.ops` succeed with mmcv-lite; using an operator raises a clear error."""
    if not any(isinstance(finder, _MissingOpsFinder) for finder in sys.meta_path):
        sys.meta_path.append(_MissingOpsFinder())


class _WithoutMediaPipe(Loader):
    """Runs a module as if MediaPipe were not installed."""

    def __init__(self, loader: Any) -> None:
        self.loader = loader

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        before = sys.modules.get("mediapipe", self)
        sys.modules["mediapipe"] = None  # type: ignore[assignment]  # so that its import fails
        try:
            self.loader.exec_module(module)
        finally:
            if before is self:
                del sys.modules["mediapipe"]
            else:
                sys.modules["mediapipe"] = before  # type: ignore[assignment]


class _ControlnetAuxFinder(MetaPathFinder):
    """Finds the one module that needs MediaPipe as it was, where MediaPipe is another."""

    NAME = "controlnet_aux.mediapipe_face.mediapipe_face_common"

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self.NAME:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path)
        installed = importlib.machinery.PathFinder.find_spec("mediapipe")
        folders = (installed.submodule_search_locations or []) if installed else []
        if spec is not None and folders and not any((Path(f) / "python" / "solutions").is_dir() for f in folders):
            spec.loader = _WithoutMediaPipe(spec.loader)
        return spec


def hide_new_mediapipe_from_controlnet_aux() -> None:
    """Lets `import mmagic.apis` succeed with a MediaPipe that has no `solutions`."""
    if not any(isinstance(finder, _ControlnetAuxFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _ControlnetAuxFinder())


_STATISTICS = ("min", "max", "current", "mean")


def _history_buffer_attribute(obj: Any, name: str) -> Any:
    """All of `getattr` that a pickled MMEngine HistoryBuffer needs, and nothing more."""
    from mmengine.logging import HistoryBuffer

    if (obj is HistoryBuffer or isinstance(obj, HistoryBuffer)) and name in _STATISTICS:
        return inspect.getattr_static(HistoryBuffer, name)
    raise RuntimeError(f"a checkpoint asks for attribute {name!r} of {obj!r}: refused, it may be malicious")


def format_configs_once() -> None:
    """Lets MMEngine remember what yapf has made of a config's text.

    It asks for it three times when a run begins, and again with each checkpoint.
    """
    module: Any = sys.modules["mmengine.config.config"]
    stock = getattr(module, "FormatCode", None)
    if stock is None or hasattr(stock, "__wrapped__"):
        return
    known: dict[tuple[str, str], Any] = {}

    @functools.wraps(stock)
    def once(text: str, **style: Any) -> Any:
        if (key := (text, repr(style))) not in known:
            known[key] = stock(text, **style)
        return known[key]

    module.FormatCode = once


def allow_mmengine_checkpoints() -> None:
    """Allow-lists what MMEngine's checkpoints hold, where torch loads with `weights_only=True`.

    That is `HistoryBuffer` (the logged scalars) and the NumPy arrays and scalars in it. A HistoryBuffer is
    pickled with references to its own methods, through the builtin `getattr`, which would let a malicious file
    reach anything: `getattr` is therefore mapped to a function that knows the four statistics only.
    """
    import torch

    if tuple(int(part) for part in torch.__version__.split("+")[0].split(".")[:2]) < (2, 6):
        return
    import numpy as np
    from mmengine.logging import HistoryBuffer

    core: Any = np._core if hasattr(np, "_core") else np.core  # type: ignore[attr-defined]
    reconstruct, scalar = core.multiarray._reconstruct, core.multiarray.scalar
    dtypes = {type(np.dtype(code)) for code in ("f8", "f4", "i8", "i4", "?")}
    torch.serialization.add_safe_globals(
        [
            HistoryBuffer,
            np.ndarray,
            np.dtype,
            *dtypes,
            # files written by NumPy 1 and by NumPy 2 name the same functions differently
            (reconstruct, "numpy.core.multiarray._reconstruct"),
            (reconstruct, "numpy._core.multiarray._reconstruct"),
            (scalar, "numpy.core.multiarray.scalar"),
            (scalar, "numpy._core.multiarray.scalar"),
            (_history_buffer_attribute, "builtins.getattr"),
            (_history_buffer_attribute, "__builtin__.getattr"),
        ]
    )
