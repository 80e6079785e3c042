"""Transform pairs: draw T for a batch, apply the same T to input, prediction, target and mask."""

from .affine import AffineTransformPair
from .base import DrawnTransform, ImageRange, TransformPair, draw_generator
from .compose import ComposeTransformPair
from .exposure import ExposureTransformPair
from .local_motion import LocalMotionPair
from .motion import MOTIONS, PathStep, motion_between
from .noise import NoiseTransformPair

__all__ = [
    "MOTIONS",
    "AffineTransformPair",
    "ComposeTransformPair",
    "DrawnTransform",
    "ExposureTransformPair",
    "ImageRange",
    "LocalMotionPair",
    "NoiseTransformPair",
    "PathStep",
    "TransformPair",
    "draw_generator",
    "motion_between",
]
