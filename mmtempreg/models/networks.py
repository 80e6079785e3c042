"""Finds the networks of a model that map images, and are no losses or discriminators."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from mmengine.model import is_model_wrapper
from torch import nn

NETWORKS = ("generator", "generators", "image_model")


def networks_of(model: nn.Module, names: Sequence[str] | None = None) -> Iterator[nn.Module]:
    """The networks of a model, without the wrappers of distributed training.

    Args:
        model: MMagic's, wrapped or not.
        names: Attributes of the model. Default: those of `NETWORKS` that it has.

    Raises:
        ValueError: If the model has none of the networks, or lacks one that is named.
    """
    model = unwrapped(model)
    found = [name for name in names or NETWORKS if isinstance(getattr(model, name, None), nn.Module)]
    if not found or (names is not None and len(found) < len(names)):
        raise ValueError(f"{type(model).__name__} has no network {names or NETWORKS}: name its `networks`")
    for name in found:
        network = unwrapped(getattr(model, name))
        yield from network.values() if isinstance(network, nn.ModuleDict) else [network]


def unwrapped(module: Any) -> Any:
    """The module itself, without the wrapper of distributed training if it has one."""
    return module.module if is_model_wrapper(module) else module
