"""F and E_warp: patterns that are rendered by formula in every frame, moved by exactly known fractions of a pixel."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.special import erf

from mmtempreg.functional import Motion, bring, compose, lag_frames
from mmtempreg.meters import FlickerMeter, WarpErrorMeter
from mmtempreg.meters.flicker import rounding_noise

SIZE = 96
Y, X = np.mgrid[:SIZE, :SIZE].astype(np.float64)


def edges(x, y, blur=0.5, seed=1):
    """Random edges as a camera sees them, whose optics blur by about half a pixel."""
    rng, value = np.random.default_rng(seed), np.full(np.shape(x), 0.5)
    for _ in range(25):
        angle, place, step = rng.uniform(0, 2 * np.pi), rng.uniform(-60, 60), 0.12 * rng.normal()
        value = (
            value + step * erf((np.cos(angle) * (x - 48) + np.sin(angle) * (y - 48) - place) / (np.sqrt(2) * blur)) / 2
        )
    return value


def lines(x, y, blur=0.7, seed=2):
    """Random thin lines: next to the finest that pixels can hold."""
    rng, value = np.random.default_rng(seed), np.full(np.shape(x), 0.5)
    for _ in range(25):
        angle, place, height = rng.uniform(0, 2 * np.pi), rng.uniform(-60, 60), 0.2 * rng.normal()
        distance = np.cos(angle) * (x - 48) + np.sin(angle) * (y - 48) - place
        value = value + height * np.exp(-(distance**2) / (2 * blur**2))
    return value


PATTERNS = dict(edges=edges, lines=lines)


def position(t, jitter=0.0):
    """Where what is at (x, y) in frame t was in frame 0: a pan with a roll and a zoom, and +-jitter pixels in turn."""
    angle, zoom = 0.004 * t, 1 + 0.002 * t
    cos, sin = zoom * np.cos(angle), zoom * np.sin(angle)
    shift = (-1) ** t * jitter
    return (48 + cos * (X - 48) - sin * (Y - 48) + 0.37 * t + shift, 48 + sin * (X - 48) + cos * (Y - 48) - 0.21 * t)


def motion(t, lag=1):
    """From frame t to frame t - lag, by inverting the affine position."""
    now = np.stack([p.ravel() for p in position(t)] + [np.ones(SIZE**2)])
    then = np.stack([p[[0, 0, 1], [0, 1, 0]] for p in position(t - lag)])
    matrix = np.column_stack([then[:, 1] - then[:, 0], then[:, 2] - then[:, 0], then[:, 0]])
    before = np.linalg.solve(np.vstack([matrix, (0, 0, 1)]), now)[:2].reshape(2, SIZE, SIZE)
    flow = torch.from_numpy(before - np.stack([X, Y])).float()
    return Motion(flow, torch.ones(1, SIZE, SIZE))


def render(pattern, count=8, light=lambda t: 0.0, **options):
    jitter = options.pop("jitter", 0.0)
    return [tensor(pattern(*position(t, jitter), **options) + light(t)) for t in range(count)]


def tensor(image):
    return torch.from_numpy(np.asarray(image)).float()[None]


def measure(pred, target, meter=FlickerMeter, lag=1, mask=None, **options):
    one = meter(lag, **options)
    for t, (frame, truth) in enumerate(zip(pred, target)):
        one.update(frame, truth, None if mask is None else mask[t], motion(t, lag) if t >= lag else None)
    sums = one.finish()
    return one.value(sums), sums


def flicker(t):
    return 0.02 * (-1) ** t


# ---------------------------------------------------------------- the oracle


@pytest.mark.parametrize(("name", "tolerance"), [("edges", 0.05), ("lines", 0.15)])
def test_a_sharp_pattern_that_moves_rigidly_is_steady_and_so_is_its_blur(name, tolerance):
    """Within 5 %, and 15 % for the finest lines: what interpolation leaves is less than the noise of 8 bits."""
    pattern = PATTERNS[name]
    sharp, blurred = render(pattern), render(pattern, blur=1.6)
    truth = render(edges, blur=0.8, seed=5)
    for video in (sharp, blurred):
        for reference in (truth, sharp, blurred):
            value, sums = measure(video, reference)
            assert value == pytest.approx(1, abs=tolerance)
            assert sums.error / sums.pairs < 2.5 * tolerance * rounding_noise(1.0)


@pytest.mark.parametrize("name", PATTERNS)
def test_light_that_changes_along_the_motion_is_measured_to_a_hundredth(name):
    """All brightens and darkens by 2 %: E_warp = 0.04^2 exactly, sharp or blurred."""
    for blur in (0.7, 1.6):
        _, sums = measure(render(PATTERNS[name], light=flicker, blur=blur), render(PATTERNS[name]), WarpErrorMeter)
        assert sums.error / sums.pairs == pytest.approx(0.04**2, rel=0.02)
    sharp, blurred = (render(PATTERNS[name], light=flicker, blur=blur) for blur in (0.7, 1.6))
    assert measure(blurred, sharp)[0] == pytest.approx(1, abs=0.02)
    assert measure(sharp, blurred)[0] == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("name", PATTERNS)
def test_bilinear_interpolation_calls_a_sharp_pattern_unsteady(name):
    """Why Lanczos and a low-pass: of thin lines bilinear interpolation leaves a hundred times as much."""
    sharp = render(PATTERNS[name])
    fair, _ = measure(sharp, sharp, WarpErrorMeter)
    lai, _ = measure(sharp, sharp, WarpErrorMeter, interpolation="bilinear", low_pass=0.0)
    assert lai > 8 * fair if name == "edges" else lai > 60 * fair


def test_what_is_not_steady_is_found():
    truth = render(edges)
    frozen = [truth[0]] * len(truth)
    for video in (frozen, render(edges, light=flicker), render(edges, jitter=0.3)):
        assert measure(video, truth)[0] > 3
    assert measure(render(edges, jitter=0.3), truth)[0] > 2 * measure(render(edges, jitter=0.1), truth)[0]


@given(st.floats(0.003, 0.2))
@settings(max_examples=15, deadline=None)
def test_f_is_the_ratio_of_known_changes(strength):
    truth = render(edges, 4, light=lambda t: 0.01 * (-1) ** t)
    video = render(edges, 4, light=lambda t: strength * (-1) ** t)
    noise = rounding_noise(1.0)
    expected = math.sqrt((4 * strength**2 + noise) / (4 * 0.01**2 + noise))
    assert measure(video, truth)[0] == pytest.approx(expected, rel=0.02)


def test_a_slow_drift_is_seen_over_a_longer_time():
    truth, drifting = render(edges, 12), render(edges, 12, light=lambda t: 0.002 * t)
    short, long = (measure(drifting, truth, WarpErrorMeter, lag)[0] for lag in (1, 8))
    assert short == pytest.approx(0.002**2, rel=0.3)
    assert long == pytest.approx(0.016**2, rel=0.1)
    assert measure(drifting, truth, lag=8)[0] > 3 * measure(drifting, truth, lag=1)[0]


def test_rounding_noise_is_what_rounding_leaves():
    levels = torch.rand(2, 3, 200, 200) * 0.9
    rounded = [(one * 255 + torch.rand_like(one)).floor() / 255 - one - 0.5 / 255 for one in levels]
    dithered = float((rounded[0] - rounded[1]).square().mean())  # dither has twice the noise of rounding at worst
    assert rounding_noise(1.0) < dithered < 2.2 * rounding_noise(1.0)
    plain = [(one * 255).round() / 255 - one for one in levels]
    assert float((plain[0] - plain[1]).square().mean()) == pytest.approx(rounding_noise(1.0), rel=0.02)


# ---------------------------------------------------------------- masks, maps, motion


def test_only_what_is_seen_and_counts_in_both_frames_counts():
    truth = render(edges, 3)
    spoilt = [frame.clone() for frame in truth]
    spoilt[1][:, 30:50, 30:50] += 0.5
    mask = [torch.ones(1, SIZE, SIZE) for _ in truth]
    mask[1][:, 20:60, 20:60] = 0  # in one of the two frames of each pair
    assert measure(spoilt, truth)[0] > 4
    assert measure(spoilt, truth, mask=mask)[0] == pytest.approx(1, abs=0.02)
    value, sums = measure(spoilt, truth, mask=[m * 0 for m in mask])
    assert math.isnan(value)
    assert "mask is empty" in FlickerMeter.reason(sums)


def test_the_map_shows_where_and_the_series_when():
    truth = render(edges, 6)
    spoilt = [frame.clone() for frame in truth]
    spoilt[3][:, 40:56, 40:56] += 0.2
    meter = WarpErrorMeter()
    meter.keep = True
    for t, (frame, other) in enumerate(zip(spoilt, truth)):
        meter.update(frame, other, motion=motion(t) if t else None)
        assert (meter.latest() is None) == (t == 0)
    last = meter.latest()
    sums = meter.finish()
    over_time, change_map = meter.curve(meter.series()), meter.map()
    assert np.isnan(over_time[0])
    assert last.shape == (2, SIZE, SIZE)
    assert bool(last[:, 0].isnan().all())  # what comes in at the border was not seen before
    assert float(last[:, 40:56, 40:56].max()) < 0.01
    assert list(np.flatnonzero(over_time > 1e-4)) == [3, 4]
    assert np.nanmean(over_time) == pytest.approx(sums.error / sums.pairs)
    assert change_map[44:52, 44:52].min() > 0.05
    assert np.nanmax(change_map[8:30, 8:30]) < 0.01


def test_bringing_a_frame_along_equals_scipy():
    """Where positions are multiples of OpenCV's 1/32 pixel; of a smooth picture, which needs no common kernel."""
    image = gaussian_filter(np.random.default_rng(0).normal(size=(64, 64)), 2.0)
    flow = torch.tensor([3.25, -1.5]).view(2, 1, 1).expand(2, 64, 64)
    brought = bring(tensor(image), Motion(flow, torch.ones(1, 64, 64)))[0].numpy()
    y, x = np.mgrid[:64, :64].astype(float)
    expected = map_coordinates(image, [y - 1.5, x + 3.25], order=5)
    np.testing.assert_allclose(brought[8:-8, 8:-8], expected[8:-8, 8:-8], atol=0.004 * np.abs(image).max())


def test_motion_composes():
    steps = [motion(t) for t in (3, 2, 1)]
    whole, composed = motion(3, lag=3), compose(compose(steps[0], steps[1]), steps[2])
    inner = (slice(None), slice(8, -8), slice(8, -8))
    assert float((whole.flow - composed.flow)[inner].abs().max()) < 0.05
    assert bool((composed.visible[inner] == 1).all())


def test_unknown_flow_is_not_read():
    flow = torch.full((2, SIZE, SIZE), 1e10)
    visible = torch.zeros(1, SIZE, SIZE)
    meter = FlickerMeter()
    meter.update(tensor(X), tensor(X))
    meter.update(tensor(X), tensor(X), motion=Motion(flow, visible))
    sums = meter.finish()
    assert math.isnan(meter.value(sums))
    assert "motion is unknown" in meter.reason(sums)


# ---------------------------------------------------------------- nothing to measure


def test_a_single_frame_and_black_against_black():
    value, sums = measure(render(edges, 1), render(edges, 1))
    assert math.isnan(value)
    assert "no longer than the lag" in FlickerMeter.reason(sums)
    black = [torch.zeros(1, SIZE, SIZE)] * 3
    value, sums = measure(black, black)
    assert math.isnan(value)
    assert "does not change along its motion at all" in FlickerMeter.reason(sums)
    assert WarpErrorMeter.value(sums) == 0


def test_what_makes_no_sense_is_refused():
    meter = WarpErrorMeter()
    meter.update(tensor(X))
    with pytest.raises(ValueError, match="is none"):
        meter.update(tensor(X))
    with pytest.raises(ValueError, match="one of .8, 8. pixels"):
        meter.update(tensor(X), motion=Motion(torch.zeros(2, 8, 8), torch.ones(1, 8, 8)))
    with pytest.raises(ValueError, match="lag must be 1"):
        WarpErrorMeter(0)
    for lag in (0, -1.0, math.nan):
        with pytest.raises(ValueError, match="positive number of seconds"):
            lag_frames(lag, 24)
    assert (lag_frames(None, 24), lag_frames(1.0, 23.976), lag_frames(0.01, 24)) == (1, 24, 1)
