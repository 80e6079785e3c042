"""Pixel noise: T(x) = x + N(0, sigma^2), the perturbation of stability training (paper, section 3.1)."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Interval
from mmagic.registry import MODELS
from torch import Tensor

from ..utils.validation import Rising, check_arguments
from .base import DrawnTransform, ImageRange, RandomTransform, uniform

Sigma = Annotated[float, Interval(ge=0, le=10)]


class NoiseTransform(DrawnTransform):
    """Drawn noise, added to the input only; predictions, targets and masks stay as they are."""

    def __init__(self, noise: Tensor, size: tuple[int, int], image_range: ImageRange) -> None:
        super().__init__(size)
        self.noise = noise  # image units
        self.image_range = image_range

    def perturb(self, x: Tensor) -> Tensor:
        low, high = self.image_range.bounds(x)
        return self.image_range.clip(x + self.noise.to(x.device, x.dtype) * (high - low))


@MODELS.register_module()
class RandomGaussianNoise(RandomTransform):
    """Adds normally distributed noise that is independent per pixel and channel.

    Args:
        sigma: (smallest, largest) standard deviation in image units (1 is white); drawn uniformly, one per
            image. The paper's range by default.

    Example:
        >>> x = torch.full((1, 3, 64, 64), 0.5)
        >>> drawn = RandomGaussianNoise(sigma=(0.1, 0.1)).sample(x)
        >>> round(float(drawn.apply_input(x).std()), 1), torch.equal(drawn.apply_output(x), x)
        (0.1, True)
    """

    @check_arguments
    def __init__(self, sigma: Annotated[tuple[Sigma, Sigma], Rising()] = (0.01, 0.04)) -> None:
        low, high = sigma
        self.sigma = (float(low), float(high))

    def sample(
        self, x: Tensor, generator: torch.Generator | None = None, image_range: ImageRange = ImageRange()
    ) -> NoiseTransform:
        generator = generator or torch.default_generator
        sigma = uniform(generator, *self.sigma, len(x), 1, 1, 1).float()
        noise = sigma * torch.randn(x.shape, generator=generator)
        return NoiseTransform(noise, (x.shape[-2], x.shape[-1]), image_range)
