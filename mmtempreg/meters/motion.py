"""Motion between frames: estimated by OpenCV; and pictures brought along it."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from ..functional import luminance
from ..functional.optical_flow import flow_inside, reliable
from .base import Motion

METHODS = ("dis", "farneback")

INTERPOLATIONS = {"lanczos": (cv2.INTER_LANCZOS4, 4), "bilinear": (cv2.INTER_LINEAR, 0)}
"""Name -> OpenCV's flag, and how far from the border it must stay to read no pixel outside."""


def estimate_flow(a: Tensor, b: Tensor, method: str = "dis") -> Tensor:
    """Flow from frame `a` to frame `b`, (2, H, W).

    Args:
        a, b: (3 or 1, H, W) display values in [0, 1].
        method: 'dis' (Kroeger et al. 2016, OpenCV's medium preset) or 'farneback' (with the parameters of tOF,
            Chu et al. 2020).

    Raises:
        ValueError: For an unknown method, or frames that differ in size or are too small (16 pixels).
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {METHODS}, got {method!r}")
    if a.shape[-2:] != b.shape[-2:] or min(a.shape[-2:]) < 16:
        sizes = f"{tuple(a.shape)} and {tuple(b.shape)}"
        raise ValueError(f"optical flow needs two frames of one size, 16 pixels at least, got {sizes}")
    opencv: Any = cv2  # its stubs know neither
    if method == "dis":
        flow = opencv.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(_grey(a), _grey(b), None)
    else:
        flow = opencv.calcOpticalFlowFarneback(_grey(a), _grey(b), None, 0.5, 3, 15, 3, 5, 1.2, 0)
    return torch.from_numpy(flow).permute(2, 0, 1).contiguous()


def _grey(frame: Tensor) -> np.ndarray:
    grey = luminance(frame) if frame.shape[-3] == 3 else frame
    return (grey[0].float() * 255).round().clamp(0, 255).byte().numpy()


def estimate_motion(now: Tensor, then: Tensor) -> Motion:
    """Motion from an earlier frame, of two frames of (3 or 1, H, W) display values: DIS, where it can be trusted."""
    flow, back = estimate_flow(now, then), estimate_flow(then, now)
    return Motion(flow, reliable(flow, back))


def compose(late: Motion, early: Motion) -> Motion:
    """Motion over two steps: from now to then, and from then to a frame before that."""
    both = torch.cat([early.flow, early.visible])
    carried = bring(torch.where(early.visible > 0, both, 0), late, "bilinear")
    visible = late.visible * flow_inside(torch.where(late.visible > 0, late.flow, 0)) * (carried[2:] > 0.99)
    return Motion(late.flow + carried[:2], visible)


def bring(frame: Tensor, motion: Motion, interpolation: str = "lanczos") -> Tensor:
    """An earlier frame, (C, H, W) float32, brought along the motion to now.

    Lanczos of 8x8 pixels; positions are rounded to 1/32 pixel by OpenCV, far below what estimated flow gets wrong.
    """
    flag, _ = INTERPOLATIONS[interpolation]
    rows, columns = (np.arange(n, dtype=np.float32) for n in frame.shape[-2:])
    flow = torch.where(motion.visible > 0, motion.flow, 0).numpy()  # what is unknown may be beyond all numbers
    x, y = flow[0] + columns[None, :], flow[1] + rows[:, None]
    planes = [cv2.remap(plane, x, y, flag, borderMode=cv2.BORDER_REPLICATE) for plane in frame.numpy()]
    return torch.from_numpy(np.stack(planes))


def seen(motion: Motion, interpolation: str = "lanczos") -> Tensor:
    """(1, H, W): 1 where a pixel was seen then, and all that `bring` reads for it."""
    return motion.visible * flow_inside(torch.where(motion.visible > 0, motion.flow, 0), INTERPOLATIONS[interpolation][1])
