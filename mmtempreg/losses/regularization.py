"""The regularisation terms L_reg: the paper's (section 3) and ours, over what the siamese passes gave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

import torch
from mmagic.registry import MODELS
from torch import Tensor, nn

from ..functional.temporal import SIGMA, highpass_matrix
from ..transforms.base import DrawnTransform
from ..utils.validation import FrameRate, NotNegative, Positive, check_arguments
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

    Example:
        >>> y, dark = torch.ones(1, 3, 4, 4), torch.full((1, 1, 4, 4), 0.25)
        >>> outputs = SiameseOutputs(y, y, y, DrawnTransform((4, 4)), weight=dark)  # T that moves nothing
        >>> torch.equal(outputs.moved_target(), y), torch.equal(outputs.joint_weight(), dark)
        (True, True)
    """

    f_x: Tensor
    f_tx: Tensor
    target: Tensor
    transform: DrawnTransform
    _: KW_ONLY
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


def seen_in_all(outputs: Sequence[SiameseOutputs]) -> Tensor:
    """(N, 1, H, W): 1 where every T reads from inside of the image."""
    return torch.stack([one.transform.valid(one.f_tx) for one in outputs]).amin(dim=0)


class RegularizationLoss(nn.Module):
    """A term L_reg. Subclasses say which two maps are compared, and with what weight, in `terms`.

    Args:
        distance: Config of any MMagic pixel loss, called as `distance(a, b)`. The default, mean of squares, is
            the authors' code; `dict(type='L2NormLoss')` is the norm as printed in the paper.
        valid_only: Leave out pixels for which T reads from outside the image. False: the authors' code.
    """

    @check_arguments
    def __init__(self, distance: dict | None = None, valid_only: bool = True) -> None:
        super().__init__()
        self.masked_loss = MaskedLoss(distance)
        self.valid_only = valid_only

    def terms(self, outputs: SiameseOutputs) -> tuple[Tensor, Tensor, Tensor | None]:
        """The two maps to compare, and their weight or None."""
        raise NotImplementedError

    def forward(self, *outputs: SiameseOutputs) -> Tensor:
        """The scalar loss; of several T, the mean over them."""
        return torch.stack([self.of_one(one) for one in outputs]).mean()

    def of_one(self, outputs: SiameseOutputs) -> Tensor:
        """The loss for one T."""
        first, second, weight = self.terms(outputs)
        if self.valid_only:
            valid = outputs.transform.valid(first).to(first.dtype)
            weight = valid if weight is None else weight * valid
        return self.masked_loss(first, second, weight)


@MODELS.register_module()
class StabilityLoss(RegularizationLoss):
    """Eq. 2: || f(x) - f(T(x)) ||. Zheng et al. 2016 with noise as T; with motion it asks f to freeze.

    Example:
        >>> f_x, still = torch.rand(1, 3, 4, 4), DrawnTransform((4, 4))
        >>> StabilityLoss()(SiameseOutputs(f_x, f_x + 0.1, f_x, still))
        tensor(0.0100)
    """

    def terms(self, outputs: SiameseOutputs) -> tuple[Tensor, Tensor, Tensor | None]:
        return outputs.f_tx, outputs.f_x, outputs.joint_weight()


@MODELS.register_module()
class TransformInvarianceLoss(RegularizationLoss):
    """Eq. 4: || f(T(x)) - T(f(x)) ||.

    Example:
        >>> f_x, still = torch.rand(1, 3, 4, 4), DrawnTransform((4, 4))
        >>> TransformInvarianceLoss()(SiameseOutputs(f_x, f_x + 0.1, f_x, still))
        tensor(0.0100)
    """

    def terms(self, outputs: SiameseOutputs) -> tuple[Tensor, Tensor, Tensor | None]:
        return outputs.f_tx, outputs.transform.apply_output(outputs.f_x), outputs.moved_weight()


@MODELS.register_module()
class SparseJacobianLoss(RegularizationLoss):
    """Eq. 7-8: || (f(T(x)) - f(x)) - (T(y) - y) ||, the change of the error from one frame to the next.

    Example:
        >>> y, still = torch.rand(1, 3, 4, 4), DrawnTransform((4, 4))
        >>> SparseJacobianLoss()(SiameseOutputs(y + 0.3, y + 0.4, y, still))  # an error that stays costs nothing
        tensor(0.0100)
    """

    def terms(self, outputs: SiameseOutputs) -> tuple[Tensor, Tensor, Tensor | None]:
        change = outputs.f_tx - outputs.f_x
        return change, outputs.moved_target() - outputs.target, outputs.joint_weight()


@MODELS.register_module()
class AugmentationLoss(RegularizationLoss):
    """Eq. 5: || f(T(x)) - T(y) ||. With alpha = 1 this is plain augmentation by T.

    Example:
        >>> y, still = torch.rand(1, 3, 4, 4), DrawnTransform((4, 4))
        >>> AugmentationLoss()(SiameseOutputs(y, y + 0.2, y, still))
        tensor(0.0400)
    """

    def terms(self, outputs: SiameseOutputs) -> tuple[Tensor, Tensor, Tensor | None]:
        return outputs.f_tx, outputs.moved_target(), outputs.moved_weight()


@MODELS.register_module()
class TemporalResidualLoss(RegularizationLoss):
    """The high-pass of the error over a pseudo-clip: what the temporal residual R measures (`functional.temporal`).

    x and its K - 1 moved copies are taken as consecutive frames, and e_k = f(T_k(x)) - T_k(y) is the error of each:

        2K / (K - 1) mean_k | e_k - (G_sigma * e)_k |^2

    The factor makes it the mean of the squared differences of two frames, as long as the clip is shorter than the
    Gaussian; with a single T it is sparse Jacobian (Eq. 7-8). Meant for `num_transforms=K-1, motion='path'`.

    Args:
        fps: Frames per second of the pseudo-clip.
        sigma: Standard deviation of the Gaussian in seconds.
        kwargs: Arguments of `RegularizationLoss`.

    Example:
        >>> y, still = torch.rand(1, 3, 4, 4), DrawnTransform((4, 4))
        >>> frames = [SiameseOutputs(y + 0.3, y + 0.3, y, still) for _ in range(5)]
        >>> bool(TemporalResidualLoss()(*frames) < 1e-10)  # an error that stays costs nothing
        True
    """

    @check_arguments
    def __init__(self, fps: FrameRate = 24.0, sigma: Positive = SIGMA, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fps, self.sigma = fps, sigma

    def forward(self, *outputs: SiameseOutputs) -> Tensor:
        first = outputs[0]
        errors = torch.stack([first.f_x - first.target, *(one.f_tx - one.moved_target() for one in outputs)])
        matrix = highpass_matrix(len(errors), self.fps, self.sigma).to(errors)
        scale = (2 * len(errors) / (len(errors) - 1)) ** 0.5
        highpass = scale * torch.einsum("kj,j...->k...", matrix, errors)
        weight = self._weight(outputs)
        if weight is not None:
            highpass = highpass * weight
        highpass = highpass.flatten(0, 1)
        return self.masked_loss(highpass, torch.zeros_like(highpass))

    def _weight(self, outputs: Sequence[SiameseOutputs]) -> Tensor | None:
        """Weight of what counts in any frame, where all frames see it."""
        weight = None
        if outputs[0].weight is not None:
            joint = [one.joint_weight() for one in outputs]
            weight = torch.stack([one for one in joint if one is not None]).amax(dim=0)
        if self.valid_only:
            seen = seen_in_all(outputs).to(outputs[0].f_x)
            weight = seen if weight is None else weight * seen
        return weight


@MODELS.register_module()
class CombinedRegularizationLoss(nn.Module):
    """Several regularisation terms at once: their weighted sum.

    Args:
        losses: Configs of regularisation losses.
        weights: How much each counts; None: 1 / their number.

    Raises:
        ValueError: If there is no loss, or not one weight for each.

    Example:
        >>> losses = [dict(type="StabilityLoss"), dict(type="AugmentationLoss")]
        >>> loss = CombinedRegularizationLoss(losses, weights=[1, 2])
        >>> y, still = torch.rand(1, 3, 4, 4), DrawnTransform((4, 4))
        >>> loss(SiameseOutputs(y, y + 0.1, y, still))
        tensor(0.0300)
    """

    @check_arguments
    def __init__(self, losses: Sequence[dict], weights: Sequence[NotNegative] | None = None) -> None:
        super().__init__()
        if not losses or (weights is not None and len(weights) != len(losses)):
            raise ValueError(f"give losses, and a weight for each or none: got {losses} and {weights}")
        self.losses = nn.ModuleList(MODELS.build(loss) for loss in losses)
        self.weights = [1 / len(losses)] * len(losses) if weights is None else list(weights)

    def forward(self, *outputs: SiameseOutputs) -> Tensor:
        """The scalar loss."""
        return torch.stack([weight * loss(*outputs) for weight, loss in zip(self.weights, self.losses)]).sum()
