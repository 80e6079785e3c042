"""Metrics of ordered clips, run by MMagic's `Evaluator`."""

from .equivariance import ImageEquivariance
from .psnr import ClipPSNR, SaturatedPSNR
from .sequence_metric import SequenceMetric
from .temporal import TemporalFlicker, TemporalResidual, TemporalSmoothness, WarpError
from .video import ColorDistributionConsistency, SpatialDetail, TemporalOpticalFlow, VideoVDP

__all__ = [
    "ClipPSNR",
    "ColorDistributionConsistency",
    "ImageEquivariance",
    "SaturatedPSNR",
    "SequenceMetric",
    "SpatialDetail",
    "TemporalFlicker",
    "TemporalOpticalFlow",
    "TemporalResidual",
    "TemporalSmoothness",
    "VideoVDP",
    "WarpError",
]
