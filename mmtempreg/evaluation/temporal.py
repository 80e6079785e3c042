"""The paper's smoothness and our temporal residual as MMagic metrics."""

from __future__ import annotations

from typing import Any

from mmagic.registry import METRICS
from torch import Tensor

from ..functional import TemporalEnergies, TemporalEnergyMeter
from ..functional.temporal import SIGMA
from .sequence_metric import SequenceMetric


class _TemporalMetric(SequenceMetric):
    def __init__(self, sigma: float = SIGMA, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sigma = sigma

    def start_clip(self, fps: float, num_frames: int) -> None:
        self._meter = TemporalEnergyMeter(fps, self.sigma)
        self._weight = 0.0

    def update(self, gt: Tensor, pred: Tensor, mask: Tensor | None) -> None:
        self._meter.update(gt, pred, mask)
        self._weight += 1.0 if mask is None else float(mask.sum())

    def finish_clip(self) -> tuple[float, ...] | None:
        energies = self._meter.finish()
        return None if self._weight == 0 else (energies.reference, energies.video, energies.error)


@METRICS.register_module()
class TemporalSmoothness(_TemporalMetric):
    """S = sqrt(sum D(y) / sum D(f(x))), Eq. 9-10: above 1 smoother than the truth; infinite for a still clip.

    Args:
        sigma: Standard deviation of the temporal Gaussian in seconds.
        kwargs: Of `SequenceMetric`.
    """

    metric = "TemporalSmoothness"

    def value(self, totals: tuple[float, ...]) -> float:
        return TemporalEnergies(*totals).smoothness


@METRICS.register_module()
class TemporalResidual(_TemporalMetric):
    """R = sqrt(sum D(f(x) - y) / sum D(y)): flicker that the truth does not have. 0 is perfect, 1 a still clip.

    Args:
        sigma: Standard deviation of the temporal Gaussian in seconds.
        kwargs: Of `SequenceMetric`.
    """

    metric = "TemporalResidual"

    def value(self, totals: tuple[float, ...]) -> float:
        return TemporalEnergies(*totals).residual
