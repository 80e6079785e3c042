"""Comparisons that a blur does not win."""

import numpy as np
import pytest
import torch
from mmagic.registry import MODELS
from scipy.ndimage import gaussian_filter, maximum_filter, minimum_filter
from skimage import data

from mmtempreg.losses import MaskedLoss
from mmtempreg.losses.detail import LocalStatisticsLoss, RelativeDetailLoss, blur


def photograph(size=64, top=100):
    image = torch.from_numpy(data.astronaut().copy()).permute(2, 0, 1).double() / 255
    return image[None, :, top : top + size, 150 : 150 + size]


def noise(seed, size=64):
    return 0.5 + 0.1 * torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("sigma", [0.7, 1.5, 2.0])
def test_the_blur_is_scipys(sigma):
    image = photograph()
    radius = round(3 * sigma + 0.5)
    expected = gaussian_filter(image[0].numpy(), (0, sigma, sigma), mode="mirror", truncate=radius / sigma)
    np.testing.assert_allclose(blur(image, sigma)[0].numpy(), expected, atol=1e-12)


def test_equal_pictures_have_no_loss_and_unrelated_ones_one():
    """Of white noise a, b with S = 1 and all energy in the detail: |a - b|^2 = |h a|^2 + |h b|^2."""
    loss = RelativeDetailLoss(low_pass=0, sigma=6.0, epsilon=1e-12)
    assert loss(photograph(), photograph()) == 0
    assert loss(noise(0), noise(1)) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("contrast", [0.25, 0.5, 2.0])
def test_less_contrast_gains_nothing(contrast):
    a, b = photograph(), photograph(top=101)
    loss = RelativeDetailLoss(epsilon=1e-12)
    weaker = [0.5 + contrast * (image - 0.5) for image in (a, b)]
    torch.testing.assert_close(loss(*weaker), loss(a, b))
    assert torch.nn.functional.mse_loss(*weaker) == pytest.approx(contrast**2 * float((a - b).square().mean()))


def test_a_blur_gains_less_than_with_a_plain_distance():
    """Same picture, other fine detail: a blur of both is what a plain distance asks for."""
    base = photograph()
    pair = [base + 0.05 * (noise(seed) - 0.5) / 0.1 for seed in (0, 1)]
    blurred = [blur(image, 1.0) for image in pair]
    relative, plain = RelativeDetailLoss(low_pass=0), torch.nn.MSELoss()
    assert plain(*blurred) < 0.15 * plain(*pair)
    assert relative(*blurred) > 2.5 * plain(*blurred) / plain(*pair) * relative(*pair)


def test_the_formulas():
    a, b = photograph(), photograph(top=103)
    low = [gaussian_filter(image[0].numpy(), (0, 0.7, 0.7), mode="mirror", truncate=3 / 0.7) for image in (a, b)]
    high = [image - gaussian_filter(image, (0, 1.5, 1.5), mode="mirror", truncate=5 / 1.5) for image in low]
    expected = ((low[0] - low[1]) ** 2).mean() / (sum((image**2).mean() for image in high) + 1e-5)
    assert float(RelativeDetailLoss(loss_weight=3)(a, b)) == pytest.approx(3 * expected, rel=1e-9)
    fine = [image[0].numpy() for image in (a, b)]

    def smoothed(image, sigma):
        return gaussian_filter(image, (0, sigma, sigma), mode="mirror", truncate=round(3 * sigma + 0.5) / sigma)

    detail = np.mean([
        np.abs(np.diff([np.log(smoothed((i - smoothed(i, s)) ** 2, 1.5) + 1e-4) for i in fine], axis=0)).mean()
        for s in (0.7, 1.5)
    ])  # fmt: skip
    colours = np.abs(smoothed(fine[0], 1.5) - smoothed(fine[1], 1.5)).mean()
    pixels = np.abs(fine[0] - fine[1]).mean()
    lowest, highest = minimum_filter(fine[1], (1, 5, 5)), maximum_filter(fine[1], (1, 5, 5))
    beyond = np.abs(fine[0] - np.clip(fine[0], lowest, highest)).mean()
    assert beyond > 0.005
    weights = dict(pixel_weight=0.5, mean_weight=2, range_weight=3, energy_weight=0.25)
    loss = LocalStatisticsLoss(**weights, reach=2, loss_weight=2)
    expected = 2 * (0.5 * pixels + 2 * colours + 3 * beyond + 0.25 * detail)
    assert float(loss(a, b)) == pytest.approx(expected, rel=1e-6)


def test_overshoot_counts_and_moving_an_edge_does_not():
    """An edge a pixel further is within the range of its neighbourhood; one with halos is not."""
    edge = torch.zeros(1, 3, 24, 24)
    edge[..., 12:] = 0.8
    loss = LocalStatisticsLoss(pixel_weight=0, mean_weight=0, energy_weight=0, range_weight=1)
    assert loss(edge.roll(1, -1)[..., 2:], edge[..., 2:]) == 0
    halo = edge + 0.5 * (edge - blur(edge, 1.5))
    assert loss(halo, edge) > 0.005


def test_detail_may_lie_elsewhere_but_must_be_there():
    """Noise of another seed has the statistics of the first; its blur has not."""
    loss = LocalStatisticsLoss(window=8.0, pixel_weight=0, range_weight=0)
    other, blurred = loss(noise(1, 96), noise(0, 96)), loss(blur(noise(0, 96), 1.0), noise(0, 96))
    assert other < 0.3 * blurred


def test_the_border_of_a_mask_is_no_detail():
    """Half the picture does not count: the loss is about that of the other half, whatever lies in the first."""
    a, b = photograph(96), photograph(96, 101)
    mask = torch.ones(1, 1, 96, 96, dtype=torch.float64)
    mask[..., :48] = 0
    loss = MaskedLoss(dict(type="RelativeDetailLoss"))
    half = RelativeDetailLoss()(a[..., 48:], b[..., 48:])
    detail = [float((blur(i, 0.7) - blur(blur(i, 0.7), 1.5)).square().mean()) for i in (a, a[..., 48:])]
    expected = float(half) * detail[1] / detail[0] / 2
    assert float(loss(a, b, mask)) == pytest.approx(expected, rel=0.1)
    torch.testing.assert_close(loss(a, torch.where(mask > 0, b, 0.9), mask), loss(a, b, mask))


@pytest.mark.parametrize("name", ["RelativeDetailLoss", "LocalStatisticsLoss"])
def test_gradients(name):
    loss = MODELS.build(dict(type=name))
    a, b = photograph(24)[..., :16].clone().requires_grad_(), photograph(24, 103)[..., :16]
    if name == "RelativeDetailLoss":  # the other one has kinks
        assert torch.autograd.gradcheck(lambda image: loss(image, b), (a,), atol=1e-5)
    flat = torch.full((1, 3, 24, 24), 0.5, requires_grad=True)
    loss(flat, torch.full_like(flat, 0.5)).backward()
    assert torch.isfinite(flat.grad).all()


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: RelativeDetailLoss(sigma=0), "sigma must be a number in \\(0, 100\\]"),
        (lambda: RelativeDetailLoss(epsilon=0), "epsilon must be a number above 0"),
        (lambda: RelativeDetailLoss(low_pass=-1), "low_pass must be a number in \\[0, 100\\]"),
        (lambda: LocalStatisticsLoss(window=0), "window must be a number in \\(0, 100\\]"),
        (lambda: LocalStatisticsLoss(sigmas=()), "one Gaussian at least"),
        (lambda: RelativeDetailLoss()(torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4)), "4x4 pixels is too small"),
    ],
)
def test_what_is_refused(make, match):
    with pytest.raises(ValueError, match=match):
        make()
