"""Random transforms: draw T for a batch, apply the same T to input, prediction, target and mask."""

from ..deprecated import moved_names
from .affine import AffineTransformPair
from .base import DrawnTransform, ImageRange, RandomTransform, draw_generator
from .choice import ChoiceTransformPair
from .compose import ComposeTransformPair
from .exposure import ExposureTransformPair
from .given import GivenShiftPair
from .local_motion import LocalMotionPair
from .noise import NoiseTransformPair
from .path import MOTIONS, PathStep, motion_between
from .shift import RandomShift

__all__ = [
    "MOTIONS",
    "AffineTransformPair",
    "ChoiceTransformPair",
    "ComposeTransformPair",
    "DrawnTransform",
    "ExposureTransformPair",
    "GivenShiftPair",
    "ImageRange",
    "LocalMotionPair",
    "NoiseTransformPair",
    "PathStep",
    "RandomShift",
    "RandomTransform",
    "draw_generator",
    "motion_between",
]

__getattr__ = moved_names(__name__, {"TransformPair": "mmtempreg.transforms:RandomTransform"})
