"""Whole-pixel motion: the only one that is exact on every grid, without any interpolation."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Interval
from mmagic.registry import MODELS
from torch import Tensor

from ..utils.validation import Pixels, Whole, check_arguments
from .base import DrawnTransform, ImageRange, RandomTransform


class Shift(DrawnTransform):
    """Moves each image by its own offset.

    Args:
        offset: (N, 2), (x, y) in pixels of the images: the output pixel p is read at p + offset.
        size: (H, W) of the images.
        margin: Pixels of the images along the border that do not count.
        padding_mode: What lies outside, as in `functional.sample_at`.
    """

    def __init__(
        self, offset: Tensor, size: tuple[int, int], *, margin: float = 0.0, padding_mode: str = "zeros"
    ) -> None:
        super().__init__(size, padding_mode)
        self.offset, self.margin = offset.to(torch.float64), margin

    def of_first(self, number: int) -> Shift:
        """The shift of the first `number` images."""
        return Shift(self.offset[:number], self.size, margin=self.margin, padding_mode=str(self.padding_mode))

    def valid(self, f: Tensor) -> Tensor:
        """Mask as of any T, within the margin before and after."""
        after = self._points(f)
        limits = after.new_tensor([self.size[1], self.size[0]]) - 0.5 - self.margin
        both = torch.cat([after, after - self.offset_of(after)], dim=-1)
        ok = (both >= self.margin - 0.5) & (both <= limits.repeat(2))
        return super().valid(f) * ok.all(dim=-1).unsqueeze(1).to(f.dtype)

    def offset_of(self, points: Tensor) -> Tensor:
        """The offsets, as they are added to points (N, h, w, 2)."""
        return self.offset.to(points.device)[:, None, None, :]

    def map_points(self, points: Tensor) -> Tensor:
        return points + self.offset_of(points)


class WholeShift(Shift):
    """A `Shift` by whole pixels of every map that it is applied to: values are moved and never mixed."""

    def apply_output(self, f: Tensor) -> Tensor:
        """Moves any (N, C, h, w) map of the same field of view; beyond its border it is mirrored.

        Raises:
            ValueError: If the shift is no whole number of the map's pixels.
        """
        scale = torch.tensor([f.shape[-1] / self.size[1], f.shape[-2] / self.size[0]], dtype=torch.float64)
        whole = (self.offset.cpu() * scale).round()
        if not torch.equal(whole, self.offset.cpu() * scale):
            sizes = f"{self.size[1]}x{self.size[0]} is none of whole pixels of a map of {f.shape[-1]}x{f.shape[-2]}"
            steps = {float(step) for step in 1 / scale}
            if len(steps) == 1 and (step := steps.pop()).is_integer():
                raise ValueError(f"a shift by whole pixels of {sizes}: give RandomShift multiple={int(step)}")
            raise ValueError(
                f"a shift by whole pixels of {sizes}, whatever its multiple: take crops whose size the network's "
                "strides divide"
            )
        columns, rows = (
            mirrored(torch.arange(n) + by[:, None], n).to(f.device) for n, by in zip(f.shape[:-3:-1], whole.long().T)
        )
        moved = [one.index_select(-2, r).index_select(-1, c) for one, r, c in zip(f, rows, columns)]
        return torch.stack(moved)


def mirrored(index: Tensor, length: int) -> Tensor:
    """Indices into an axis that is mirrored about the outer edges of its first and last pixel."""
    index = index % (2 * length)
    return torch.where(index < length, index, 2 * length - 1 - index)


def on_canvas(x: Tensor, at: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """Images on a larger canvas that continues them mirrored.

    Args:
        x: (N, C, H, W).
        at: (down, right), where their first pixel lies on the canvas.
        size: (height, width) of the canvas.
    """
    rows, columns = (
        mirrored(torch.arange(edge) - by, length).to(x.device) for by, edge, length in zip(at, size, x.shape[-2:])
    )
    return x.index_select(-2, rows).index_select(-1, columns)


PAD_MULTIPLES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
"""Images are padded to multiples of these, one after the other, until a network takes them."""


@MODELS.register_module()
class RandomShift(RandomTransform):
    """Draws whole-pixel shifts, uniformly and one per image.

    No interpolation blurs the input or the prediction, so that T(x) is a picture that a camera gives, and a blur is not
    the cheapest way to agree. Compose it with `RandomGaussianNoise`: the next frame has noise of its own.

    Args:
        max_shift: Largest shift in pixels, each way and axis.
        multiple: Shifts are multiples of this many pixels: 2 for a network whose prediction has half the resolution.
        margin: Pixels along the border that do not count: a network sees an end of the world there, and that stays.

    Raises:
        ValueError: If no shift but 0 is a multiple; when drawn, if hardly anything of the images would be left.

    Example:
        >>> x = torch.arange(64.0).view(1, 1, 8, 8)
        >>> moved = RandomShift(max_shift=2).sample(x).apply_input(x)
        >>> set(moved.flatten().tolist()) <= set(x.flatten().tolist())  # nothing is interpolated
        True
    """

    padding_mode = "reflection"
    whole_pixels = True

    @check_arguments
    def __init__(
        self, max_shift: Annotated[int, Interval(ge=1, le=10000)] = 8, multiple: Whole = 1, margin: Pixels = 0.0
    ) -> None:
        if multiple > max_shift:
            raise ValueError(f"no shift of up to {max_shift} pixels is a multiple of {multiple}, but 0")
        self.max_shift, self.multiple, self.margin = max_shift, multiple, margin

    def sample(
        self, x: Tensor, generator: torch.Generator | None = None, image_range: ImageRange = ImageRange()
    ) -> WholeShift:
        size = (x.shape[-2], x.shape[-1])
        if self.max_shift + 2 * self.margin >= min(size):
            raise ValueError(
                f"shifts of up to {self.max_shift} pixels and a margin of {self.margin:g} can leave nothing of images "
                f"of {size[1]}x{size[0]} that counts: take larger crops or a smaller max_shift"
            )
        steps = self.max_shift // self.multiple
        offset = torch.randint(-steps, steps + 1, (len(x), 2), generator=generator or torch.default_generator)
        return WholeShift(self.multiple * offset, size, margin=self.margin, padding_mode=self.padding_mode)
