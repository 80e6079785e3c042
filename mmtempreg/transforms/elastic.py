"""Motion that differs from place to place: a smooth random displacement field."""

from __future__ import annotations

from typing import Annotated

import torch
import torch.nn.functional as F
from annotated_types import Interval
from mmagic.registry import MODELS
from torch import Tensor

from ..functional.geometry import PADDING_MODES
from ..utils.validation import OneOf, Pixels, check_arguments
from .base import DrawnTransform, ImageRange, RandomTransform, uniform


class ElasticTransform(DrawnTransform):
    """A drawn field; `displacement` is (N, 2, k, k) float64 in pixels, at control points spread over the image."""

    def __init__(self, displacement: Tensor, size: tuple[int, int], padding_mode: str) -> None:
        super().__init__(size, padding_mode)
        self.displacement = displacement

    def map_points(self, points: Tensor) -> Tensor:
        field = self.displacement.to(points.device)
        points = points.expand(len(field), *points.shape[-3:])
        # The first and last control points sit on the centres of the border pixels.
        extent = points.new_tensor([max(self.size[1] - 1, 1), max(self.size[0] - 1, 1)])
        grid = 2 * points / extent - 1
        moved = F.grid_sample(field, grid, mode="bicubic", padding_mode="border", align_corners=True)
        return points + moved.permute(0, 2, 3, 1)


@MODELS.register_module()
class RandomElastic(RandomTransform):
    """Draws a smooth displacement field per image, bicubic between random control points.

    Args:
        displacement: Largest displacement of a control point in pixels, each way and axis.
        control_points: Control points per axis, at least 2.
        padding_mode: What T reads outside the image, 'zeros', 'border' or 'reflection'.

    Example:
        >>> x = torch.rand(2, 3, 16, 16)
        >>> RandomElastic(displacement=0.0).sample(x).apply_input(x).allclose(x, atol=1e-5)
        True
    """

    @check_arguments
    def __init__(
        self,
        displacement: Pixels = 2.0,
        control_points: Annotated[int, Interval(ge=2, le=1000)] = 5,
        padding_mode: Annotated[str, OneOf(PADDING_MODES)] = "reflection",
    ) -> None:
        self.displacement = displacement
        self.control_points = control_points
        self.padding_mode: str = padding_mode

    def sample(
        self, x: Tensor, generator: torch.Generator | None = None, image_range: ImageRange = ImageRange()
    ) -> ElasticTransform:
        generator = generator or torch.default_generator
        shape = (len(x), 2, self.control_points, self.control_points)
        field = uniform(generator, -self.displacement, self.displacement, *shape)
        return ElasticTransform(field, (x.shape[-2], x.shape[-1]), self.padding_mode)
