"""Distances: weighted by a map, and the plain L2 norm."""

from __future__ import annotations

import torch
from mmagic.registry import MODELS
from torch import Tensor, nn

from ..utils.validation import check_arguments


@MODELS.register_module()
class MaskedLoss(nn.Module):
    """A pixel loss between two maps that are both multiplied by a weight: distance(w a, w b).

    With the default distance this is mean[((a - b) w)^2] over *all* values, as in the authors' code: the mask
    stands inside the square, and nothing is divided by its sum.

    A distance that looks at neighbourhoods (attribute `looks_around`) gets distance(a, w b + (1 - w) a) instead: where
    nothing counts both maps are the same, and there is no edge to be seen at the border of the weight.

    Args:
        distance: Config of any MMagic pixel loss, called as `distance(pred, target)`; of several values that it gives,
            such as `PerceptualLoss`, the sum counts.

    Example:
        >>> ones, half = torch.ones(1, 3, 2, 2), torch.full((1, 1, 2, 2), 0.5)
        >>> MaskedLoss()(ones, 0 * ones, half)
        tensor(0.2500)
    """

    @check_arguments
    def __init__(self, distance: dict | None = None) -> None:
        super().__init__()
        self.distance = MODELS.build(distance or dict(type="MSELoss"))
        if getattr(self.distance, "reduction", "mean") != "mean":
            raise ValueError(
                f"distance must have reduction='mean', got {self.distance.reduction!r}: the strength of the loss would "
                "depend on the size of the crops"
            )

    def forward(self, pred: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Args: pred, target: (N, C, H, W); weight: (N, 1 or C, H, W) in [0, 1], or None for 1."""
        if weight is not None and getattr(self.distance, "looks_around", False):
            target = pred + weight * (target - pred)
        elif weight is not None:
            pred, target = pred * weight, target * weight
        value = self.distance(pred, target)
        return sum(part for part in value if part is not None) if isinstance(value, tuple) else value


@MODELS.register_module()
class L2NormLoss(nn.Module):
    """The norm ||pred - target||_2 of each image, as the paper prints it, averaged over the batch.

    Example:
        >>> L2NormLoss()(torch.ones(2, 3, 2, 2), torch.zeros(2, 3, 2, 2))  # the square root of 12
        tensor(3.4641)
    """

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        """Args: pred, target: (N, C, H, W)."""
        return torch.linalg.vector_norm((pred - target).flatten(1), dim=1).mean()
