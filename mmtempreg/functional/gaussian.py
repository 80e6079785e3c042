"""The Gaussian: its weights, and pictures that are smoothed by it."""

from __future__ import annotations

import math

import cv2
import torch
from torch import Tensor


def gaussian_window(sigma: float, radius: int, like: Tensor | None = None) -> Tensor:
    """(2 radius + 1,) weights of a Gaussian that ends there, sum 1.

    Args:
        sigma: Standard deviation in samples.
        radius: Samples to either side of the middle.
        like: A tensor whose type and device they have. Default: float64.
    """
    dtype, device = (torch.float64, None) if like is None else (like.dtype, like.device)
    x = torch.arange(-radius, radius + 1, dtype=dtype, device=device)
    window = torch.exp(-(x**2) / (2 * sigma**2))
    return window / window.sum()


def smooth(frame: Tensor, sigma: float, radius: int | None = None) -> Tensor:
    """A (C, H, W) float32 frame, smoothed by a Gaussian; borders are mirrored. No gradients.

    Args:
        sigma: Standard deviation in pixels; 0: as it is.
        radius: Where the Gaussian ends, in pixels. Default: at four standard deviations.
    """
    if sigma == 0:
        return frame
    size = 2 * (math.ceil(4 * sigma) if radius is None else radius) + 1
    frame = frame.contiguous()
    result = torch.empty_like(frame)
    for plane, smoothed in zip(frame.numpy(), result.numpy()):
        cv2.GaussianBlur(plane, (size, size), sigma, dst=smoothed, borderType=cv2.BORDER_REFLECT_101)
    return result
