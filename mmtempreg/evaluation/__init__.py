"""Metrics of ordered clips, run by MMagic's `Evaluator`."""

from .psnr import ClipPSNR, SaturatedPSNR
from .sequence_metric import SequenceMetric
from .temporal import TemporalResidual, TemporalSmoothness
from .video import ColorDistributionConsistency, TemporalOpticalFlow, VideoVDP, WarpError

__all__ = [
    "ClipPSNR",
    "ColorDistributionConsistency",
    "SaturatedPSNR",
    "SequenceMetric",
    "TemporalOpticalFlow",
    "TemporalResidual",
    "TemporalSmoothness",
    "VideoVDP",
    "WarpError",
]
