"""Frames brought along optical flow, differentiably.

Flow from frame a to frame b is (2, H, W) float32, (x, y) in pixels: what is at p in a is at p + flow(p) in b.
"""

from __future__ import annotations

from torch import Tensor

from .geometry import pixel_grid, sample_at


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
