"""Metrics of ordered clips, run by MMagic's `Evaluator`."""

from .saturated_psnr import SaturatedPSNR
from .sequence_metric import SequenceMetric
from .temporal import TemporalResidual, TemporalSmoothness

__all__ = ["SaturatedPSNR", "SequenceMetric", "TemporalResidual", "TemporalSmoothness"]
