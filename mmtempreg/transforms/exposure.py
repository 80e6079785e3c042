"""A change of exposure between two frames, as a camera makes that adapts to the light."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Interval
from mmagic.registry import MODELS
from torch import Tensor

from ..utils.validation import check_arguments
from .base import DrawnTransform, ImageRange, RandomTransform, uniform


class ExposureTransform(DrawnTransform):
    """A drawn gain (N, 1, 1, 1) of the input's values; predictions, targets and masks stay as they are."""

    def __init__(self, gain: Tensor, size: tuple[int, int], image_range: ImageRange) -> None:
        super().__init__(size)
        self.gain = gain
        self.image_range = image_range

    def perturb(self, x: Tensor) -> Tensor:
        low, _ = self.image_range.bounds(x)
        return self.image_range.clip(low + self.gain.to(x.device, x.dtype) * (x - low))


@MODELS.register_module()
class RandomExposure(RandomTransform):
    """Makes the input brighter or darker, one gain per image, and clips it where the image ends.

    The prediction is asked not to change: for tasks such as colorization, whose result the exposure must not decide.

    Args:
        stops: Largest change each way, of display values: the gain is drawn from 2^-stops to 2^stops, uniformly in
            stops.

    Example:
        >>> x = torch.full((4, 3, 2, 2), 0.25)
        >>> gain = RandomExposure(stops=1.0).sample(x).apply_input(x) / x
        >>> bool(((0.5 <= gain) & (gain <= 2)).all())
        True
    """

    @check_arguments
    def __init__(self, stops: Annotated[float, Interval(ge=0, le=20)] = 0.1) -> None:
        self.stops = float(stops)

    def sample(
        self, x: Tensor, generator: torch.Generator | None = None, image_range: ImageRange = ImageRange()
    ) -> ExposureTransform:
        stops = uniform(generator or torch.default_generator, -self.stops, self.stops, len(x), 1, 1, 1)
        return ExposureTransform(2**stops, (x.shape[-2], x.shape[-1]), image_range)
