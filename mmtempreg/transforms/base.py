"""The contract of a random transform: what draws T, and what a drawn T can do.

A random transform is a config-built object that draws one T per image; a drawn T applies the *same* draw to the input,
to predictions of any resolution, to targets and to masks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..functional import inside, pixel_grid, sample_at


@dataclass(frozen=True)
class ImageRange:
    """Black and white in the values that the network sees (image units: 0 is black, 1 white).

    Attributes:
        low: Black, a float or a tensor that broadcasts over (N, C, H, W).
        high: White, likewise.

    Example:
        >>> ImageRange(-1.0, 1.0).clip(torch.tensor([-3.0, 0.5, 3.0]))
        tensor([-1.0000,  0.5000,  1.0000])
    """

    low: Tensor | float = 0.0
    high: Tensor | float = 1.0

    def bounds(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Black and white as tensors that go with `x`."""
        low, high = (torch.as_tensor(v, dtype=x.dtype, device=x.device) for v in (self.low, self.high))
        return low, high

    def clip(self, x: Tensor) -> Tensor:
        """`x`, cut off at black and white."""
        low, high = self.bounds(x)
        return torch.maximum(torch.minimum(x, high), low)


@torch.compiler.disable  # MMEngine's `compile` traces the whole training step, and hashing is no matter of tensors
def draw_generator(seed: int, iteration: int, rank: int = 0, *stream: int) -> torch.Generator:
    """A CPU generator that depends on (seed, iteration, rank) only, and on the number of a stream if one is given.

    Draws are made on the CPU, so that a resumed run and a run on other hardware see the same T.
    """
    if min(seed, iteration, rank) < 0:
        raise ValueError(f"seed, iteration and rank must not be negative, got {(seed, iteration, rank)}")
    state = np.random.SeedSequence([seed, iteration, rank, *stream]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state[0] >> np.uint64(1)))


def uniform(generator: torch.Generator, low: float, high: float, *shape: int) -> Tensor:
    """Uniform float64 draws from [low, high)."""
    return low + (high - low) * torch.rand(*shape, generator=generator, dtype=torch.float64)


class DrawnTransform:
    """One T per image of a batch. Subclasses override `map_points` (geometry) or `perturb` (pixel values).

    Args:
        size: (H, W) of the images that T was drawn for.
        padding_mode: What T reads outside the image; None if T moves nothing.
    """

    def __init__(self, size: tuple[int, int], padding_mode: str | None = None) -> None:
        self.size = size
        self.padding_mode = padding_mode
        self._read: dict[tuple, Tensor] = {}  # where maps of a shape are read: a step asks for it four times or more

    def map_points(self, points: Tensor) -> Tensor:
        """Maps output points (N, h, w, 2) or (h, w, 2) to where they are read, in pixel coordinates of the image."""
        return points

    def perturb(self, x: Tensor) -> Tensor:
        """Changes pixel values of the input after the geometry (noise, exposure)."""
        return x

    def apply_input(self, x: Tensor) -> Tensor:
        """T(x), what the network sees: geometry, then noise or exposure change if any. (N, C, H, W)."""
        return self.perturb(self.apply_output(x))

    def apply_output(self, f: Tensor) -> Tensor:
        """T's geometry on any (N, C, h, w) map of the same field of view."""
        if self.padding_mode is None:
            return f
        return sample_at(f, self._points(f), self.padding_mode, base=self.size)

    def of_first(self, number: int) -> DrawnTransform:
        """T of the first `number` images; only of what comes with a batch."""
        raise NotImplementedError

    def valid(self, f: Tensor) -> Tensor:
        """(N, 1, h, w): 1 where all that T reads from the map `f` (N, C, h, w) lies inside it."""
        if self.padding_mode is None:
            return f.new_ones(len(f), 1, *f.shape[-2:])
        return inside(self._points(f), (f.shape[-2], f.shape[-1]), self.size)

    def _points(self, f: Tensor) -> Tensor:
        shape = (f.shape[-2], f.shape[-1])
        if (shape, f.device) not in self._read:
            self._read[shape, f.device] = self.map_points(pixel_grid(shape, self.size, f.device))
        return self._read[shape, f.device]


class RandomTransform:
    """Draws one T per image. Subclasses implement `sample`, or `for_batch` if T comes with the data.

    Attributes:
        padding_mode: What T reads outside the image; None if T moves nothing.
        whole_pixels: Whether T moves by whole pixels, and must not be applied in part.
        pictures: Names of pictures in the data samples that the network sees: they are preprocessed as its input is.
    """

    padding_mode: str | None = None
    whole_pixels: bool = False
    pictures: tuple[str, ...] = ()

    def for_batch(self, data_samples: Any) -> tuple[Tensor, DrawnTransform] | None:
        """T(x) and T of a batch, of its data samples; None: T is drawn.

        Raises:
            ValueError: If the data pipeline has not made them.
        """
        return None

    def sample(
        self, x: Tensor, generator: torch.Generator | None = None, image_range: ImageRange = ImageRange()
    ) -> DrawnTransform:
        """Draws T for a batch.

        Args:
            x: (N, C, H, W) network input; its values are not looked at.
            generator: CPU generator, as from `draw_generator`. None: torch's global one.
            image_range: Black and white in the units of `x`.

        Returns:
            The drawn transforms, one per image.
        """
        raise NotImplementedError
