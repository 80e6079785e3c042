"""Regularisation terms, and the losses that they and the task models are built over."""

from .detail import LocalStatisticsLoss, RelativeDetailLoss
from .illumination import IlluminationReflectanceLoss
from .masked import L2NormLoss, MaskedLoss
from .perceptual import VGG16Loss
from .regularization import (
    AugmentationLoss,
    CombinedRegularizationLoss,
    RegularizationLoss,
    SiameseOutputs,
    SparseJacobianLoss,
    StabilityLoss,
    TemporalResidualLoss,
    TransformInvarianceLoss,
)

__all__ = [
    "AugmentationLoss",
    "CombinedRegularizationLoss",
    "IlluminationReflectanceLoss",
    "L2NormLoss",
    "LocalStatisticsLoss",
    "MaskedLoss",
    "RegularizationLoss",
    "RelativeDetailLoss",
    "SiameseOutputs",
    "SparseJacobianLoss",
    "StabilityLoss",
    "TemporalResidualLoss",
    "TransformInvarianceLoss",
    "VGG16Loss",
]
