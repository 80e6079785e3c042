"""Low-pass filters that go with a stride: what the coarser grid cannot hold is taken away before it is sampled."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

TAPS = 3
"""Length of the filter at stride 2: (1 2 1) / 4."""


def check_taps(taps: int) -> None:
    """Raises ValueError if the length of a filter is even, which would move the picture, or below 3."""
    if taps < 3 or taps % 2 == 0:
        raise ValueError(f"taps must be odd and 3 at least (an even filter moves the picture), got {taps}")


@cache
def _weights(stride: int, taps: int) -> tuple[float, ...]:
    # As numbers: a tensor that is kept would stay on the device, or in the trace, that first asked for it.
    kernel = np.ones(1)
    for _ in range(taps - 1):
        kernel = np.convolve(kernel, np.full(stride, 1 / stride))
    return tuple(kernel.tolist())


def antialias_kernel(stride: int, taps: int = TAPS) -> Tensor:
    """The filter for a stride: a box of `stride` pixels, convolved with itself until `taps` - 1 boxes are in it.

    At stride 2 it is binomial: (1 2 1) / 4 with 3 taps, (1 4 6 4 1) / 16 with 5 (Zhang 2019, Tri-3 and Bin-5). At any
    stride it has the length (taps - 1) (stride - 1) + 1, is symmetric, sums to 1, and all phases of the coarser grid
    get the same share of every pixel.

    Args:
        stride: In pixels, 1 or more.
        taps: Its length at stride 2, odd.

    Returns:
        (length,) float32.

    Raises:
        ValueError: If `taps` is even or below 3.
    """
    check_taps(taps)
    return torch.tensor(_weights(stride, taps))


def low_pass(x: Tensor, strides: tuple[int, int], taps: int = TAPS, *, sample: bool = False) -> Tensor:
    """Takes away what grids coarser by `strides` cannot hold, and goes over to them if asked to.

    Args:
        x: (N, C, H, W), any H and W of 1 or more; borders are replicated.
        strides: Of the coarser grid in pixels, (vertical, horizontal).
        taps: Of `antialias_kernel`.
        sample: Give the pixels of the coarser grid alone: (0, 0), (0, stride), ...

    Returns:
        (N, C, H, W), or (N, C, ceil(H / vertical), ceil(W / horizontal)) if sampled.

    Example:
        >>> low_pass(torch.tensor([[[[0.0, 0.0, 4.0, 0.0, 0.0]]]]), (1, 2))
        tensor([[[[0., 1., 2., 1., 0.]]]])
    """
    vertical, horizontal = (x.new_tensor(_weights(stride, taps)) for stride in strides)
    kernel = torch.outer(vertical, horizontal).expand(x.shape[1], 1, -1, -1)
    down, right = len(vertical) // 2, len(horizontal) // 2
    padded = F.pad(x, (right, right, down, down), mode="replicate")
    return F.conv2d(padded, kernel, stride=strides if sample else 1, groups=x.shape[1])
