"""The regularisation terms L_reg of the paper (section 3), over what the two siamese passes gave."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from mmagic.registry import MODELS
from torch import Tensor, nn

from ..transforms.base import DrawnTransform
from .masked import MaskedLoss


@dataclass
class SiameseOutputs:
    """All that a regularisation loss may look at.

    Attributes:
        f_x: (N, C, H, W) prediction from x.
        f_tx: (N, C, H, W) prediction from T(x).
        target: (N, C, H, W) ground truth y in the prediction's domain.
        transform: The drawn T.
        weight: (N, 1 or C, H, W) in [0, 1], how much each value of the prediction counts; None: all 1.
        t_target: T(y). None: T applied to `target`. A model whose prediction is not linear in light gives
            its own (HDR: the logarithm of the moved radiance).
    """

    f_x: Tensor
    f_tx: Tensor
    target: Tensor
    transform: DrawnTransform
    weight: Tensor | None = None
    t_target: Tensor | None = None

    def moved_target(self) -> Tensor:
        """T(y)."""
        return self.transform.apply_output(self.target) if self.t_target is None else self.t_target

    def moved_weight(self) -> Tensor | None:
        """T(w)."""
        return None if self.weight is None else self.transform.apply_output(self.weight)

    def joint_weight(self) -> Tensor | None:
        """max(w, T(w)): what counts in either frame."""
        moved = self.moved_weight()
        return None if self.weight is None or moved is None else torch.maximum(self.weight, moved)


class RegularizationLoss(nn.Module):
    """A term L_reg. Subclasses say which two maps are compared, and with what weight, in `terms`.

    Args:
        distance: Config of any MMagic pixel loss, called as `distance(a, b)`. The default, mean of squares, is
            the authors' code; `dict(type='L2NormLoss')` is the norm as printed in the paper.
        valid_only: Leave out pixels for which T reads from outside the image. False: the authors' code.
    """

    def __init__(self, distance: dict | None = None, valid_only: bool = True) -> None:
        super().__init__()
        self.masked_loss = MaskedLoss(distance)
        self.valid_only = valid_only

    def terms(self, outputs: SiameseOutputs) -> tuple[Tensor, Tensor, Tensor | None]:
        """The two maps to compare, and their weight or None."""
        raise NotImplementedError

    def forward(self, outputs: SiameseOutputs) -> Tensor:
        """The scalar loss."""
        first, second, weight = self.terms(outputs)
        if self.valid_only:
            valid = outputs.transform.valid(first).to(first.dtype)
            weight = valid if weight is None else weight * valid
        return self.masked_loss(first, second, weight)


@MODELS.register_module()
class StabilityLoss(RegularizationLoss):
    """Eq. 2: || f(x) - f(T(x)) ||. Zheng et al. 2016 with noise as T; with motion it asks f to freeze."""

    def terms(self, outputs: SiameseOutputs) -> tuple[Tensor, Tensor, Tensor | None]:
        return outputs.f_tx, outputs.f_x, outputs.joint_weight()


@MODELS.register_module()
class TransformInvarianceLoss(RegularizationLoss):
    """Eq. 4: || f(T(x)) - T(f(x)) ||."""

    def terms(self, outputs: SiameseOutputs) -> tuple[Tensor, Tensor, Tensor | None]:
        return outputs.f_tx, outputs.transform.apply_output(outputs.f_x), outputs.moved_weight()


@MODELS.register_module()
class SparseJacobianLoss(RegularizationLoss):
    """Eq. 7-8: || (f(T(x)) - f(x)) - (T(y) - y) ||, the change of the error from one frame to the next."""

    def terms(self, outputs: SiameseOutputs) -> tuple[Tensor, Tensor, Tensor | None]:
        change = outputs.f_tx - outputs.f_x
        return change, outputs.moved_target() - outputs.target, outputs.joint_weight()


@MODELS.register_module()
class AugmentationLoss(RegularizationLoss):
    """Eq. 5: || f(T(x)) - T(y) ||. With alpha = 1 this is plain augmentation by T."""

    def terms(self, outputs: SiameseOutputs) -> tuple[Tensor, Tensor, Tensor | None]:
        return outputs.f_tx, outputs.moved_target(), outputs.moved_weight()
