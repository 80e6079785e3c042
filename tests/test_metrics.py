import math

import pytest
import torch
from mmagic.registry import METRICS

from mmtempreg.functional import saturation_mask, smoothness, temporal_residual

NAMES = ["TemporalSmoothness", "TemporalResidual", "SaturatedPSNR"]


def clip_samples(truth, video, name="a", fps=24.0):
    return [
        dict(clip=name, frame=t, num_frames=len(truth), fps=fps, gt_img=truth[t], output=dict(pred_img=video[t]))
        for t in range(len(truth))
    ]


def build(name, **kwargs):
    metric = METRICS.build(dict(type=name, **kwargs))
    metric.dataset_meta = {}
    return metric


def evaluate(metric, samples, batch=1):
    for start in range(0, len(samples), batch):
        metric.process(None, samples[start : start + batch])
    return metric.evaluate()


@pytest.fixture
def clips():
    return 2 * torch.rand(2, 2, 34, 3, 6, 8)  # (truth or video, clip, T, C, H, W)


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
            expected = function(move(truth[index]), move(video[index]), 24, mask=weights)
            assert result[f"{name}/{clip}"] == pytest.approx(expected, rel=1e-5)
        assert result[name] == pytest.approx((result[f"{name}/a"] + result[f"{name}/b"]) / 2)


def test_pooled_is_the_ratio_of_sums(clips):
    truth, video = clips.double()
    samples = clip_samples(truth[0], video[0], "a") + clip_samples(truth[1], video[1], "b")
    pooled = evaluate(build("TemporalResidual", reduction="pooled"), samples)["TemporalResidual"]
    each = [temporal_residual(truth[i], video[i], 24) for i in range(2)]
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


def _rank(rank, world_size, port, truth, video, queue):
    import os

    import torch.distributed as dist

    import mmtempreg  # noqa: F401
    from mmtempreg.datasets import ClipSampler

    truth, video = torch.from_numpy(truth), torch.from_numpy(video)
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), RANK=str(rank), WORLD_SIZE=str(world_size))
    dist.init_process_group("gloo")
    samples = [s for i in range(len(truth)) for s in clip_samples(truth[i], video[i], f"clip{i}")]

    class Dataset:
        data_list = samples

        def __len__(self):
            return len(samples)

    sampler = ClipSampler(Dataset())
    results = [evaluate(build(name, per_clip=True), [samples[i] for i in sampler]) for name in NAMES]
    queue.put((rank, list(sampler), results))
    dist.destroy_process_group()


def test_two_processes_give_the_numbers_of_one():
    import socket

    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    truth, video = 2 * torch.rand(2, 3, 31, 3, 4, 4)
    context = torch.multiprocessing.get_context("spawn")
    queue = context.Queue()
    arguments = (2, port, truth.numpy(), video.numpy(), queue)
    processes = [context.Process(target=_rank, args=(rank, *arguments)) for rank in range(2)]
    for process in processes:
        process.start()
    outputs = sorted(queue.get(timeout=300) for _ in processes)
    for process in processes:
        process.join()
    seen = outputs[0][1] + outputs[1][1]
    assert sorted(seen) == list(range(3 * 31))
    samples = [s for i in range(3) for s in clip_samples(truth[i], video[i], f"clip{i}")]
    alone = [evaluate(build(name, per_clip=True), samples) for name in NAMES]
    assert outputs[0][2] == outputs[1][2] == alone
