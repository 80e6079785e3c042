"""Warping error, tOF, colour consistency, PSNR and SSIM against closed forms, scikit-image and hand computation."""

import math
from itertools import pairwise

import numpy as np
import pytest
import skimage.data
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from scipy.spatial.distance import jensenshannon
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from mmtempreg.functional.optical_flow import estimate_flow, read_flow, reliable, warp_by_flow, write_flow
from mmtempreg.functional.video_metrics import (
    ColorDistributionMeter,
    FlowDifferenceMeter,
    PSNRMeter,
    SSIMMeter,
    WarpErrorMeter,
    jensen_shannon,
    ssim,
)

PHOTO = torch.from_numpy(skimage.data.astronaut()).permute(2, 0, 1).float() / 255


def window(x, y, size=160):
    return PHOTO[:, y : y + size, x : x + size]


def constant_flow(x, y, size=160):
    return torch.tensor([float(x), float(y)]).view(2, 1, 1).expand(2, size, size)


# ---------------------------------------------------------------- flow


def test_flow_points_from_a_to_b():
    a, b = window(100, 100), window(97, 102)  # what was at x is now at x + 3, y - 2
    for method in ("dis", "farneback"):
        flow = estimate_flow(a, b, method)[:, 20:-20, 20:-20]
        np.testing.assert_allclose(flow.flatten(1).median(dim=1).values, [3, -2], atol=0.1)
    back = warp_by_flow(b, constant_flow(3, -2))
    torch.testing.assert_close(back[:, 2:, :-3], a[:, 2:, :-3])


def test_occlusion_by_hand():
    forward = torch.zeros(2, 32, 48)
    forward[0, :, :24] = 10.0  # the left half moves over the right one
    backward = torch.zeros(2, 32, 48)
    backward[0, :, 10:34] = -10.0
    mask = reliable(forward, backward)[0]
    assert (mask[:, :23] == 1).all()  # it moves, and leads back
    assert (mask[:, 23] == 0).all()  # the flow jumps
    assert (mask[:, 24:34] == 0).all()  # covered: the way back leads elsewhere
    assert (mask[:, 34:] == 1).all()
    assert reliable(forward + 40, backward - 40).sum() == 0  # out of the frame


def test_flow_files(tmp_path):
    flow = torch.randn(2, 5, 7)
    write_flow(tmp_path / "a.flo", flow)
    assert torch.equal(read_flow(tmp_path / "a.flo"), flow)
    data = (tmp_path / "a.flo").read_bytes()
    (tmp_path / "short.flo").write_bytes(data[:-1])
    (tmp_path / "other.flo").write_bytes(b"RIFF" + data[4:])
    with pytest.raises(ValueError, match=r"short.flo says it holds 7x5"):
        read_flow(tmp_path / "short.flo")
    with pytest.raises(ValueError, match="not a .flo"):
        read_flow(tmp_path / "other.flo")
    with pytest.raises(ValueError, match="16 pixels"):
        estimate_flow(torch.zeros(3, 8, 8), torch.zeros(3, 8, 8))
    with pytest.raises(ValueError, match="farneback"):
        estimate_flow(PHOTO, PHOTO, "raft")


# ---------------------------------------------------------------- warping error


def pan(frames, step=(2, 1)):
    return [window(100 - step[0] * t, 100 - step[1] * t) for t in range(frames)]


def exact(meter, video):
    for a, b in pairwise(video):
        meter.add_pair(a, b, constant_flow(2, 1), constant_flow(-2, -1))
    return meter.value(meter.finish())


def test_a_moving_photograph_has_no_warping_error():
    assert exact(WarpErrorMeter(), pan(5)) < 1e-12
    meter = WarpErrorMeter()
    for frame in pan(5):
        meter.update(frame)
    assert meter.value(meter.finish()) < 1e-4  # what DIS and interpolation leave


@given(st.floats(0.01, 0.3))
@settings(max_examples=10, deadline=None)
def test_flicker_of_known_strength(strength):
    """+- strength in turn: differences of 2 strength, on every channel."""
    video = [frame / 2 + 0.25 + strength * (-1) ** t * 0.5 for t, frame in enumerate(pan(6))]
    assert exact(WarpErrorMeter(), video) == pytest.approx(strength**2, rel=1e-4)


def test_warping_error_takes_the_flow_of_the_reference_and_is_per_channel():
    reference = pan(4)
    red = torch.tensor([0.2, 0, 0]).view(3, 1, 1)
    video = [frame * 0.5 + red * (t % 2) for t, frame in enumerate(reference)]
    meter = WarpErrorMeter()
    for frame, guide in zip(video, reference):
        meter.update(frame, guide)
    assert meter.value(meter.finish()) == pytest.approx(0.2**2 / 3, rel=0.02)
    assert math.isnan(meter.value(meter.finish()))  # it is empty again


# ---------------------------------------------------------------- tOF


def test_tof_of_known_motion():
    """The clip moves by (2, 1) a frame, the reference stands still: sqrt(5) pixels."""
    texture = gaussian_filter(np.random.default_rng(0).normal(size=(200, 200)), 2.5)
    texture = torch.from_numpy((texture - texture.min()) / np.ptp(texture)).float().expand(3, -1, -1)
    meter = FlowDifferenceMeter()
    for t in range(9):
        meter.update(texture[:, 20 - t : 180 - t, 20 - 2 * t : 180 - 2 * t], texture[:, 20:180, 20:180])
    assert meter.value(meter.finish()) == pytest.approx(math.sqrt(5), rel=0.03)
    for frame in pan(9):
        meter.update(frame, frame)
    assert meter.finish() == (0.0, 4.0)  # 8 pairs, two left out at either end
    assert math.isnan(meter.value(meter.finish()))


def test_tof_looks_at_the_middle_as_tecogan_does():
    asked = []
    meter = FlowDifferenceMeter(flow=lambda a, b: asked.append(a.shape) or torch.zeros(2, *a.shape[-2:]), skip=0)
    flow = meter._middle(torch.zeros(2, 100, 145))
    assert flow.shape == (2, 64, 128)  # multiples of 32, 8 pixels from the border at least
    assert meter._middle(torch.zeros(2, 40, 200)).shape == (2, 40, 200)


# ---------------------------------------------------------------- colour


def test_histograms_by_hand():
    """Half of the red pixels change from 0 to 1: p = (1, 0), q = (1/2, 1/2)."""
    black = torch.zeros(3, 4, 4)
    half = black.clone()
    half[0, :2] = 1.0
    p, q = np.array([1.0, 0.0]), np.array([0.5, 0.5])
    m = (p + q) / 2
    expected = 0.5 * (p[0] * np.log(p[0] / m[0])) + 0.5 * sum(q * np.log(q / m))
    assert float(jensen_shannon(torch.tensor(p), torch.tensor(q))) == pytest.approx(expected)
    assert expected == pytest.approx(jensenshannon(p, q) ** 2)  # scipy's is the root, in nats
    meter = ColorDistributionMeter()
    for frame in [black, half] * 4:  # 8 frames: pairs 1 apart always differ, 2 and 4 apart never
        meter.update(frame)
    sums = meter.finish()
    assert sums[1::2] == (7, 6, 4)
    assert meter.value(sums) == pytest.approx(expected / 3 / 3)  # of three steps and three channels one
    assert math.isnan(meter.value(meter.finish()))


def test_opposite_colours_are_ln_2_apart():
    p, q = torch.tensor([1.0, 0, 0]), torch.tensor([0, 0, 1.0])
    assert float(jensen_shannon(p, q)) == pytest.approx(math.log(2))


def test_histograms_are_those_of_numpy():
    rng = np.random.default_rng(0)
    video = rng.integers(0, 256, (6, 20, 30, 3), dtype=np.uint8)
    meter = ColorDistributionMeter()
    for frame in video:
        meter.update(torch.from_numpy(frame).permute(2, 0, 1) / 255)
    counts = [[np.bincount(frame[..., c].ravel(), minlength=256) for c in range(3)] for frame in video]
    means = [
        np.mean([[jensenshannon(counts[i][c], counts[i + d][c]) ** 2 for c in range(3)] for i in range(6 - d)])
        for d in (1, 2, 4)
    ]
    assert meter.value(meter.finish()) == pytest.approx(np.mean(means), rel=1e-9)


# ---------------------------------------------------------------- PSNR, SSIM


def test_psnr_and_ssim_are_those_of_scikit_image():
    rng = np.random.default_rng(0)
    reference = window(100, 100)
    noisy = (reference + torch.from_numpy(rng.normal(0, 0.05, reference.shape)).float()).clamp(0, 1)
    a, b = (x.permute(1, 2, 0).numpy().astype(np.float64) for x in (reference, noisy))
    options = dict(data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, channel_axis=2)
    assert float(ssim(noisy, reference)) == pytest.approx(structural_similarity(a, b, **options), abs=1e-5)
    meters = PSNRMeter(), SSIMMeter()
    for meter in meters:
        meter.update(noisy, reference)
        meter.update(reference, reference)
    psnr, similar = (meter.value(meter.finish()) for meter in meters)
    both = [np.concatenate(pair) for pair in ((a, a), (b, a))]
    assert psnr == pytest.approx(peak_signal_noise_ratio(*both, data_range=1.0), abs=1e-5)
    assert similar == pytest.approx((structural_similarity(a, b, **options) + 1) / 2, abs=1e-5)
    with pytest.raises(ValueError, match="11x11"):
        ssim(torch.zeros(3, 10, 30), torch.zeros(3, 10, 30))
