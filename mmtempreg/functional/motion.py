"""Motion between frames: what it is, how it is estimated (by OpenCV), and pictures brought along it.

Flow from frame a to frame b is (2, H, W) float32, (x, y) in pixels: what is at p in a is at p + flow(p) in b.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from .camera import luminance
from .geometry import pixel_grid, sample_at

METHODS = ("dis", "farneback")

INTERPOLATIONS = {"lanczos": (cv2.INTER_LANCZOS4, 4), "bilinear": (cv2.INTER_LINEAR, 0)}
"""Name -> OpenCV's flag, and how far from the border it must stay to read no pixel outside."""


class Motion(NamedTuple):
    """Motion from an earlier frame: where each pixel was.

    Attributes:
        flow: (2, H, W) float32, (x, y) in pixels: what is at p now was at p + flow(p) then.
        visible: (1, H, W) float32: 1 where it was seen then, 0 where it was hidden, outside, or where nobody knows.
    """

    flow: Tensor
    visible: Tensor


def lag_frames(lag: float | None, fps: float) -> int:
    """A lag in seconds, in whole frames; None: one frame.

    Raises:
        ValueError: If it is not a positive number.
    """
    if lag is None:
        return 1
    if not (math.isfinite(lag) and lag > 0):
        raise ValueError(f"lag must be a positive number of seconds, or None for one frame, got {lag}")
    return max(1, round(lag * fps))


def estimate_flow(a: Tensor, b: Tensor, method: str = "dis") -> Tensor:
    """Flow from frame `a` to frame `b`, (2, H, W).

    Args:
        a, b: (3 or 1, H, W) display values in [0, 1], or what `grey_levels` has made of them.
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
    greys = [grey_levels(frame)[0].numpy() for frame in (a, b)]
    if method == "dis":
        flow = opencv.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(*greys, None)
    else:
        flow = opencv.calcOpticalFlowFarneback(*greys, None, 0.5, 3, 15, 3, 5, 1.2, 0)
    return torch.from_numpy(flow).permute(2, 0, 1).contiguous()


def grey_levels(frame: Tensor) -> Tensor:
    """(1, H, W) uint8, what flow is estimated of: luminance, in 8 bits, of (3 or 1, H, W) display values in [0, 1]."""
    if frame.dtype == torch.uint8:
        return frame
    grey = luminance(frame) if frame.shape[-3] == 3 else frame
    return (grey.float() * 255).round().clamp(0, 255).byte()


def flow_inside(flow: Tensor, margin: int = 0) -> Tensor:
    """(1, H, W) float32: 1 where the flow (2, H, W) leads into the frame, `margin` pixels from its border at least."""
    opencv: Any = cv2  # its stubs know no numbers
    there = [
        opencv.inRange(position, margin, length - 1 - margin)
        for position, length in zip(_positions(flow), (flow.shape[-1], flow.shape[-2]))
    ]
    return torch.from_numpy((there[0] & there[1]).astype(np.float32)).div_(255).unsqueeze(0)


def _positions(flow: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """(H, W) x and y that a flow leads to."""
    rows, columns = (np.arange(n, dtype=np.float32) for n in flow.shape[-2:])
    return flow[0].numpy() + columns[None, :], flow[1].numpy() + rows[:, None]


def reliable(forward: Tensor, backward: Tensor) -> Tensor:
    """Mask of flow that can be trusted: (1, H, W) float32, 1 or 0.

    Not where the two flows do not lead back (occlusion), nor where the flow jumps (motion boundary), as in Lai et al.'s
    code after Sundaram et al. 2010:

        |w(B) + F|^2 > 0.01 (|w(B)|^2 + |F|^2) + 0.5,     |grad u|^2 + |grad v|^2 > 0.01 |F|^2 + 0.002,

    and not where it leads out of the frame.

    Args:
        forward: (2, H, W) flow F from a to b.
        backward: (2, H, W) flow B from b to a.
    """
    back = bring(backward, Motion(forward, torch.ones_like(forward[:1])), "bilinear")
    norm, jump = _squared_length(forward), torch.zeros_like(forward[0])
    jump[:, :-1] += _squared_length(forward[:, :, 1:] - forward[:, :, :-1])
    jump[:-1] += _squared_length(forward[:, 1:] - forward[:, :-1])
    boundary = jump > 0.01 * norm + 0.002
    occluded = _squared_length(back + forward) > _squared_length(back).add_(norm).mul_(0.01).add_(0.5)
    return flow_inside(forward).masked_fill_(occluded | boundary, 0)


def _squared_length(vectors: Tensor) -> Tensor:
    x, y = vectors
    return (x * x).add_(y * y)


def known_motion(told: dict | None, lag: int) -> Motion | None:
    """The motion from `lag` frames before, of what a dataset's item tells as `motion`; None if it does not tell."""
    known = (told or {}).get(lag)
    return None if known is None else Motion(*(torch.as_tensor(part) for part in known))


def estimate_motion(now: Tensor, then: Tensor) -> Motion:
    """Motion from an earlier frame, of two frames as `estimate_flow` takes them: DIS, where it can be trusted."""
    flow, back = estimate_flow(now, then), estimate_flow(then, now)
    return Motion(flow, reliable(flow, back))


def compose(late: Motion, early: Motion) -> Motion:
    """Motion over two steps: from now to then, and from then to a frame before that."""
    both = torch.cat([early.flow, early.visible])
    carried = bring(torch.where(early.visible > 0, both, 0), late, "bilinear")
    visible = late.visible * flow_inside(_known_flow(late)) * (carried[2:] > 0.99)
    return Motion(late.flow + carried[:2], visible)


def bring(frame: Tensor, motion: Motion, interpolation: str = "lanczos") -> Tensor:
    """An earlier frame, (C, H, W) float32, brought along the motion to now.

    Lanczos of 8x8 pixels; positions are rounded to 1/32 pixel by OpenCV, far below what estimated flow gets wrong.
    """
    flag, _ = INTERPOLATIONS[interpolation]
    x, y = _positions(_known_flow(motion))
    parts = []
    for planes in frame.split(4):  # as many as OpenCV moves at once
        image = planes.permute(1, 2, 0).contiguous().numpy()
        moved = cv2.remap(image, x, y, flag, borderMode=cv2.BORDER_REPLICATE)
        parts.append(torch.from_numpy(moved.reshape(*image.shape)).permute(2, 0, 1))
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def _known_flow(motion: Motion) -> Tensor:
    """The flow, 0 where it is unknown: that may be beyond all numbers."""
    return torch.where(motion.visible > 0, motion.flow, 0)


def seen(motion: Motion, interpolation: str = "lanczos") -> Tensor:
    """(1, H, W): 1 where a pixel was seen then, and all that `bring` reads for it."""
    return motion.visible * flow_inside(_known_flow(motion), INTERPOLATIONS[interpolation][1])


def _targets(flow: Tensor) -> Tensor:
    """(N, H, W, 2): where the points of frame a are in b."""
    size = (flow.shape[-2], flow.shape[-1])
    return pixel_grid(size, size, flow.device) + flow.permute(0, 2, 3, 1)


def warp_by_flow(frame: Tensor, flow: Tensor) -> Tensor:
    """`frame` b brought back to a by the flow from a to b: b(p + flow(p)), bilinear; borders are continued.

    Args:
        frame: (C, H, W) or (N, C, H, W).
        flow: (2, H, W) or (N, 2, H, W).
    """
    if frame.ndim == 3:
        return sample_at(frame.unsqueeze(0), _targets(flow.unsqueeze(0)), "border")[0]
    return sample_at(frame, _targets(flow), "border")
