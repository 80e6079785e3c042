"""Comparisons of pictures that a blur does not win: of detail relative to how much there is, and of its amount."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
import torch.nn.functional as F
from annotated_types import Interval
from mmagic.registry import MODELS
from torch import Tensor, nn
from torchvision.transforms.functional import gaussian_blur

from ..utils.validation import NotNegative, Positive, check_arguments


@MODELS.register_module()
class RelativeDetailLoss(nn.Module):
    """|S (a - b)|^2 / (|h S a|^2 + |h S b|^2), each a mean over the batch: 0 if a = b, 1 if their detail is unrelated.

    A plain distance between f(T(x)) and T(f(x)) is smallest for a blur: less detail, less to differ in. Here the
    difference counts in relation to the detail h v = v - G * v that there is, so that taking detail away gains nothing:
    it has to be made to move with the picture. S is a Gaussian that hides what interpolation in T(f(x)) takes away.
    Without interpolation leave it out: what S hides, nobody watches, and a network that is held to an amount of detail
    (`LocalStatisticsLoss`) fills it with checkerboards.

    Args:
        low_pass: Standard deviation of S in pixels; 0, none, where T moves by whole pixels.
        sigma: Standard deviation of G in pixels.
        epsilon: Added to the denominator: the energy of detail that is none. For values in [0, 1].
        loss_weight: Factor.

    Example:
        >>> x, other = torch.rand(1, 3, 64, 64), torch.rand(1, 3, 64, 64)
        >>> loss = RelativeDetailLoss(low_pass=0)
        >>> loss(x, x), loss(x, other).round()
        (tensor(0.), tensor(1.))
    """

    looks_around = True

    @check_arguments
    def __init__(
        self,
        low_pass: Annotated[float, Interval(ge=0, le=100)] = 0.7,
        *,
        sigma: Annotated[float, Interval(gt=0, le=100)] = 1.5,
        epsilon: Positive = 1e-5,
        loss_weight: NotNegative = 1.0,
    ) -> None:
        super().__init__()
        self.low_pass, self.sigma, self.epsilon, self.loss_weight = low_pass, sigma, epsilon, loss_weight

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        """The scalar loss of two maps (N, C, H, W)."""
        if self.low_pass:
            pred, target = blur(pred, self.low_pass), blur(target, self.low_pass)
        energy = sum((image - blur(image, self.sigma)).square().mean() for image in (pred, target))
        return self.loss_weight * (pred - target).square().mean() / (energy + self.epsilon)


@MODELS.register_module()
class LocalStatisticsLoss(nn.Module):
    """Compares colours, and how much detail there is where; less, or not at all, where each detail lies.

        pixel_weight |f - y| + mean_weight |G * (f - y)| + range_weight |f - min(max(f, lowest y), highest y)|
        + energy_weight mean_sigma |ln(e(f) + epsilon) - ln(e(y) + epsilon)|,  e(v) = W * |v - G_sigma * v|^2,

    means over all values; lowest and highest y are those within `reach` pixels, as temporal anti-aliasing clamps to a
    neighbourhood: else overshoot at edges would be the cheapest way to have enough detail. As a `pixel_loss` it leaves
    the network free to put its detail where it moves with the picture, and holds it to as much as the target has there.

    Args:
        sigmas: Standard deviations of the Gaussians G_sigma in pixels; G is the last of them.
        window: Standard deviation of the Gaussian W in pixels.
        reach: How far around a pixel its range is taken, in pixels.
        pixel_weight, mean_weight, range_weight, energy_weight: How much the terms count.
        epsilon: Energy of detail that nobody sees. For values in [0, 1].
        loss_weight: Factor.

    Example:
        >>> x = torch.rand(1, 3, 32, 32)
        >>> loss = LocalStatisticsLoss()
        >>> bool(loss(x, x) < loss(x.flip(-1), x) < loss(blur(x, 1.0), x))  # detail elsewhere is better than none
        True
    """

    looks_around = True

    @check_arguments
    def __init__(
        self,
        sigmas: Sequence[Annotated[float, Interval(gt=0, le=100)]] = (0.7, 1.5),
        *,
        window: Annotated[float, Interval(gt=0, le=100)] = 1.5,
        reach: Annotated[int, Interval(ge=0, le=100)] = 3,
        pixel_weight: NotNegative = 4.0,
        mean_weight: NotNegative = 3.0,
        range_weight: NotNegative = 20.0,
        energy_weight: NotNegative = 0.7,
        epsilon: Positive = 1e-4,
        loss_weight: NotNegative = 1.0,
    ) -> None:
        super().__init__()
        if not sigmas:
            raise ValueError("sigmas must name one Gaussian at least")
        self.sigmas, self.window, self.reach, self.epsilon = tuple(sigmas), window, reach, epsilon
        self.pixel_weight, self.mean_weight, self.range_weight = pixel_weight, mean_weight, range_weight
        self.energy_weight, self.loss_weight = energy_weight, loss_weight

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        """The scalar loss of two maps (N, C, H, W)."""
        blurred = [(blur(pred, sigma), blur(target, sigma)) for sigma in self.sigmas]
        detail = torch.stack([(self._energy(pred - a) - self._energy(target - b)).abs().mean() for a, b in blurred])
        colours = (blurred[-1][0] - blurred[-1][1]).abs().mean()
        lowest, highest = -self._highest(-target), self._highest(target)
        beyond = (pred - torch.minimum(torch.maximum(pred, lowest), highest)).abs().mean()
        terms = self.pixel_weight * (pred - target).abs().mean() + self.mean_weight * colours
        return self.loss_weight * (terms + self.range_weight * beyond + self.energy_weight * detail.mean())

    def _energy(self, detail: Tensor) -> Tensor:
        return (blur(detail.square(), self.window) + self.epsilon).log()

    def _highest(self, image: Tensor) -> Tensor:
        return F.max_pool2d(image, 2 * self.reach + 1, stride=1, padding=self.reach)


def blur(image: Tensor, sigma: float) -> Tensor:
    """A Gaussian over (N, C, H, W), as far as three standard deviations; borders are mirrored.

    Raises:
        ValueError: If the map is too small for it.
    """
    radius = round(3 * sigma + 0.5)
    if min(image.shape[-2:]) <= radius:
        size = f"{image.shape[-1]}x{image.shape[-2]}"
        raise ValueError(f"a map of {size} pixels is too small for a Gaussian of {sigma} pixels: take larger crops")
    return gaussian_blur(image, [2 * radius + 1] * 2, [sigma, sigma])
