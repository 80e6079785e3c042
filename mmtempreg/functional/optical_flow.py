"""Optical flow: frames brought along it, and where it can be trusted.

Flow from frame a to frame b is (2, H, W) float32, (x, y) in pixels: what is at p in a is at p + flow(p) in b.
"""

from __future__ import annotations

from torch import Tensor

import torch

from .geometry import inside, pixel_grid, sample_at


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


def flow_inside(flow: Tensor, margin: int = 0) -> Tensor:
    """(1, H, W) float32: 1 where the flow (2, H, W) leads into the frame, `margin` pixels from its border at least."""
    height, width = flow.shape[-2:]
    points = _targets(flow.unsqueeze(0)) - margin
    return inside(points, (height - 2 * margin, width - 2 * margin))[0]


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
    return flow_inside(forward) * (~(occluded | boundary)).float()
