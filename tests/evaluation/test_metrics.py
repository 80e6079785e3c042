import math

import pytest
import torch
from mmagic.registry import METRICS

from mmtempreg.datasets import ClipSampler
from mmtempreg.functional import saturation_mask
from mmtempreg.meters import smoothness, temporal_residual
from testing.processes import in_processes

VIDEO = ["WarpError", "TemporalOpticalFlow", "ColorDistributionConsistency", "VideoVDP"]
NAMES = ["TemporalSmoothness", "TemporalResidual", "SaturatedPSNR", "TemporalFlicker", "SpatialDetail"]


def clip_samples(truth, video, name="a", fps=24.0):
    size = truth.shape[-2:]
    still = (torch.zeros(2, *size), torch.ones(1, *size))
    about = dict(clip=name, num_frames=len(truth), fps=fps)
    return [
        dict(about, frame=t, gt_img=truth[t], motion={1: still} if t else {}, output=dict(pred_img=video[t]))
        for t in range(len(truth))
    ]


def build(name, **kwargs):
    metric = METRICS.build(dict(type=name, **kwargs))
    metric.dataset_meta = {}
    return metric


def build_for_two(name):
    """For truth between 0 and 2."""
    return build(name, per_clip=True, **(dict(white=2.0) if name in VIDEO else {}))


def evaluate(metric, samples, batch=1):
    for start in range(0, len(samples), batch):
        metric.process(None, samples[start : start + batch])
    return metric.evaluate()


@pytest.fixture
def clips():
    return 2 * torch.rand(2, 2, 34, 3, 16, 18)  # (truth or video, clip, T, C, H, W)


DOMAINS = {
    "linear": lambda v: v,
    "log": lambda v: torch.log(v + 1 / 255),
    "gamma": lambda v: v ** (1 / 2.2),
}


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize("mask", [None, "saturated"])
@pytest.mark.parametrize("batch", [1, 7])
def test_temporal_metrics_equal_the_functions(clips, domain, mask, batch):
    truth, video = clips
    samples = clip_samples(truth[0], video[0], "a") + clip_samples(truth[1], video[1], "b")
    for name, function in (("TemporalSmoothness", smoothness), ("TemporalResidual", temporal_residual)):
        result = evaluate(build(name, domain=domain, mask=mask, per_clip=True), samples, batch)
        move = DOMAINS[domain]
        for index, clip in enumerate("ab"):
            weights = saturation_mask(truth[index]) if mask else None
            expected = function(move(video[index]), move(truth[index]), 24, mask=weights)
            assert result[f"{name}/{clip}"] == pytest.approx(expected, rel=1e-5)
        assert result[name] == pytest.approx((result[f"{name}/a"] + result[f"{name}/b"]) / 2)


def test_pooled_is_the_ratio_of_sums(clips):
    truth, video = clips.double()
    samples = clip_samples(truth[0], video[0], "a") + clip_samples(truth[1], video[1], "b")
    pooled = evaluate(build("TemporalResidual", reduction="pooled"), samples)["TemporalResidual"]
    each = [temporal_residual(video[i], truth[i], 24) for i in range(2)]
    assert min(each) <= pooled <= max(each)


def test_saturated_psnr_by_hand(clips):
    truth, video = clips[:, 0]
    mask = saturation_mask(truth)
    squares = (mask * (torch.log(truth + 1 / 255) - torch.log(video + 1 / 255)) ** 2).sum() / (3 * mask.sum())
    peak = math.log(10 + 1 / 255) - math.log(1 / 255)
    assert peak == pytest.approx(7.844, abs=5e-4)
    result = evaluate(build("SaturatedPSNR"), clip_samples(truth, video))["SaturatedPSNR"]
    assert result == pytest.approx(10 * math.log10(peak**2 / float(squares)), rel=1e-5)


def test_psnr_equals_scikit_image_without_mask(clips):
    from skimage.metrics import peak_signal_noise_ratio

    truth, video = clips[:, 0]
    result = evaluate(build("SaturatedPSNR", domain="linear", max_radiance=2.0, mask=None), clip_samples(truth, video))
    expected = peak_signal_noise_ratio(truth.numpy(), video.numpy(), data_range=2.0)
    assert result["SaturatedPSNR"] == pytest.approx(expected, rel=1e-5)


def test_perfect_and_still_predictions(clips):
    truth = clips[0, 0]
    perfect = clip_samples(truth, truth)
    assert evaluate(build("TemporalSmoothness"), perfect)["TemporalSmoothness"] == 1
    assert evaluate(build("TemporalResidual"), perfect)["TemporalResidual"] == 0
    assert evaluate(build("SaturatedPSNR"), perfect)["SaturatedPSNR"] == math.inf
    still = clip_samples(truth, torch.full_like(truth, 0.5))
    assert evaluate(build("TemporalResidual"), still)["TemporalResidual"] == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_a_clip_without_saturated_pixels_is_skipped_and_said_so(name, clips, monkeypatch):
    truth, video = clips[:, 0]
    dark = clip_samples(truth * 0.1, video * 0.1, "dark")
    said = []
    monkeypatch.setattr("mmtempreg.evaluation.sequence_metric.print_log", lambda text, *_: said.append(text))
    alone = evaluate(build(name, mask="saturated"), clip_samples(truth, video))[name]
    both = evaluate(build(name, mask="saturated"), dark + clip_samples(truth, video))[name]
    assert both == alone
    assert "'dark' skipped" in said[0]
    assert math.isnan(evaluate(build(name, mask="saturated"), dark)[name])


def test_prefix_and_evaluating_again(clips):
    truth, video = clips[:, 0]
    metric = build("TemporalResidual", prefix="pans")
    first = evaluate(metric, clip_samples(truth, video))
    assert list(first) == ["pans/TemporalResidual"]
    assert evaluate(metric, clip_samples(truth, video)) == first


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda s: s[:5] + s[6:], "clip 'a', frame 6 came where frame 5 was expected"),
        (lambda s: s[:5] + s[4:], "clip 'a', frame 4 came where frame 5 was expected"),
        (lambda s: s[:5], "clip 'a' ends without frame 5 of 34"),
        (lambda s: [*s[:5], dict(s[5], clip="b")], "clip 'b', frame 5 came while clip 'a' still lacks frame 5"),
        (lambda s: [*s[:5], dict(s[5], fps=30.0)], "num_frames and fps"),
        (lambda s: [*s[:5], dict(s[5], gt_img=torch.rand(3, 4, 4))], "clip 'a', frame 5: ground truth"),
        (
            lambda s: [*s[:5], dict(s[5], gt_img=torch.rand(3, 4, 4), output=dict(pred_img=torch.rand(3, 4, 4)))],
            "clip 'a', frame 5 has shape",
        ),
        (lambda s: [dict(s[0], output=dict(pred_img=s[0]["gt_img"] * math.nan))], "holds NaN or infinite"),
        (lambda s: [{k: v for k, v in s[0].items() if k != "clip"}], "needs .'clip'. in the data sample"),
    ],
    ids=["missing", "repeated", "cut off", "interleaved", "fps", "sizes differ", "size changes", "nan", "no clip"],
)
def test_errors_name_clip_and_frame(name, spoil, message, clips):
    truth, video = clips[:, 0]
    with pytest.raises(ValueError, match=message):
        evaluate(build(name), spoil(clip_samples(truth, video)))


@pytest.mark.parametrize("fps", [0, -1])
def test_bad_fps(fps, clips):
    with pytest.raises(ValueError, match="fps must be a positive number"):
        evaluate(build("TemporalResidual"), clip_samples(*clips[:, 0], fps=fps))


@pytest.mark.parametrize("option", [dict(domain="db"), dict(mask="dark"), dict(reduction="median")])
def test_bad_options(option):
    with pytest.raises(ValueError, match=f"{next(iter(option))} must be one of"):
        build("TemporalResidual", **option)


@pytest.mark.parametrize("processes", [2, 3, 4])
@pytest.mark.slow
def test_several_processes_give_the_numbers_of_one(tmp_path, processes):
    """Of three clips: a fourth process has none."""
    truth, video = 2 * torch.rand(2, 3, 31, 3, 20, 20)
    samples = [s for i in range(3) for s in clip_samples(truth[i], video[i], f"clip{i}")]

    class Dataset:
        data_list = samples

        def __len__(self):
            return len(samples)

    def share(rank):
        dealt = list(ClipSampler(Dataset()))
        return dealt, [evaluate(build_for_two(name), [samples[i] for i in dealt]) for name in NAMES + VIDEO]

    outputs = in_processes(share, processes, tmp_path)
    assert sorted(index for dealt, _ in outputs for index in dealt) == list(range(3 * 31))
    alone = [evaluate(build_for_two(name), samples) for name in NAMES + VIDEO]
    assert all(results == alone for _, results in outputs)


@pytest.mark.parametrize("lag", [None, 0.5])
def test_flicker_and_detail_hold_no_more_than_the_frames_they_compare(lag):
    truth = moving_photo(40, 48)
    still = (torch.zeros(2, 48, 48), torch.ones(1, 48, 48))
    flicker, detail = build("TemporalFlicker", domain="rgb", lag=lag), build("SpatialDetail", domain="rgb")
    for sample in clip_samples(truth, truth + 1)[:-1]:
        sample["motion"] = {lag: still for lag in (1, 12) if lag <= sample["frame"]}
        flicker.process(None, [sample])
        detail.process(None, [sample])
    assert len(flicker._meter._held) == (1 if lag is None else 12)
    held = [value for value in vars(detail._meter).values() if isinstance(value, torch.Tensor | list) and len(value)]
    assert held == []


@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_clips_are_dealt_whole_and_evenly(world_size, monkeypatch):
    from mmtempreg.datasets import clip_sampler

    lengths = [1, 2, 1, 2, 6]  # the longest last: dealt in this order it would come on top of others
    clips = [name for name, length in zip("abcde", lengths) for _ in range(length)]

    class Dataset:
        data_list = [dict(clip=name) for name in clips]

    dealt = []
    for rank in range(world_size):
        monkeypatch.setattr(clip_sampler, "get_dist_info", lambda rank=rank: (rank, world_size))
        sampler = ClipSampler(Dataset())
        assert list(sampler) == sorted(sampler)
        assert len(sampler) == len(list(sampler))
        dealt.append(list(sampler))
    assert sorted(i for mine in dealt for i in mine) == list(range(12))
    assert sum(len({clips[i] for i in mine}) for mine in dealt) == 5  # no clip is on two ranks
    assert max(len(mine) for mine in dealt) == {1: 12, 2: 6, 3: 6}[world_size]
    with pytest.raises(ValueError, match="shuffle"):
        ClipSampler(Dataset(), shuffle=True)


# ---------------------------------------------------------------- warping error, tOF, colours


def moving_photo(count=9, size=64):
    from skimage.data import astronaut

    photo = torch.from_numpy(astronaut()).permute(2, 0, 1).float()
    return torch.stack([photo[:, 100 - t : 100 - t + size, 200 - 2 * t : 200 - 2 * t + size] for t in range(count)])


def test_video_metrics_equal_the_meters():
    """MMagic's images are BGR in [0, 255]; the meters take RGB in [0, 1]."""
    from mmtempreg.meters import ColorDistributionMeter, FlowDifferenceMeter

    truth = moving_photo()
    video = (truth + torch.linspace(-20, 20, 9)[torch.randperm(9)].view(9, 1, 1, 1)).clamp(0, 255)
    samples = clip_samples(truth.flip(1), video.flip(1), "a") + clip_samples(truth.flip(1), truth.flip(1), "b")
    meter = FlowDifferenceMeter()
    for frame, guide in zip(video / 255, truth / 255):
        meter.update(frame, guide)
    result = evaluate(build("TemporalOpticalFlow", per_clip=True), samples, batch=4)
    assert result["TemporalOpticalFlow/a"] == pytest.approx(meter.value(meter.finish()), rel=1e-6)
    assert result["TemporalOpticalFlow/b"] < 1e-4 < result["TemporalOpticalFlow/a"]
    meter = ColorDistributionMeter()
    for frame in video / 255:
        meter.update(frame)
    result = evaluate(build("ColorDistributionConsistency", per_clip=True), samples)
    assert result["ColorDistributionConsistency/a"] == pytest.approx(meter.value(meter.finish()), rel=1e-6)
    assert 0 < result["ColorDistributionConsistency_truth"] < result["ColorDistributionConsistency"]
    apart = evaluate(build("ColorDistributionConsistency", lag=1 / 6), samples)
    assert apart["ColorDistributionConsistency_0.166667s"] > 0


def test_video_vdp_equals_what_its_authors_say_of_the_whole_clip():
    pycvvdp = pytest.importorskip("pycvvdp")
    truth = moving_photo(12, 48)
    video = (truth + 12 * torch.randn(truth.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 255)
    samples = clip_samples(truth.flip(1), video.flip(1), "a") + clip_samples(truth.flip(1), truth.flip(1), "b")
    result = evaluate(build("VideoVDP", per_clip=True), samples, batch=5)
    cvvdp = pycvvdp.cvvdp(display_name="standard_4k", device=torch.device("cpu"), quiet=True)
    theirs, _ = cvvdp.predict(video / 255, truth / 255, dim_order="FCHW", frames_per_second=24.0)
    assert result["VideoVDP/a"] == float(theirs) < 9.9
    assert result["VideoVDP/b"] == pytest.approx(10, abs=1e-4)
    assert result["VideoVDP"] == pytest.approx((float(theirs) + 10) / 2, abs=1e-4)


def test_video_vdp_wants_the_frames_that_were_announced():
    pytest.importorskip("pycvvdp")
    from mmtempreg.meters import VideoVDPMeter

    frame = torch.rand(3, 32, 32)
    with pytest.raises(ValueError, match="nix"):
        VideoVDPMeter(2, 24.0, screen="nix")
    meter = VideoVDPMeter(2, 24.0)
    meter.update(frame, frame)
    with pytest.raises(ValueError, match="has 1 frames, it was said to have 2"):
        meter.finish()
    meter.update(frame, frame)
    with pytest.raises(ValueError, match="more than the 2"):
        meter.update(frame, frame)
    assert VideoVDPMeter.value(meter.finish()) == pytest.approx(10, abs=1e-4)
    broken = VideoVDPMeter(5, 24.0)  # what fails in the thread is raised here
    for size in (32, 31, 30, 32, 32):
        broken.update(torch.rand(3, size, 32), torch.rand(3, size, 32))
    with pytest.raises(RuntimeError):
        broken.finish()


def test_radiance_is_compared_as_it_is_shown():
    radiance = (moving_photo() / 255) ** 2.2
    flickering = radiance * torch.tensor([1.0, 0.6] * 4 + [1.0]).view(9, 1, 1, 1)
    as_radiance = evaluate(build("WarpError", white=1.0, domain="gamma"), clip_samples(radiance, flickering))
    shown = [video ** (1 / 2.2) * 255 for video in (radiance, flickering)]
    assert as_radiance["WarpError"] == pytest.approx(
        evaluate(build("WarpError"), clip_samples(*shown))["WarpError"], rel=1e-3
    )
    with pytest.raises(ValueError, match="display values"):
        build("TemporalOpticalFlow", domain="log")
    with pytest.raises(ValueError, match="white"):
        build("WarpError", white=0)


# ---------------------------------------------------------------- along the motion


def without_motion(samples):
    return [{name: value for name, value in sample.items() if name != "motion"} for sample in samples]


def test_flicker_takes_the_motion_that_the_sample_knows():
    """The photograph moves by (2, 1) a frame; a sample that says so, and light that changes by a known factor."""
    radiance = 0.1 + moving_photo() / 255
    light = torch.tensor([1.0, 1.05] * 4 + [1.0]).view(9, 1, 1, 1)
    samples = clip_samples(radiance, radiance * light)
    flow = torch.tensor([-2.0, -1.0]).view(2, 1, 1).expand(2, 64, 64)
    samples = [
        dict(s, motion={1: (flow.numpy(), torch.ones(1, 64, 64).numpy())} if s["frame"] else {}) for s in samples
    ]
    result = evaluate(build("WarpError", domain="log", interpolation="lanczos", low_pass=0.7), samples)
    assert result["WarpError"] == pytest.approx(math.log(1.05) ** 2, rel=0.05)
    assert list(result) == ["WarpError"]
    truth = build("TemporalFlicker", domain="log")
    assert math.isnan(evaluate(truth, samples)["TemporalFlicker"])  # it moves by whole pixels, and nothing changes
    noisy = radiance * (1 + 0.02 * torch.randn(9, 1, 1, 1, generator=torch.Generator().manual_seed(0)))
    samples = [dict(s, gt_img=noisy[s["frame"]]) for s in samples]
    result = evaluate(truth, samples)
    ratio = result["TemporalFlicker_E_warp"] / result["TemporalFlicker_E_warp_truth"]
    assert result["TemporalFlicker"] == pytest.approx(math.sqrt(ratio), rel=0.1)  # but for the noise of 8 bits


def test_flicker_estimates_motion_from_frame_to_frame_only(monkeypatch):
    truth = moving_photo(30)
    truth = truth * (1 + 0.02 * torch.randn(30, 1, 1, 1, generator=torch.Generator().manual_seed(0)))
    video = truth * torch.tensor([1.0, 0.9] * 15).view(30, 1, 1, 1)
    samples = without_motion(clip_samples(truth, video))
    result = evaluate(build("TemporalFlicker", domain="luminance"), samples)
    assert result["TemporalFlicker"] > 2
    said = []
    monkeypatch.setattr("mmtempreg.evaluation.sequence_metric.print_log", lambda text, *_: said.append(text))
    metric = build("TemporalFlicker", domain="luminance", lag=1.0)
    assert math.isnan(evaluate(metric, samples)["TemporalFlicker_1s"])
    assert "motion is unknown" in said[0]
    still = (torch.zeros(2, 64, 64), torch.ones(1, 64, 64))
    known = [dict(s, motion={24: still} if s["frame"] >= 24 else {}) for s in samples]
    assert evaluate(metric, known)["TemporalFlicker_1s"] > 0


def test_any_meter_can_be_named():
    truth = moving_photo()
    video = (truth + 5 * torch.randn(truth.shape)).clamp(0, 255)
    samples = clip_samples(truth, video)
    by_name = evaluate(build("SequenceMetric", meter="K", domain="rgb"), samples)
    assert by_name == evaluate(build("SpatialDetail", domain="rgb"), samples)
    with pytest.raises(ValueError, match="meter must be one of"):
        build("SequenceMetric")


def test_equivariance_of_a_model_that_is_and_one_that_is_not():
    from mmagic.structures import DataSample

    class Model:
        """Predicts the negative, plus a pattern that does not move with the picture."""

        data_preprocessor = None

        def __init__(self, pattern):
            self.pattern = pattern

        def test_step(self, batch):
            (image,) = batch["inputs"]
            return [DataSample(output=DataSample(pred_img=self.predict(image)))]

        def predict(self, image):
            return 255 - image.float() + self.pattern

    def measured(pattern):
        model, metric = Model(pattern), build("ImageEquivariance", domain="rgb", every=3)
        metric.prepare(model, type("Loader", (), dict(dataset=range(7)))())
        frames = moving_photo(7, 96)
        for number, sample in enumerate(clip_samples(frames, torch.stack([model.predict(f) for f in frames]))):
            sample = {name: value for name, value in sample.items() if name != "motion"}
            metric.process(dict(inputs=[frames[number]], data_samples=[DataSample()]), [sample])
        return metric.evaluate()["ImageEquivariance"]

    checks = 10.0 * ((torch.arange(96)[:, None] + torch.arange(96)) % 8 < 4)
    assert measured(0) > 45  # what clipping to white leaves of Lanczos
    assert 20 < measured(checks) < 40
