"""Puts this package's classes into MMagic's registries without importing MMagic.

An MMEngine registry imports its *locations* when it is first asked for a name. We add our packages to the
locations of MMagic's registries: `default_scope = 'mmagic'` then finds our names without a prefix.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..utils.after_import import after_import
from .internals import add_location

if TYPE_CHECKING:
    from mmengine.registry import Registry

# MMagic registry -> our packages that fill it
LOCATIONS = {
    "MODELS": ("mmtempreg.models", "mmtempreg.losses", "mmtempreg.transforms"),
    "DATASETS": ("mmtempreg.datasets",),
    "DATA_SAMPLERS": ("mmtempreg.datasets",),
    "TRANSFORMS": ("mmtempreg.datasets",),
    "METRICS": ("mmtempreg.evaluation",),
    "HOOKS": ("mmtempreg.engine",),
    "OPTIM_WRAPPERS": ("mmtempreg.engine",),
}

RENAMED = {
    "AffineTransformPair": "RandomAffine",
    "ChoiceTransformPair": "RandomChoice",
    "ComposeTransformPair": "Compose",
    "ExposureTransformPair": "RandomExposure",
    "GivenShiftPair": "GivenShift",
    "LocalMotionPair": "RandomElastic",
    "NoiseTransformPair": "RandomGaussianNoise",
}
"""A name that users' configs may still hold -> that of today. The old ones go with version 0.3."""


def register_lazily() -> None:
    """Makes MMagic's registries find our classes on their first use (or now, if they were used already)."""
    after_import("mmagic.registry", _add_locations)


def _add_locations() -> None:
    from mmagic import registry

    for name, modules in LOCATIONS.items():
        for module in modules:
            add_location(getattr(registry, name), module)


def renamed(name: str, classes: Mapping[str, Any]) -> Any:
    """The class that had this name, with a warning.

    Args:
        name: A key of `RENAMED`.
        classes: The classes by their names of today.
    """
    warnings.warn(f"{name} is now {RENAMED[name]}: rename it in your config", DeprecationWarning, stacklevel=3)
    return classes[RENAMED[name]]


def register_old_names(registry: Registry, classes: Mapping[str, Any]) -> None:
    """Lets a registry build the classes of `RENAMED` by their old names."""

    def builder(old: str) -> Any:
        def build(**kwargs: Any) -> Any:
            return renamed(old, classes)(**kwargs)

        return build

    for old in RENAMED:
        registry.register_module(name=old, module=builder(old))
