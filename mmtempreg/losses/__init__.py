"""Regularisation terms, and the losses that they and the task models are built over."""

from .illumination import IlluminationReflectanceLoss
from .masked import L2NormLoss, MaskedLoss
from .regularization import (
    AugmentationLoss,
    RegularizationLoss,
    SiameseOutputs,
    SparseJacobianLoss,
    StabilityLoss,
    TransformInvarianceLoss,
)

__all__ = [
    "AugmentationLoss",
    "IlluminationReflectanceLoss",
    "L2NormLoss",
    "MaskedLoss",
    "RegularizationLoss",
    "SiameseOutputs",
    "SparseJacobianLoss",
    "StabilityLoss",
    "TransformInvarianceLoss",
]
