"""Converts the weights that hdrcnn's authors publish."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn


def read_arrays(path: str | Path) -> list[np.ndarray]:
    """The arrays of an .npz, in their order.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is none, or holds Python objects.
    """
    if not Path(path).exists():
        raise FileNotFoundError(f"there is no file {path}")
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path} is no .npz file of arrays")
    with np.load(path, allow_pickle=False) as file:
        names = sorted(file.files, key=lambda name: int(name.rpartition("_")[2]) if name.startswith("arr_") else -1)
        try:
            return [file[name] for name in names]
        except ValueError as error:
            raise ValueError(
                f"{path} holds Python objects, which may run any code when they are loaded: unpack it into plain "
                "arrays first, see --help"
            ) from error


def names_of(network: nn.Module) -> list[tuple[str, bool]]:
    """Names in the state dict in the authors' order, from the input to the output, and whether it is a kernel's."""
    names: list[tuple[str, bool]] = []
    for name, module in network.named_modules():
        if isinstance(module, nn.BatchNorm2d):
            names += [(f"{name}.{part}", False) for part in ("bias", "weight", "running_mean", "running_var")]
        elif isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            names += [(f"{name}.weight", True), (f"{name}.bias", False)]
    return names


def convert(arrays: Sequence[np.ndarray], network: nn.Module) -> dict[str, Tensor]:
    """The network's state dict out of the authors' arrays.

    Kernels are (height, width, in, out), of transposed convolutions (height, width, out, in): both become the reverse.
    The first one sees blue, green, red.

    Raises:
        ValueError: If number or shapes are not those of the network.
    """
    state, names = network.state_dict(), names_of(network)
    if len(arrays) != len(names):
        raise ValueError(f"expected {len(names)} arrays of hdrcnn, got {len(arrays)}")
    for number, (array, (name, is_kernel)) in enumerate(zip(arrays, names)):
        value = torch.from_numpy(np.ascontiguousarray(array, np.float32))
        value = value.permute(3, 2, 0, 1) if is_kernel and value.ndim == 4 else value
        value = value.flip(1) if number == 0 else value
        if value.shape != state[name].shape:
            expected = tuple(state[name].shape)
            raise ValueError(f"array {number}, {name}: {tuple(array.shape)} does not fit {expected}")
        if name.endswith("running_var") and (value < 0).any():
            raise ValueError(f"array {number} should be the variance {name}, but holds negative values")
        state[name] = value.contiguous()
    return state
