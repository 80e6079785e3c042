"""Optical flow, tOF, colour consistency, PSNR and SSIM against closed forms, scikit-image and hand computation."""

import gc
import math
import pickle
import time
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import skimage.data
import torch
from scipy.ndimage import gaussian_filter
from scipy.spatial.distance import jensenshannon
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from mmtempreg.functional import Motion, estimate_flow, luminance, reliable, warp_by_flow
from mmtempreg.meters import (
    METERS,
    Clip,
    ColorDistributionMeter,
    FlowDifferenceMeter,
    Picture,
    PSNRMeter,
    SSIMMeter,
    add_sums,
    ssim,
)
from mmtempreg.meters.color_distribution import ColorSums, jensen_shannon
from mmtempreg.meters.columns import Column, columns_of
from mmtempreg.meters.flow_difference import _middle
from mmtempreg.video.flow_files import read_flow, write_flow

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


def pan(frames, step=(2, 1)):
    return [window(100 - step[0] * t, 100 - step[1] * t) for t in range(frames)]


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
    flow = _middle(torch.zeros(2, 100, 145))
    assert flow.shape == (2, 64, 128)  # multiples of 32, 8 pixels from the border at least
    assert _middle(torch.zeros(2, 40, 200)).shape == (2, 40, 200)


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
    assert sums.pairs == (7, 6, 4)
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


def test_colours_that_drift_are_seen_over_a_lag_and_beside_the_reference():
    """A second of 12 frames apart: the clip darkens by a step a frame, the reference by half of one."""
    rng = np.random.default_rng(0)
    noise = rng.integers(100, 140, (3, 40, 40))
    clip, reference = ([noise + rate * t for t in range(30)] for rate in (1, 2))
    meter = ColorDistributionMeter.of_clip(Clip(12.0, 30), lag=1.0)
    for frame, target in zip(reference, clip):
        meter.update(torch.from_numpy(frame) / 255, torch.from_numpy(target) / 255)
        assert len(meter._histograms) <= 12
    sums = meter.finish()

    def expected(frames):
        counts = [[np.bincount(plane.ravel(), minlength=256) for plane in frame] for frame in frames]
        return np.mean(
            [[jensenshannon(counts[i][c], counts[i + 12][c]) ** 2 for c in range(3)] for i in range(len(frames) - 12)]
        )

    assert meter.value(sums) == pytest.approx(expected(reference), rel=1e-9)
    assert meter.of_target(sums) == meter.beside(sums)["truth"] == pytest.approx(expected(clip), rel=1e-9)
    meter.update(torch.rand(3, 4, 4))
    assert meter.reason(meter.finish()) == "the clip is no longer than the lag"
    with pytest.raises(ValueError, match="lag must be 1 frame at least"):
        ColorDistributionMeter(lag=0)


# ---------------------------------------------------------------- PSNR, SSIM


def test_psnr_and_ssim_are_those_of_scikit_image():
    rng = np.random.default_rng(0)
    reference = window(100, 100)
    noisy = (reference + torch.from_numpy(rng.normal(0, 0.05, reference.shape)).float()).clamp(0, 1)
    a, b = (x.permute(1, 2, 0).numpy().astype(np.float64) for x in (reference, noisy))
    options = dict(data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, channel_axis=2)
    assert float(ssim(noisy, reference)) == pytest.approx(structural_similarity(a, b, **options), abs=1e-5)
    grey = [luminance(x)[0].numpy().astype(np.float64) for x in (reference, noisy)]
    options["channel_axis"] = None
    meters = PSNRMeter(), SSIMMeter()
    for meter in meters:
        meter.update(noisy, reference)
        meter.update(reference, reference)
    psnr, similar = (meter.value(meter.finish()) for meter in meters)
    both = [np.concatenate(pair) for pair in ((a, a), (b, a))]
    assert psnr == pytest.approx(peak_signal_noise_ratio(*both, data_range=1.0), abs=1e-5)
    assert similar == pytest.approx((structural_similarity(*grey, **options) + 1) / 2, abs=1e-5)
    with pytest.raises(ValueError, match="11x11"):
        ssim(torch.zeros(3, 10, 30), torch.zeros(3, 10, 30))


def test_psnr_counts_what_the_mask_says():
    a, b = torch.rand(2, 3, 8, 8)
    mask = torch.rand(1, 8, 8)
    meter = PSNRMeter(2.0)
    meter.update(a, b, mask)
    expected = 4 * 3 * mask.sum() / (mask * (a - b) ** 2).sum()
    assert meter.value(meter.finish()) == pytest.approx(10 * math.log10(expected), rel=1e-5)
    meter.update(a, b, 0 * mask)
    assert math.isnan(meter.value(sums := meter.finish()))
    assert "mask is empty" in meter.reason(sums)


# ---------------------------------------------------------------- what all have in common


def test_of_a_picture_each_thing_is_made_once():
    made = []

    def total(values, other=0):
        time.sleep(0.01)
        made.append(other)
        return float(values.sum()) + other

    picture = Picture(torch.ones(1, 2, 3))
    assert [picture.once(total), picture.once(total), picture.once(total, 1), picture.once(total, 1)] == [6, 6, 7, 7]
    assert made == [0, 1]
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: picture.once(total, 2), range(64))) == {8}
    assert made == [0, 1, 2]


@pytest.mark.parametrize("name", [name for name in METERS if name != "vdp"])
def test_pictures_are_measured_as_frames_are_and_are_not_held(name):
    """Of 8 bits, with a mask where it can be; what was made of a frame goes with it, however long the clip."""
    masked = not METERS[name].display
    frames = [(torch.rand(2, 3, 32, 32) * 255).byte() for _ in range(30)]
    mask, motion = (torch.rand(1, 32, 32) if masked else None), Motion(torch.zeros(2, 32, 32), torch.ones(1, 32, 32))
    one, other = (METERS[name].of_clip(Clip(10.0, 30)) for _ in range(2))
    alive = []
    for number, (pred, target) in enumerate(frames):
        pictures = Picture(pred), Picture(target)
        alive += map(weakref.ref, pictures)
        one.update(pred, target, mask, motion if number else None)
        other.update(*pictures, mask, motion if number else None)
    del pictures
    gc.collect()
    assert sum(picture() is not None for picture in alive) <= 4
    assert one.finish() == other.finish()


def test_sums_keep_their_names_when_they_are_pooled():
    first, second = ColorSums((1.0, 2.0), (0.5, 0.5), (3.0, 3.0)), ColorSums((2.0, 2.0), (1.0, 0.0), (1.0, 0.0))
    assert add_sums(first, second) == ColorSums((3.0, 4.0), (1.5, 0.5), (4.0, 3.0))
    for meter in METERS.values():
        if meter not in (ColorDistributionMeter, METERS["vdp"]):
            assert type(add_sums(meter.nothing, meter.nothing)) is type(meter.nothing)
            assert pickle.loads(pickle.dumps(meter.nothing)) == meter.nothing  # ranks send them to each other


@pytest.mark.parametrize("name", METERS)
def test_every_meter_says_what_it_is(name):
    meter = METERS[name]
    assert meter.name == name
    assert meter.title
    assert meter.about
    assert meter.better in ("higher", "lower", "near 1")
    assert meter.reference in ("needed", "optional", "unused")
    assert meter.format(math.nan) == "n/a"
    assert issubclass(meter, meter.summed_by())
    column = Column.named(meter.metric)
    assert (column.title, column.meter) == (meter.title, meter)


@pytest.mark.parametrize("name", [name for name in METERS if name != "vdp"])
def test_every_meter_is_ready_for_another_clip_and_a_clip_without_frames_has_no_value(name):
    meter = METERS[name].of_clip(Clip(24.0, 8))
    frames = [*zip(torch.rand(8, 3, 32, 32), torch.rand(8, 3, 32, 32))]
    found = []
    for _ in range(2):
        motion = None
        for pred, target in frames:
            meter.update(pred, target, None, motion)  # of all: no one asks which need it
            motion = Motion(torch.zeros(2, 32, 32), torch.ones(1, 32, 32))
        found.append(meter.finish())
    assert found[0] == found[1]
    assert math.isfinite(meter.value(found[0]))
    empty = meter.finish()
    assert math.isnan(meter.value(empty))
    assert meter.reason(empty)


@pytest.mark.parametrize(
    "name", [name for name, meter in METERS.items() if meter.reference == "needed" and name != "vdp"]
)
def test_what_needs_a_reference_says_so(name):
    meter = METERS[name].of_clip(Clip(24.0, 8))
    frame = torch.rand(3, 32, 32)
    if METERS[name].summed_by().reference == "needed":
        with pytest.raises(ValueError, match="needs a reference"):
            meter.update(frame)
    with pytest.raises(ValueError, match="differ in shape"):
        meter.update(frame, torch.rand(3, 32, 31))


def test_columns_of_what_test_py_writes():
    names = [
        "TemporalFlicker", "TemporalFlicker_1s", "TemporalFlicker_E_warp", "TemporalFlicker_1s_E_warp", "SaturatedPSNR",
        "TemporalFlicker_E_warp_truth", "SpatialDetail_1s", "nothing", "ImageEquivariance", "TemporalFlicker_0.25s",
        "ColorDistributionConsistency_1s", "ColorDistributionConsistency_1s_truth", "TemporalFlicker_1.0s",
        ""]  # fmt: skip
    titles = [getattr(Column.named(name), "title", "-") for name in names]
    found = ["F", "F 1 s", "E_warp", "E_warp 1 s", "PSNR [dB]", "-", "-", "-", "EQ [dB]", "F 0.25 s", "CDC 1 s", "-"]
    assert titles == [*found, "-", "-"]
    assert [column.title for column in columns_of(names).values()] == [
        "F", "F 0.25 s", "F 1 s", "PSNR [dB]", "EQ [dB]", "E_warp", "E_warp 1 s", "CDC 1 s"]  # fmt: skip


@pytest.mark.parametrize("name", METERS)
@pytest.mark.parametrize("lag", [None, 1.0, 0.04, 1e-5, 3600.0])
def test_every_name_that_is_written_is_read(name, lag):
    meter = METERS[name]
    column = Column(meter.metric, lag)
    assert Column.named(column.name) == (column if lag is None or meter.lagged else None)
    assert Column.named(column.of_truth) is None
