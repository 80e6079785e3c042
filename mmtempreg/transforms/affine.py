"""Global motion: translation, rotation, zoom and shear (paper, section 3.4 and Table 1)."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from annotated_types import Interval
from mmagic.registry import MODELS
from torch import Tensor

from ..functional import affine_matrix, transform_points
from ..functional.geometry import PADDING_MODES
from ..utils.validation import OneOf, Pixels, check_arguments
from .base import DrawnTransform, ImageRange, RandomTransform, uniform


class AffineTransform(DrawnTransform):
    """A drawn affine T; `matrix` is (N, 2, 3) float64, output pixel to input pixel."""

    def __init__(self, matrix: Tensor, size: tuple[int, int], padding_mode: str) -> None:
        super().__init__(size, padding_mode)
        self.matrix = matrix

    def map_points(self, points: Tensor) -> Tensor:
        return transform_points(self.matrix.to(points.device), points)


@MODELS.register_module()
class RandomAffine(RandomTransform):
    """Draws the affine transformations of Table 1, uniformly and one per image.

    Args:
        translate: Largest translation in pixels, each way and axis.
        rotate: Largest rotation in degrees, each way.
        zoom: Largest relative zoom: the factor is drawn from 1 - zoom to 1 + zoom.
        shear: Largest shearing angle in degrees, each way and axis.
        scale: Multiplies all four ranges (`transf_scaling` in the authors' code).
        padding_mode: What T reads outside the image, 'zeros' (the authors'), 'border' or 'reflection'.
        pixel_center: Turn about the true centre of the pixel grid instead of the authors' (W/2, H/2).

    Example:
        >>> x = torch.rand(2, 3, 8, 8)
        >>> drawn = RandomAffine(translate=1.5).sample(x)
        >>> drawn.apply_input(x).shape  # T(x)
        torch.Size([2, 3, 8, 8])
        >>> drawn.apply_output(torch.rand(2, 1, 16, 16)).shape  # the same T of a prediction that is twice as large
        torch.Size([2, 1, 16, 16])
    """

    @check_arguments
    def __init__(
        self,
        translate: Pixels = 2.0,
        *,
        rotate: Annotated[float, Interval(ge=0, lt=90)] = 1.0,
        zoom: Annotated[float, Interval(ge=0, lt=1)] = 0.03,
        shear: Annotated[float, Interval(ge=0, lt=90)] = 1.0,
        scale: Annotated[float, Interval(ge=0, le=1000)] = 1.0,
        padding_mode: Annotated[str, OneOf(PADDING_MODES)] = "reflection",
        pixel_center: bool = False,
    ) -> None:
        if zoom * scale >= 1:
            raise ValueError(f"zoom * scale must be below 1, got {zoom} * {scale}")
        if max(rotate, shear) * scale >= 90:
            raise ValueError(f"rotate and shear must stay below 90 degrees, got {rotate} and {shear} times {scale}")
        self.translate = translate * scale
        self.rotate = math.radians(rotate) * scale
        self.zoom = zoom * scale
        self.shear = math.radians(shear) * scale
        self.padding_mode: str = padding_mode
        self.pixel_center = pixel_center

    def sample(
        self, x: Tensor, generator: torch.Generator | None = None, image_range: ImageRange = ImageRange()
    ) -> AffineTransform:
        generator = generator or torch.default_generator
        n, size = len(x), (x.shape[-2], x.shape[-1])
        matrix = affine_matrix(
            translate=uniform(generator, -self.translate, self.translate, n, 2),
            rotate=uniform(generator, -self.rotate, self.rotate, n),
            zoom=uniform(generator, 1 - self.zoom, 1 + self.zoom, n),
            shear=uniform(generator, -self.shear, self.shear, n, 2),
            base=size,
            pixel_center=self.pixel_center,
        )
        return AffineTransform(matrix, size, self.padding_mode)
