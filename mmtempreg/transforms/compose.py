"""Several perturbations at once, such as motion and noise."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmagic.registry import MODELS
from torch import Tensor

from ..utils.validation import check_arguments
from .base import DrawnTransform, ImageRange, RandomTransform


def build_transforms(transforms: Sequence[dict | RandomTransform]) -> tuple[list[RandomTransform], str | None]:
    """Random transforms of configs, and their common `padding_mode`; None if none of them moves anything.

    Raises:
        ValueError: If they have several.
    """
    built = [MODELS.build(t) if isinstance(t, dict) else t for t in transforms]
    modes = {t.padding_mode for t in built if t.padding_mode is not None}
    if len(modes) > 1:
        raise ValueError(f"the transforms' padding_mode must agree, got {sorted(modes)}")
    return built, modes.pop() if modes else None


class ComposeTransform(DrawnTransform):
    """Drawn transforms one after the other: one interpolation for all geometry, then all noise."""

    def __init__(self, transforms: Sequence[DrawnTransform], size: tuple[int, int]) -> None:
        modes = [t.padding_mode for t in transforms if t.padding_mode is not None]
        super().__init__(size, modes[0] if modes else None)
        self.transforms = transforms
        moving = [t for t in transforms if t.padding_mode is not None]
        self._mover = moving[0] if len(moving) == 1 else None  # whose own way is the exact one

    def apply_output(self, f: Tensor) -> Tensor:
        return super().apply_output(f) if self._mover is None else self._mover.apply_output(f)

    def valid(self, f: Tensor) -> Tensor:
        return super().valid(f) if self._mover is None else self._mover.valid(f)

    def map_points(self, points: Tensor) -> Tensor:
        # The last transform's output pixel is looked up first.
        for transform in reversed(self.transforms):
            points = transform.map_points(points)
        return points

    def perturb(self, x: Tensor) -> Tensor:
        for transform in self.transforms:
            x = transform.perturb(x)
        return x


@MODELS.register_module()
class Compose(RandomTransform):
    """Applies several transforms in the order given.

    Geometry is composed into one map, so that the image is interpolated once; noise and the like act on the
    moved image, as in the authors' code.

    Args:
        transforms: Configs of random transforms, or built ones. All that move pixels need the same
            `padding_mode`.

    Example:
        >>> moved = Compose([dict(type="RandomShift", max_shift=2), dict(type="RandomGaussianNoise")])
        >>> moved.sample(torch.zeros(2, 3, 8, 8)).apply_input(torch.zeros(2, 3, 8, 8)).shape
        torch.Size([2, 3, 8, 8])
    """

    @check_arguments
    def __init__(self, transforms: Sequence[dict | RandomTransform]) -> None:
        if not transforms:
            raise ValueError("Compose needs at least one transform")
        self.transforms, self.padding_mode = build_transforms(transforms)
        self.whole_pixels = any(transform.whole_pixels for transform in self.transforms)

    def sample(
        self, x: Tensor, generator: torch.Generator | None = None, image_range: ImageRange = ImageRange()
    ) -> ComposeTransform:
        drawn = [pair.sample(x, generator, image_range) for pair in self.transforms]
        return ComposeTransform(drawn, (x.shape[-2], x.shape[-1]))
