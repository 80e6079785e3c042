"""tOF: does the clip move as its reference does?"""

from __future__ import annotations

from torch import Tensor

from ..functional import Motion, estimate_flow
from ..functional.motion import grey_levels
from .base import Mean, MeanMeter, Picture, grey


class FlowDifferenceMeter(MeanMeter):
    """tOF of Chu et al. 2020 (TecoGAN): mean length of the difference between a clip's flow and its reference's.

    As in their `metrics.py`: Farneback's flow from each frame to the one before it, the first and last two pairs left
    out, in the middle of the picture, whose sides are multiples of 32 and 8 pixels from the border at least (where
    nothing would be left, of sides below 48, all of it). In pixels.

    Example:
        >>> import torch
        >>> meter = FlowDifferenceMeter()
        >>> for frame in torch.rand(8, 3, 64, 64):
        ...     meter.update(frame, frame)
        >>> FlowDifferenceMeter.value(meter.finish())
        0.0
    """

    name, metric, title, display, default = "tof", "TemporalOpticalFlow", "tOF [px]", True, False
    ideal = 0.0
    about = "how far do the optical flows differ, in pixels?"

    SKIPPED = 2
    """Pairs that are left out at either end."""

    def _begin(self) -> None:
        super()._begin()
        self._before: list[Picture] = []
        self._values: list[float] = []

    def measure(self, pred: Picture, target: Picture, mask: Tensor | None, motion: Motion | None) -> None:
        now = [picture.once(grey) for picture in (pred, target)]
        if self._before:
            flows = [then.once(_flow_back, frame) for then, frame in zip(self._before, now)]
            self._values.append(float(_middle(flows[0] - flows[1]).double().square().sum(dim=0).sqrt().mean()))
        self._before = now

    def finish(self) -> Mean:
        if self._before:
            self.add(self.nothing)  # the first frame has no pair
        last = len(self._values) - self.SKIPPED
        for number, value in enumerate(self._values):
            self.add(Mean(value, 1.0) if self.SKIPPED <= number < last else self.nothing)
        return super().finish()

    @classmethod
    def reason(cls, sums: Mean) -> str:
        return "it needs 6 frames"


def _flow_back(then: Tensor, now: Picture) -> Tensor:
    return estimate_flow(now.once(grey_levels), then, "farneback")


def _middle(flow: Tensor) -> Tensor:
    if min(flow.shape[-2:]) < 48:
        return flow
    for axis in (-2, -1):
        length = flow.shape[axis]
        kept = (length - 16) // 32 * 32
        flow = flow.narrow(axis, (length - kept) // 2, kept)
    return flow
