"""Converts the weights that Lai et al. publish."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from .blind_consistency_net import BlindConsistencyNet


def convert(loaded: dict[str, Any]) -> dict[str, Tensor]:
    """The model's state dict out of their file's content.

    Raises:
        ValueError: If it is not their network.
    """
    weights = loaded.get("model", loaded.get("state_dict", loaded))
    weights = {name: value for name, value in weights.items() if "norm_layer" not in name}
    expected = BlindConsistencyNet().state_dict()
    wrong = [name for name in expected if name not in weights or weights[name].shape != expected[name].shape]
    if wrong or set(weights) != set(expected):
        odd = wrong + sorted(set(weights) - set(expected))
        raise ValueError(f"this is not the network of Lai et al.: {odd[:3]} are missing, of another shape or too many")
    return {f"generator.{name}": weights[name].clone() for name in expected}
