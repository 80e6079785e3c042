"""Optical flow: estimated by OpenCV, or read from .flo files; where it can be trusted.

Flow from frame a to frame b is (2, H, W) float32, (x, y) in pixels: what is at p in a is at p + flow(p) in b.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from .camera import luminance
from .geometry import inside, pixel_grid, sample_at

METHODS = ("dis", "farneback")


def estimate_flow(a: Tensor, b: Tensor, method: str = "dis") -> Tensor:
    """Flow from frame `a` to frame `b`.

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


def read_flow(path: str | Path) -> Tensor:
    """A Middlebury .flo file: (2, H, W) float32.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no such file, or cut off.
    """
    data = Path(path).read_bytes()
    if data[:4] != b"PIEH" or len(data) < 12:
        raise ValueError(f"{path} is not a .flo file (it does not begin with PIEH)")
    width, height = (int(n) for n in np.frombuffer(data, "<i4", 2, 4))
    if min(width, height) < 1 or len(data) != 12 + 8 * width * height:
        raise ValueError(f"{path} says it holds {width}x{height} vectors, but has {len(data)} bytes")
    values = np.frombuffer(data, "<f4", offset=12).reshape(height, width, 2)
    return torch.from_numpy(values.transpose(2, 0, 1).copy())


def write_flow(path: str | Path, flow: Tensor) -> None:
    """Writes a Middlebury .flo file from (2, H, W)."""
    height, width = flow.shape[-2:]
    values = flow.permute(1, 2, 0).contiguous().numpy().astype("<f4")
    Path(path).write_bytes(b"PIEH" + np.array([width, height], "<i4").tobytes() + values.tobytes())


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
    back = warp_by_flow(backward, forward)
    norm = forward.square().sum(dim=0)
    occluded = (back + forward).square().sum(dim=0) > 0.01 * (back.square().sum(dim=0) + norm) + 0.5
    right = torch.diff(forward, dim=2, append=forward[:, :, -1:]).square().sum(dim=0)
    down = torch.diff(forward, dim=1, append=forward[:, -1:]).square().sum(dim=0)
    boundary = right + down > 0.01 * norm + 0.002
    within = inside(_targets(forward.unsqueeze(0)), (forward.shape[-2], forward.shape[-1]))[0]
    return within * (~(occluded | boundary)).float()
