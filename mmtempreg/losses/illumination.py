"""hdrcnn's reconstruction loss: illumination and reflectance apart."""

from __future__ import annotations

from mmagic.registry import MODELS
from torch import Tensor, nn

from ..functional import illumination
from ..utils.validation import Share, check_arguments


@MODELS.register_module()
class IlluminationReflectanceLoss(nn.Module):
    """mean[(w (I - I')^2 + (1 - w) (R - R')^2) m] of log-radiance images (Eilertsen et al. 2017, Eq. 7).

    I is the blurred log luminance (`functional.illumination`), R = log H - I the rest, and m the weight map.

    Args:
        illumination_weight: w in [0, 1]; 0.5 in the authors' code.

    Example:
        >>> import torch
        >>> y = torch.zeros(1, 3, 32, 32)
        >>> round(float(IlluminationReflectanceLoss()(y + 0.2, y)), 3)  # illumination is wrong, reflectance is right
        0.02
    """

    @check_arguments
    def __init__(self, illumination_weight: Share = 0.5) -> None:
        super().__init__()
        self.illumination_weight = illumination_weight

    def forward(self, pred: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Args: pred, target: (N, 3, H, W) natural logarithms of radiance; weight: (N, 1, H, W) or None."""
        light_pred, light = illumination(pred), illumination(target)
        w = self.illumination_weight
        squares = w * (light - light_pred).square() + (1 - w) * ((target - light) - (pred - light_pred)).square()
        return (squares if weight is None else squares * weight).mean()
