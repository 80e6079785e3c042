import math

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter1d

from mmtempreg.functional import TemporalHighpass, highpass_energy
from mmtempreg.meters import (
    ResidualMeter,
    SmoothnessMeter,
    TemporalEnergyMeter,
    add_sums,
    smoothness,
    temporal_energies,
    temporal_residual,
)


def scipy_energy(video, fps, sigma=0.15):
    values = video.double().numpy()
    low = gaussian_filter1d(values, sigma * fps, axis=0, mode="reflect", truncate=4)
    return (values - low) ** 2


@pytest.mark.parametrize("fps", [10, 24, 25, 29.97, 60])
@pytest.mark.parametrize("frames", [1, 2, 7, 29, 100])
def test_highpass_energy_equals_scipy(fps, frames):
    video = torch.rand(frames, 2, 5, 7, dtype=torch.float64)
    np.testing.assert_allclose(highpass_energy(video, fps).numpy(), scipy_energy(video, fps), rtol=0, atol=1e-9)


@pytest.mark.parametrize("size", [(6, 5), (45, 37)], ids=str)  # one piece of the filter, and several
@pytest.mark.parametrize("mask_channels", [1, 3])
def test_smoothness_and_residual_equal_the_formula(size, mask_channels):
    truth, video = torch.rand(2, 40, 3, *size, dtype=torch.float64)
    mask = torch.rand(40, mask_channels, *size, dtype=torch.float64)
    weight = mask.numpy()
    d_truth, d_video, d_error = (float((scipy_energy(v, 24) * weight).sum()) for v in (truth, video, video - truth))
    assert smoothness(video, truth, 24, mask=mask) == pytest.approx(math.sqrt(d_truth / d_video), rel=1e-9)
    assert temporal_residual(video, truth, 24, mask=mask) == pytest.approx(math.sqrt(d_error / d_truth), rel=1e-9)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float16, torch.bfloat16, torch.float32], ids=str)
def test_frames_are_held_in_their_type_and_filtered_in_floating_point(dtype):
    """In several pieces, of which the last is not full."""
    values = torch.rand(50, 3, 45, 137)
    frames = (values * 255).byte() if dtype == torch.uint8 else values.to(dtype)
    exact = frames.double() / (255 if dtype == torch.uint8 else 1)
    meter = TemporalEnergyMeter(24)
    for frame in frames:
        meter.update(frame)
    expected = float(scipy_energy(exact, 24).mean()) ** 0.5
    assert TemporalEnergyMeter.value(meter.finish()) == pytest.approx(expected, rel=1e-7)


def test_a_sinusoid_passes_as_the_gaussian_says():
    # Away from the ends, H(f) = 1 - exp(-2 pi^2 sigma^2 f^2); at 24 fps sampling changes it by little.
    fps, frequency = 240, 2.0
    t = torch.arange(1200, dtype=torch.float64) / fps
    energy = highpass_energy(torch.sin(2 * math.pi * frequency * t).view(-1, 1, 1, 1), fps)[240:-240]
    gain = 1 - math.exp(-2 * math.pi**2 * 0.15**2 * frequency**2)
    assert float(energy.mean()) == pytest.approx(gain**2 / 2, rel=1e-3)


def test_streaming_holds_the_window_only():
    stream = TemporalHighpass(fps=24)
    for frame in torch.rand(200, 1, 4, 4):
        list(stream.push(frame))
    assert stream._window.shape[1] == 2 * stream.radius + stream.BLOCK == 44


def test_a_still_video_is_infinitely_smooth_and_has_residual_one():
    truth = torch.rand(30, 3, 4, 4)
    still = truth[:1].expand_as(truth)
    assert smoothness(still, truth, 24) == math.inf
    assert temporal_residual(still, truth, 24) == pytest.approx(1)
    assert smoothness(torch.zeros_like(truth), truth, 24) == math.inf
    assert math.isnan(smoothness(still * 0, still * 0, 24))
    assert temporal_residual(truth, truth, 24) == 0


def test_energies_add_up_over_clips_and_a_meter_can_be_used_again():
    a, b = torch.rand(2, 2, 35, 3, 4, 4, dtype=torch.float64)
    meter, parts = TemporalEnergyMeter(24), []
    for truth, video in (a, b):
        for frames in zip(truth, video):
            meter.update(*frames)
        parts.append(meter.finish())
    assert parts[0] == temporal_energies(*a, 24)
    assert parts[1] == temporal_energies(*b, 24)
    assert add_sums(*parts).error == parts[0].error + parts[1].error
    assert math.isnan(SmoothnessMeter.value(meter.finish()))
    assert "no pixel" in SmoothnessMeter.reason(SmoothnessMeter.nothing)


def test_frames_of_8_bits_are_held_as_they_are():
    truth, video = (torch.rand(2, 30, 3, 45, 37) * 255).byte()
    meter = ResidualMeter(24)
    meter.keep = True
    for frame, other in zip(video, truth):
        meter.update(frame, other)
    assert meter._pred._window.dtype == torch.uint8
    sums = meter.finish()
    expected = temporal_energies(video.double() / 255, truth.double() / 255, 24)
    np.testing.assert_allclose(sums, expected, rtol=1e-5)
    error = scipy_energy(video.double() / 255 - truth.double() / 255, 24)
    np.testing.assert_allclose(
        TemporalEnergyMeter.curve(meter.series()), np.sqrt(error.mean(axis=(1, 2, 3))), rtol=1e-4
    )
    np.testing.assert_allclose(meter.map(), np.sqrt(error.mean(axis=(0, 1))), rtol=1e-4)


def test_a_clip_alone():
    video = torch.rand(30, 3, 6, 5, dtype=torch.float64)
    meter = TemporalEnergyMeter(24)
    for frame in video:
        meter.update(frame)
    assert meter.value(meter.finish()) == pytest.approx(np.sqrt(scipy_energy(video, 24).mean()))


@pytest.mark.parametrize("fps", [0, -24, math.nan, math.inf])
def test_bad_fps(fps):
    with pytest.raises(ValueError, match="fps must be a positive number"):
        smoothness(torch.rand(5, 1, 2, 2), torch.rand(5, 1, 2, 2), fps)


def test_bad_clips():
    with pytest.raises(ValueError, match="differ in shape"):
        smoothness(torch.rand(5, 1, 2, 2), torch.rand(5, 1, 2, 3), 24)
    with pytest.raises(ValueError, match="without frames"):
        smoothness(torch.rand(0, 1, 2, 2), torch.rand(0, 1, 2, 2), 24)
    with pytest.raises(ValueError, match="mask"):
        smoothness(torch.rand(5, 1, 2, 2), torch.rand(5, 1, 2, 2), 24, mask=torch.rand(4, 1, 2, 2))
    with pytest.raises(ValueError, match="too short"):
        smoothness(torch.rand(5, 1, 2, 2), torch.rand(5, 1, 2, 2), fps=0.5)
    meter = TemporalEnergyMeter(24)
    meter.update(torch.rand(1, 2, 2), torch.rand(1, 2, 2))
    with pytest.raises(ValueError, match="frame 1 has shape"):
        meter.update(torch.rand(1, 2, 3), torch.rand(1, 2, 3))
