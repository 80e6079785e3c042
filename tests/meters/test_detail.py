"""Detail K against closed forms."""

import math
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from mmtempreg.meters import CoarseDetailMeter, DetailMeter, Picture, TrueDetailMeter, fine_detail
from mmtempreg.meters.detail import smooth

SIZE = 128
Y, X = np.mgrid[:SIZE, :SIZE].astype(np.float64)


def tensor(image):
    return torch.from_numpy(np.asarray(image)).float()[None]


def detail(pred, target, mask=None, **options):
    meter = DetailMeter(**options)
    meter.update(tensor(pred), tensor(target), mask)
    sums = meter.finish()
    return meter.value(sums), sums


@pytest.mark.parametrize("period", [3, 4, 6, 8, 16])
def test_a_sinusoid_passes_as_the_gaussian_says(period):
    wave = np.sin(2 * np.pi * (0.6 * X + 0.8 * Y) / period)
    passed = fine_detail(tensor(wave))[0, 16:-16, 16:-16].square().mean() / np.square(wave[16:-16, 16:-16]).mean()
    gain = 1 - math.exp(-((2 * math.pi / period) ** 2) / 2)
    assert float(passed) == pytest.approx(gain**2, rel=0.02)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("period", [4, 8, 12, 24])
def test_a_coarser_sinusoid_passes_between_two_gaussians(period, masked):
    """Its energy as K coarse counts it, over that of a wave of 8 pixels' period."""
    inner = torch.zeros(1, SIZE, SIZE)
    inner[:, 16:-16, 16:-16] = 1

    def wave(period):
        return tensor(np.sin(2 * np.pi * (0.6 * X + 0.8 * Y) / period))

    def gain(period):
        w2 = (2 * math.pi / period) ** 2
        return math.exp(-w2 / 2) - math.exp(-2 * w2)

    meter = CoarseDetailMeter()
    meter.update(wave(period), wave(8), inner if masked else None)
    value = CoarseDetailMeter.value(meter.finish())
    assert value == pytest.approx((gain(period) / gain(8)) ** 2, rel=0.02 if masked else 0.1)


def test_rims_of_flat_patches_are_fine_detail_and_no_coarse():
    """Texture with periods of 6 to 12 pixels, and the same as pale patches: K falls by half, K coarse by more."""
    texture = gaussian_filter(np.random.default_rng(0).normal(size=(SIZE, SIZE)), 1.5)
    texture /= texture.std()
    patches = 0.45 * np.sign(gaussian_filter(texture, 1.5))
    meter = CoarseDetailMeter()
    meter.update(tensor(patches), tensor(texture))
    assert CoarseDetailMeter.value(meter.finish()) < 0.6 * detail(patches, texture)[0]


@pytest.mark.parametrize("blur", [0.5, 1.0, 2.0])
def test_a_blurred_bump_has_the_energy_of_the_closed_form(blur):
    """A Gaussian of sigma s, blurred by b, less its blur by 1: products of Gaussians integrate in closed form."""

    def gaussian(variance):
        return np.exp(-((X - 63.5) ** 2 + (Y - 63.5) ** 2) / (2 * variance)) / (2 * np.pi * variance)

    def energy(variance):  # of g_v - g_(v+1); the integral of g_a g_b is 1 / (2 pi (a + b))
        return (1 / (2 * variance) - 2 / (2 * variance + 1) + 1 / (2 * variance + 2)) / (2 * np.pi)

    sharp = 1.2**2
    value, _ = detail(gaussian(sharp + blur**2), gaussian(sharp))
    assert value == pytest.approx(energy(sharp + blur**2) / energy(sharp), rel=0.02)


def test_a_blur_loses_detail_and_sharpening_invents_it():
    image = gaussian_filter(np.random.default_rng(0).normal(size=(SIZE, SIZE)), 1.0)
    assert detail(image, image)[0] == 1
    blurred = gaussian_filter(image, 1.0)
    assert detail(blurred, image)[0] < 0.4
    assert detail(image + 0.5 * (image - blurred), image)[0] > 1.4
    assert detail(image + 3, image)[0] == pytest.approx(1, rel=1e-3)  # brightness is no detail


def test_it_looks_where_the_mask_says_and_has_no_value_without_detail():
    image = np.random.default_rng(0).normal(size=(SIZE, SIZE))
    half = np.where(X < 64, image, gaussian_filter(image, 2))
    mask = torch.from_numpy(X < 56).float()[None]
    assert detail(half, image, mask)[0] == pytest.approx(1)
    value, sums = detail(half, 0 * image)
    assert math.isnan(value)
    assert "no fine detail" in DetailMeter.reason(sums)
    value, sums = detail(half, image, mask * 0)
    assert math.isnan(value)
    assert "mask is empty" in DetailMeter.reason(sums)
    with pytest.raises(ValueError, match="sigma must be a positive"):
        DetailMeter(0)


def test_over_time_is_k_of_each_frame_alone():
    generator = torch.Generator().manual_seed(3)
    truth = torch.rand(4, 1, 24, 32, generator=generator)
    clip = truth * torch.tensor([1.0, 0.5, 2.0, 0.0]).view(4, 1, 1, 1)
    meter = DetailMeter()
    meter.keep = True
    for frame, target in zip(clip, truth):
        meter.update(frame, target)
    meter.finish()
    assert meter.curve(meter.series()).tolist() == pytest.approx([1.0, 0.25, 4.0, 0.0])
    meter.update(clip[0], torch.zeros_like(clip[0]))
    meter.finish()
    (value,) = meter.curve(meter.series())  # of the next clip
    assert math.isnan(value)


# ---------------------------------------------------------------- the truth's part of it


def true_detail(pred, target, mask=None):
    meter = TrueDetailMeter()
    meter.update(tensor(pred), tensor(target), mask)
    return meter.value(meter.finish())


@given(st.floats(-1, 3), st.floats(0, 2), st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_what_goes_with_the_truth_is_told_from_what_does_not(share, invented, seed):
    """Detail of the truth times `share`, and detail that numpy's least squares find nothing of the truth in."""
    rng = np.random.default_rng(seed)
    truth, other = rng.normal(size=(2, 48, 48))
    pred = share * truth + invented * other
    hf, hy = (fine_detail(tensor(image)).double().numpy().ravel() for image in (pred, truth))
    slope = np.linalg.lstsq(hy[:, None], hf, rcond=None)[0][0]
    found = true_detail(pred, truth)
    assert found == pytest.approx(max(slope, 0) ** 2, rel=1e-3, abs=1e-6)
    total, _ = detail(pred, truth)
    own = np.square(hf - slope * hy).sum() / np.square(hy).sum()
    assert total == pytest.approx(slope**2 + own, rel=1e-3, abs=1e-6)  # the energies add up


def test_under_a_mask_both_look_at_what_was_made_once():
    pred, truth = (Picture(torch.rand(3, 16, 16)) for _ in range(2))
    asked = []
    for meters in ([DetailMeter], [DetailMeter, TrueDetailMeter]):
        with mock.patch("mmtempreg.meters.detail.smooth", side_effect=smooth) as smoothed:
            pred, truth = Picture(pred.values), Picture(truth.values)
            for meter in meters:
                meter().update(pred, truth, torch.ones(1, 16, 16))
        asked.append(smoothed.call_count)
    assert asked[0] == asked[1] > 0


def test_a_blur_has_less_and_noise_has_none():
    image = gaussian_filter(np.random.default_rng(0).normal(size=(SIZE, SIZE)), 1.0)
    assert true_detail(image, image) == pytest.approx(1)
    assert true_detail(gaussian_filter(image, 1.0), image) < 0.4
    noise = np.random.default_rng(1).normal(size=(SIZE, SIZE))
    assert detail(noise, image)[0] > 10
    assert true_detail(0.1 * noise, image) < 0.01
    assert math.isnan(true_detail(image, np.ones_like(image)))
    assert true_detail(-image, image) == 0
