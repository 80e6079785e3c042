"""tOF: does the clip move as its reference does?"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from ..functional import estimate_flow
from .base import MeanMeter, Sums, as_float, require


class FlowDifferenceMeter(MeanMeter):
    """tOF of Chu et al. 2020 (TecoGAN): mean length of the difference between a clip's flow and its reference's.

    As in their `metrics.py`: Farneback's flow from each frame to the one before it, the first and last two pairs left
    out, in the middle of the picture, whose sides are multiples of 32 and 8 pixels from the border at least. In pixels.

    Args:
        flow: (a, b) -> flow from a to b.
        skip: Pairs that are left out at either end.
        crop: Leave out the border; where nothing would be left (sides below 48) it is kept.
    """

    name, metric, title, display = "tof", "TemporalOpticalFlow", "tOF [px]", True
    ideal = 0.0
    about = "how far do the optical flows differ, in pixels?"

    def __init__(
        self,
        flow: Callable[[Tensor, Tensor], Tensor] = lambda a, b: estimate_flow(a, b, "farneback"),
        skip: int = 2,
        crop: bool = True,
    ) -> None:
        super().__init__()
        self._flow, self._skip, self._crop = flow, skip, crop
        self._before: tuple[Tensor, Tensor] | None = None
        self._values: list[float] = []

    def update(self, pred: Tensor, target: Tensor | None = None, mask: Tensor | None = None) -> None:
        frames = as_float(pred), as_float(require(target, pred))
        if self._before is not None:
            flows = [self._flow(now, before) for before, now in zip(self._before, frames)]
            difference = self._middle(flows[0] - flows[1]).double()
            self._values.append(float(difference.square().sum(dim=0).sqrt().mean()))
        self._before = frames

    def _middle(self, flow: Tensor) -> Tensor:
        if not self._crop or min(flow.shape[-2:]) < 48:
            return flow
        for axis in (-2, -1):
            length = flow.shape[axis]
            kept = (length - 16) // 32 * 32
            flow = flow.narrow(axis, (length - kept) // 2, kept)
        return flow

    def finish(self) -> Sums:
        """(sum over pairs, number of pairs)."""
        values, self._values, self._before = self._values[self._skip : len(self._values) - self._skip], [], None
        return sum(values), float(len(values))

    @staticmethod
    def reason(sums: Sums) -> str:
        return "it needs 6 frames"
