"""Networks that nobody registered: a class or a function in a Python file, as a part of a config."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmagic.registry import MODELS
from torch import nn


@MODELS.register_module()
def NetworkOfFile(
    file: str, name: str, *, options: Mapping[str, Any] | None = None, value_range: tuple[float, float] = (0.0, 1.0)
) -> nn.Module:
    """Builds the network that a Python file defines; its state-dict keys are its own, and its pictures in [0, 1].

    The file is a program, which is run: its folder can be imported from, as if it was started there.

    Args:
        file: Path of the file.
        name: Of a class or a function in it that gives an `nn.Module`.
        options: Its keyword arguments.
        value_range: Black and white as the network itself takes and gives them.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be run, has nothing of that name, or that gives no network: the file is named.
    """
    path = Path(file).resolve()
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {file}")
    make = getattr(_module(path), name, None)
    if not callable(make):
        raise ValueError(f"{file} has no class or function {name!r}")
    try:
        network = make(**(options or {}))
    except Exception as error:  # whatever its author raises
        raise ValueError(f"{name} of {file} cannot be made with {dict(options or {})}: {error}") from error
    if not isinstance(network, nn.Module):
        raise ValueError(f"{name} of {file} gives a {type(network).__name__}; a torch.nn.Module is needed")
    black, white = value_range
    if (black, white) != (0, 1):
        network.register_forward_pre_hook(lambda _, inputs: (inputs[0] * (white - black) + black, *inputs[1:]))
        network.register_forward_hook(lambda _, inputs, out: (out - black) / (white - black))
    return network


def _module(path: Path) -> Any:
    name = f"mmtempreg_network_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent))
    sys.modules[name] = module  # classes in it can be pickled, and dataclasses look there
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ValueError(f"{path} cannot be run: {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(str(path.parent))
    return module
