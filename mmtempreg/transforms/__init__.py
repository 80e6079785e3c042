"""Random transforms: draw T for a batch, apply the same T to input, prediction, target and mask."""

from typing import Any

from mmagic.registry import MODELS

from ..openmmlab.registries import RENAMED, register_old_names, renamed
from .affine import RandomAffine
from .base import DrawnTransform, ImageRange, RandomTransform, draw_generator
from .choice import RandomChoice
from .compose import Compose
from .elastic import RandomElastic
from .exposure import RandomExposure
from .given import GivenShift
from .noise import RandomGaussianNoise
from .path import MOTIONS, PathStep, motion_between
from .shift import RandomShift

__all__ = [
    "MOTIONS",
    "Compose",
    "DrawnTransform",
    "GivenShift",
    "ImageRange",
    "PathStep",
    "RandomAffine",
    "RandomChoice",
    "RandomElastic",
    "RandomExposure",
    "RandomGaussianNoise",
    "RandomShift",
    "RandomTransform",
    "draw_generator",
    "motion_between",
]

register_old_names(MODELS, globals())


def __getattr__(name: str) -> Any:
    if name in RENAMED:  # configs of the new style import it
        return renamed(name, globals())
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
