"""One of several transforms for each image, such as small motion mostly and large motion now and then."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmagic.registry import MODELS
from torch import Tensor

from ..utils.validation import NotNegative, check_arguments
from .base import DrawnTransform, ImageRange, RandomTransform
from .compose import build_transforms


class ChoiceTransform(DrawnTransform):
    """Drawn transforms, and which of them each image of the batch gets: `chosen` is (N,)."""

    def __init__(self, transforms: Sequence[DrawnTransform], chosen: Tensor, size: tuple[int, int]) -> None:
        modes = [t.padding_mode for t in transforms if t.padding_mode is not None]
        super().__init__(size, modes[0] if modes else None)
        self.transforms, self.chosen = transforms, chosen

    def map_points(self, points: Tensor) -> Tensor:
        return self._of_each([transform.map_points(points) for transform in self.transforms])

    def perturb(self, x: Tensor) -> Tensor:
        return self._of_each([transform.perturb(x) for transform in self.transforms])

    def _of_each(self, results: Sequence[Tensor]) -> Tensor:
        """Picks from results (N or 1, ...), or (...) for all images, those of the chosen transforms: (N, ...)."""
        out = results[0].expand(len(self.chosen), *results[0].shape[-3:])
        for i, result in enumerate(results[1:], start=1):
            out = torch.where((self.chosen == i).to(result.device).view(-1, 1, 1, 1), result, out)
        return out


@MODELS.register_module()
class RandomChoice(RandomTransform):
    """Draws for each image one of several transforms.

    For a network that is to be steady over a second as well as from frame to frame: mostly the small motion of Table 1,
    and now and then one of tens of pixels.

    Args:
        transforms: Configs of random transforms, or built ones. All that move pixels need the same `padding_mode`.
        weights: How often each is taken, in proportion; None: all as often.

    Raises:
        ValueError: If there is no transform, not one weight for each, no weight above 0, or padding modes differ.

    Example:
        >>> small, large = dict(type="RandomShift", max_shift=1), dict(type="RandomShift", max_shift=30)
        >>> seldom = RandomChoice([small, large], weights=[9, 1])
        >>> seldom.sample(torch.rand(8, 3, 64, 64)).apply_output(torch.rand(8, 1, 64, 64)).shape
        torch.Size([8, 1, 64, 64])
    """

    @check_arguments
    def __init__(
        self,
        transforms: Sequence[dict | RandomTransform],
        weights: Sequence[NotNegative] | None = None,
    ) -> None:
        weights = [1.0] * len(transforms) if weights is None else list(weights)
        if not transforms or len(weights) != len(transforms) or sum(weights) <= 0:
            raise ValueError(f"give transforms, and a weight for each or none: got {transforms} and {weights}")
        self.transforms, self.padding_mode = build_transforms(transforms)
        self.whole_pixels = any(transform.whole_pixels for transform in self.transforms)
        self.weights = torch.tensor(weights, dtype=torch.float64)

    def sample(
        self, x: Tensor, generator: torch.Generator | None = None, image_range: ImageRange = ImageRange()
    ) -> ChoiceTransform:
        generator = generator or torch.default_generator
        chosen = torch.multinomial(self.weights, len(x), replacement=True, generator=generator)
        drawn = [pair.sample(x, generator, image_range) for pair in self.transforms]
        return ChoiceTransform(drawn, chosen, (x.shape[-2], x.shape[-1]))
