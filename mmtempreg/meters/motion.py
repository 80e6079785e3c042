"""Motion between frames: estimated by OpenCV; and pictures brought along it."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from ..functional import luminance
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


def flow_inside(flow: Tensor, margin: int = 0) -> Tensor:
    """(1, H, W) float32: 1 where the flow (2, H, W) leads into the frame, `margin` pixels from its border at least."""
    height, width = flow.shape[-2:]
    x, y = flow[0] + torch.arange(width), flow[1] + torch.arange(height)[:, None]
    there = (x >= margin) & (x <= width - 1 - margin) & (y >= margin) & (y <= height - 1 - margin)
    return there.unsqueeze(0).float()


def reliable(forward: Tensor, backward: Tensor) -> Tensor:
    """Where flow can be trusted: (1, H, W) float32, 1 or 0.

    Not where the two flows do not lead back (occlusion), nor where the flow jumps (motion boundary), as in Lai et al.'s
    code after Sundaram et al. 2010:

        |w(B) + F|^2 > 0.01 (|w(B)|^2 + |F|^2) + 0.5,     |grad u|^2 + |grad v|^2 > 0.01 |F|^2 + 0.002,

    and not where it leads out of the frame.

    Args:
        forward: (2, H, W) flow F from a to b.
        backward: (2, H, W) flow B from b to a.
    """
    back = bring(backward, Motion(forward, torch.ones_like(forward[:1])), "bilinear")
    norm = forward.square().sum(dim=0)
    occluded = (back + forward).square().sum(dim=0) > 0.01 * (back.square().sum(dim=0) + norm) + 0.5
    right = torch.diff(forward, dim=2, append=forward[:, :, -1:]).square().sum(dim=0)
    down = torch.diff(forward, dim=1, append=forward[:, -1:]).square().sum(dim=0)
    boundary = right + down > 0.01 * norm + 0.002
    return flow_inside(forward) * (~(occluded | boundary)).float()


def known_motion(told: dict | None, lag: int) -> Motion | None:
    """The motion from `lag` frames before, of what a dataset's item tells as `motion`; None if it does not tell."""
    known = (told or {}).get(lag)
    return None if known is None else Motion(*(torch.as_tensor(part) for part in known))


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
    parts = []
    for planes in frame.split(4):  # as many as OpenCV moves at once
        image = planes.permute(1, 2, 0).contiguous().numpy()
        moved = cv2.remap(image, x, y, flag, borderMode=cv2.BORDER_REPLICATE)
        parts.append(torch.from_numpy(moved.reshape(*image.shape)).permute(2, 0, 1))
    return torch.cat(parts)


def seen(motion: Motion, interpolation: str = "lanczos") -> Tensor:
    """(1, H, W): 1 where a pixel was seen then, and all that `bring` reads for it."""
    return motion.visible * flow_inside(
        torch.where(motion.visible > 0, motion.flow, 0), INTERPOLATIONS[interpolation][1]
    )
