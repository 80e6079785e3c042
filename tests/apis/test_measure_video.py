"""Measuring videos: the figures, against functions that are tested elsewhere, and what is refused."""

import csv
import gc
import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
import torch

from mmtempreg.apis import measure_videos
from mmtempreg.functional import estimate_motion, log_radiance, luminance, rgb_to_lab
from mmtempreg.meters import DetailMeter, FlickerMeter, PSNRMeter, WarpErrorMeter, smoothness, ssim, temporal_residual
from mmtempreg.video import open_frames
from mmtempreg.video.flow_files import write_flow
from mmtempreg.video.image_files import write_image
from mmtempreg.visualization.report_page import _rows, verdict
from testing import forked

ROOT = Path(__file__).resolve().parents[2]
PHOTO = skimage.data.astronaut()
RATE = Fraction(10)  # a short temporal window


def pan(count=16, size=(48, 64)):
    return np.stack([PHOTO[100 : 100 + size[0], 200 - 2 * t : 200 - 2 * t + size[1]] for t in range(count)])


def flickering(video, strength=12, seed=0):
    levels = np.random.default_rng(seed).normal(0, strength, (len(video), 1, 1, 3))
    return np.clip(video + levels, 0, 255).astype(np.uint8)


def clip(folder, video, suffix=".png"):
    for t, image in enumerate(video):
        write_image(folder / f"{t:03d}{suffix}", image)
    return open_frames(folder, rate=RATE)


def tensor(video):
    return torch.from_numpy(video).permute(0, 3, 1, 2).float() / 255


@pytest.fixture
def clips(tmp_path):
    truth = pan()
    videos = {"a": flickering(truth), "b": flickering(truth, 4, seed=1)}
    sources = {name: clip(tmp_path / name, video) for name, video in videos.items()}
    return clip(tmp_path / "truth", truth), sources, tensor(truth), {k: tensor(v) for k, v in videos.items()}


@pytest.mark.parametrize("channels", ["luminance", "rgb", "ab"])
def test_values_are_those_of_the_functions(clips, channels):
    reference, sources, truth, videos = clips
    measure = {"luminance": luminance, "rgb": lambda x: x, "ab": lambda x: rgb_to_lab(x)[:, 1:] / 110}[channels]
    found = measure_videos(sources, reference, channels=channels)
    assert (found.rate, found.size, found.num_frames) == (10, (48, 64), 16)
    for score in found.videos:
        y, x = measure(truth), measure(videos[score.name])
        assert score.values["S"] == pytest.approx(smoothness(x, y, 10), rel=1e-4)
        assert score.values["R"] == pytest.approx(temporal_residual(x, y, 10), rel=1e-4)
        peak = 2.0 if channels == "ab" else 1.0
        meter = PSNRMeter(peak)
        meter.update(x, y)
        assert score.values["psnr"] == pytest.approx(meter.value(meter.finish()), abs=1e-3)
        pairs = [(luminance(x), luminance(y)) for x, y in zip(videos[score.name], truth)]
        similar = [ssim(*pair) for pair in pairs]
        assert score.values["ssim"] == pytest.approx(float(torch.stack(similar).mean()), abs=1e-5)
        warp, detail = WarpErrorMeter(peak=peak), DetailMeter()
        for t in range(16):
            motion = estimate_motion(truth[t], truth[t - 1]) if t else None
            warp.update(x[t], y[t], motion=motion)
            detail.update(x[t], y[t])
        sums = warp.finish()
        assert score.values["warp_error"] == pytest.approx(warp.value(sums), rel=1e-5)
        assert score.values["F"] == pytest.approx(FlickerMeter.value(sums), rel=1e-5)
        assert found.reference.values["warp_error"] == pytest.approx(sums.target_error / sums.pairs, rel=1e-5)
        assert score.values["K"] == pytest.approx(detail.value(detail.finish()), rel=1e-4)
        assert score.reasons == {}
    assert found.reference.values["F"] == found.reference.values["K"] == 1
    a, b = found.videos
    for name in ("F", "R", "warp_error", "cdc"):
        assert a.values[name] > b.values[name]  # it flickers more
    assert a.values["psnr"] < b.values["psnr"]


def test_video_vdp_is_measured_on_request(clips):
    pytest.importorskip("pycvvdp")
    from mmtempreg.meters import VideoVDPMeter

    reference, sources, truth, videos = clips
    found = measure_videos(sources, reference, metrics=["vdp"])
    for score in found.videos:
        meter = VideoVDPMeter(16, 10.0)
        for frame, guide in zip(videos[score.name], truth):
            meter.update(frame, guide)
        assert score.values == {"vdp": meter.value(meter.finish())}
    assert found.videos[0].values["vdp"] < found.videos[1].values["vdp"] < 9.9


def test_a_perfect_video(clips):
    reference, *_ = clips
    names = ["S", "R", "psnr", "ssim", "tof"]
    (score,) = measure_videos({"same": reference}, reference, names).videos
    assert list(score.values) == names
    assert score.values["S"] == 1
    assert score.values["R"] == score.values["tof"] == 0
    assert score.values["psnr"] == np.inf
    assert score.values["ssim"] == pytest.approx(1)


def test_a_video_is_measured_alike_alone_and_beside_others(clips):
    """They share what is made of the reference, and are measured in threads of their own."""
    reference, sources, *_ = clips
    names = ["F", "K", "K_true", "psnr", "S", "R", "warp_error", "ssim", "tof", "cdc"]
    together = measure_videos({f"{name}{n}": sources[name] for n in range(3) for name in "ab"}, reference, names)
    for name in "ab":
        (alone,) = measure_videos({name: sources[name]}, reference, names).videos
        for score in (one for one in together.videos if one.name.startswith(name)):
            assert score.values == alone.values
            for kind, curve in alone.series.items():
                np.testing.assert_array_equal(score.series[kind], curve)
            for kind, where in alone.maps.items():
                np.testing.assert_array_equal(score.maps[kind], where)


def test_curves_and_maps_come_to_the_values(clips):
    reference, sources, *_ = clips
    found = measure_videos(sources, reference)
    for score in found.videos:
        assert {len(curve) for curve in score.series.values()} == {16}
        changes, where = score.series["warp_error"], score.maps["warp_error"]
        assert np.isnan(changes[0])
        assert changes[1:].mean() == pytest.approx(score.values["warp_error"], rel=1e-6)
        assert np.isfinite(where).any()
        assert score.series["ssim"].mean() == pytest.approx(score.values["ssim"], rel=1e-6)
        error, residual = score.series["fast_changes"], score.maps["fast_changes"]
        assert np.square(error).mean() == pytest.approx(np.square(residual).mean(), rel=1e-5)
    own = found.reference.series["warp_error"]
    assert own[1:].mean() == pytest.approx(found.reference.values["warp_error"], rel=1e-6)


def test_what_is_not_asked_for_is_not_measured(clips):
    """But for what a report shows if nothing else can be shown."""
    reference, sources, *_ = clips
    assert set(measure_videos(sources, reference, ["F", "psnr"]).videos[0].series) == {"F", "psnr", "warp_error"}
    found = measure_videos(sources, reference, ["psnr"]).videos[0]
    assert set(found.series) == {"psnr", "fast_changes"}
    assert set(found.values) == {"psnr"}


def test_no_frame_leaves_a_tensor_behind(tmp_path):
    sources = [clip(tmp_path / name, pan(60)) for name in "abc"]
    seen, held = [], []

    def watch(_):
        seen.append(1)
        if len(seen) in (25, 55):
            gc.collect()
            held.append(sum(type(thing) is torch.Tensor for thing in gc.get_objects()))

    found = measure_videos(dict(a=sources[0], b=sources[1]), sources[2], watch=watch)
    assert found.videos[0].pixels.shape == (60, 24 * 24)
    assert held[1] < held[0] + 30  # as many as are read ahead may differ


def test_without_a_reference(clips):
    _, sources, *_ = clips
    found = measure_videos(sources)
    assert found.reference is None
    assert list(found.videos[0].values) == ["K", "warp_error", "cdc", "fast_changes"]
    headings, rows = found.table()
    assert (headings[1], headings[-1]) == ("K to a", "fast changes")
    assert float(rows[0][-1]) > float(rows[1][-1])
    assert float(rows[0][2]) > float(rows[1][2])
    with pytest.raises(ValueError, match=r"\['R'\] need a reference"):
        measure_videos(sources, metrics=["R"])


def test_without_a_reference_a_blur_is_no_better(tmp_path):
    """Nor a video that stands still, nor a sharp one that flickers."""
    truth = pan()
    blurred = np.stack([cv2.GaussianBlur(frame, (0, 0), 2) for frame in truth])
    sources = {
        name: clip(tmp_path / name, video)
        for name, video in dict(
            processed=flickering(truth, 2), blur=blurred, frozen=np.stack([truth[0]] * 16), sharp=flickering(truth, 25)
        ).items()
    }
    for source in (None, clip(tmp_path / "source", truth)):
        found = measure_videos(sources, source=source)
        assert found.blurred == {"blur"}
        headings, rows = found.table()
        starred = {
            cells["cells"][0]["text"]
            for cells in _rows(found, rows)
            for cell, heading in zip(cells["cells"], headings)
            if cell["best"] and heading in ("E_warp", "fast changes")
        }
        assert starred == {"processed"}
        assert "blur" not in verdict(found)[0]
        assert f"those of {found.compared}" in found.notes()[-1]


def test_what_videos_were_enlarged_from_is_what_they_are_compared_with(tmp_path):
    truth = pan()
    small = clip(tmp_path / "small", np.stack([cv2.resize(f, None, fx=0.5, fy=0.5) for f in truth]))
    found = measure_videos({"a": clip(tmp_path / "a", truth)}, source=small)
    assert found.videos[0].values["K"] > 2  # it is sharper than an enlargement
    assert (found.compared, found.enlarged) == ("small", 2)
    assert "K is above 1, as small was made 2 times as large" in found.notes()[-1]
    assert found.videos[0].values["warp_error"] < 1e-3
    with pytest.raises(ValueError, match="--no-reference --source"):
        measure_videos({"a": clip(tmp_path / "a2", truth)}, small)
    with pytest.raises(ValueError, match="no whole multiple"):
        measure_videos({"a": clip(tmp_path / "a3", truth)}, source=clip(tmp_path / "odd", truth[:, :, :-1]))


def test_radiance_is_measured_in_the_log_domain(tmp_path):
    truth = (pan().astype(np.float32) / 255) ** 2.2 * 8
    video = truth * np.random.default_rng(0).uniform(0.8, 1.2, (16, 1, 1, 1)).astype(np.float32)
    reference, source = clip(tmp_path / "y", truth, ".exr"), clip(tmp_path / "x", video, ".exr")
    values = measure_videos({"x": source}, reference).videos[0].values
    y, x = (log_radiance(luminance(torch.from_numpy(v).permute(0, 3, 1, 2))) for v in (truth, video))
    assert values["R"] == pytest.approx(temporal_residual(x, y, 10), rel=1e-3)
    psnr = 10 * np.log10((np.log(10 + 1 / 255) - np.log(1 / 255)) ** 2 / float((x - y).square().mean()))
    assert values["psnr"] == pytest.approx(psnr, abs=0.01)
    with pytest.raises(ValueError, match="cannot be compared"):
        measure_videos({"x": clip(tmp_path / "d", pan())}, reference)
    with pytest.raises(ValueError, match="ab is of display values"):
        measure_videos({"x": source}, reference, channels="ab")


def test_exact_flow_from_files(clips, tmp_path):
    reference, sources, *_ = clips
    for t in range(15):
        for folder, x in (("flow", 2.0), ("flow/backward", -2.0)):
            (tmp_path / folder).mkdir(exist_ok=True)
            write_flow(tmp_path / folder / f"{t:03d}.flo", torch.tensor([x, 0.0]).view(2, 1, 1).expand(2, 48, 64))
    metrics = dict(metrics=["warp_error"], flow_folder=tmp_path / "flow")
    (score,) = measure_videos({"same": reference}, reference, **metrics).videos
    assert score.values["warp_error"] < 1e-12  # the photograph moves by 2 pixels a frame
    found = measure_videos(sources, reference, **metrics)
    assert found.videos[0].values["warp_error"] > found.videos[1].values["warp_error"] > 1e-5
    (tmp_path / "flow" / "backward" / "014.flo").unlink()
    with pytest.raises(ValueError, match=r"14 and 15"):
        measure_videos(sources, reference, **metrics)
    (tmp_path / "flow" / "014.flo").unlink()
    assert_no_flow(measure_videos(sources, reference, **metrics), "holds 14 flows, which are fewer than pairs")
    for file in (tmp_path / "flow").glob("*.flo"):
        file.unlink()  # the way back suffices
    flow = torch.tensor([-2.0, 0.0]).view(2, 1, 1).expand(2, 48, 64).clone()
    flow[:, 20:30] = 1e10  # nobody knows
    write_flow(tmp_path / "flow" / "backward" / "014.flo", flow)
    (score,) = measure_videos({"same": reference}, reference, **metrics).videos
    assert score.values["warp_error"] < 1e-12
    write_flow(tmp_path / "flow" / "backward" / "007.flo", flow[:, :40])
    found = measure_videos(sources, reference, metrics=["F", "psnr"], flow_folder=tmp_path / "flow")
    assert_no_flow(found, r"007.flo is of 64x40 pixels, the frames of 64x48")
    assert found.videos[0].values["psnr"] > 10  # the others go on


def assert_no_flow(found, reason):
    for score in found.videos:
        (name,) = score.reasons
        assert np.isnan(score.values[name])
        assert reason in score.reasons[name]
    assert reason in "".join(found.notes())
    assert "n/a" in found.table()[1][1]


def test_over_a_longer_time_exact_flow_is_composed(clips, tmp_path):
    reference, sources, truth, videos = clips
    (tmp_path / "flow" / "backward").mkdir(parents=True)
    for t in range(15):
        flow = torch.tensor([-2.0, 0.0]).view(2, 1, 1).expand(2, 48, 64)
        write_flow(tmp_path / "flow" / "backward" / f"{t:03d}.flo", flow)
    found = measure_videos(sources, reference, metrics=["warp_error"], flow_folder=tmp_path / "flow", lag=0.5)
    (same,) = measure_videos({"x": reference}, reference, ["warp_error"], flow_folder=tmp_path / "flow", lag=0.5).videos
    assert same.values["warp_error"] < 1e-12  # 5 frames are 10 pixels
    levels = luminance(videos["a"])[:, :, 8:-8, 24:-24].mean(dim=(1, 2, 3)) - luminance(truth)[:, :, 8:-8, 24:-24].mean(
        dim=(1, 2, 3)
    )
    rough = float((levels[5:] - levels[:-5]).square().mean())
    assert found.videos[0].values["warp_error"] == pytest.approx(rough, rel=0.3)


@pytest.mark.slow
def test_what_cannot_be_measured_is_said(tmp_path):
    black = np.zeros((3, 48, 64, 3), np.uint8)
    source = clip(tmp_path / "black", black)
    (score,) = measure_videos(
        {"x": source}, source, ["F", "K", "psnr", "S", "R", "warp_error", "ssim", "tof", "cdc"]
    ).videos
    assert {name for name, value in score.values.items() if np.isnan(value)} == {"F", "K", "S", "R", "tof", "cdc"}
    assert set(score.reasons) == {"F", "K", "S", "R", "tof", "cdc"}
    assert list(measure_videos({"x": source}, source).videos[0].values) == [
        "F", "K", "psnr", "S", "R", "warp_error", "ssim", "cdc"]  # fmt: skip
    assert "does not change along its motion" in score.reasons["F"]
    assert "no fine detail" in score.reasons["K"]
    one = clip(tmp_path / "one", pan(1))
    (score,) = measure_videos({"x": one}, one).videos
    assert "no pair of frames" in score.reasons["F"]
    assert score.values["K"] == 1
    tiny = clip(tmp_path / "tiny", pan(6, (10, 12)))
    (score,) = measure_videos({"x": tiny}, tiny).videos
    assert "16 pixels at least" in score.reasons["F"]
    assert "11x11" in score.reasons["ssim"]
    assert score.values["R"] == 0
    command = [
        sys.executable,
        "tools/measure_video.py",
        str(tmp_path / "black"),
        str(tmp_path / "black"),
        "--fps",
        "10",
    ]
    command += ["--json", str(tmp_path / "r.json"), "--report", str(tmp_path / "r.html")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "F n/a: the reference does not change along its motion" in done.stdout

    def no_constants(name):
        raise AssertionError(f"{name} is no JSON")

    found = json.loads((tmp_path / "r.json").read_text(), parse_constant=no_constants)
    (video,) = found["videos"].values()
    assert video["F"] is None
    (reasons,) = found["not_measured"].values()
    assert "no fine detail" in reasons["K"]
    assert "n/a" in (page := (tmp_path / "r.html").read_text())
    assert "no fine detail" in page


def test_what_does_not_belong_together_is_refused(clips, tmp_path):
    reference, sources, *_ = clips
    wrong = {
        "size": (clip(tmp_path / "s", pan(size=(48, 62))), r"differ in size: 64x48 and 62x48"),
        "length": (clip(tmp_path / "l", pan(15)), r"differ in length: 16 and 15"),
        "rate": (open_frames(tmp_path / "a", rate=24), r"differ in frame rate: 10 and 24"),
    }
    for source, message in wrong.values():
        with pytest.raises(ValueError, match=message):
            measure_videos({"x": source}, reference)
    short = clip(tmp_path / "u", pan(15))
    short.num_frames = None  # a file that does not say
    with pytest.raises(ValueError, match=r"u ends after 15 frames, .*truth goes on"):
        measure_videos({"x": short}, reference)
    with pytest.raises(ValueError, match="unknown metrics"):
        measure_videos(sources, reference, metrics=["lpips"])
    with pytest.raises(ValueError, match="channels must be"):
        measure_videos(sources, reference, channels="yuv")


@pytest.mark.slow
def test_the_command_and_its_files(clips, tmp_path):
    names = ["truth", "mine=" + str(tmp_path / "a"), str(tmp_path / "b")]
    names[0] = str(tmp_path / "truth")
    files = {kind: tmp_path / "out" / f"r.{kind}" for kind in ("json", "csv")}
    command = [sys.executable, "tools/measure_video.py", *names, "--fps", "10"]
    command += ["--json", str(files["json"]), "--csv", str(files["csv"]), "--report", str(tmp_path / "out" / "r.html")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "mine" in done.stdout
    values = json.loads(files["json"].read_text())
    assert values["num_frames"] == 16
    table = list(csv.reader(files["csv"].open()))
    assert table[0][:6] == ["video", "F", "K", "PSNR [dB]", "S", "R"]
    assert [line[0] for line in table[1:3]] == ["reference", "mine"]
    assert float(table[2][5]) == pytest.approx(values["videos"]["mine"]["R"], abs=1e-3)
    assert values["reference"]["F"] == 1
    page = (tmp_path / "out" / "r.html").read_text()
    assert "ow much it flickers</title>" in page
    bad = forked.run([*command[:2], names[0], str(tmp_path / "gone")], cwd=ROOT, capture_output=True, text=True)
    assert bad.returncode == 1
    assert bad.stderr.startswith("error: ")


def test_it_does_not_wait_for_mmagic():
    code = "import sys, mmtempreg.apis; mmtempreg.apis.measure_videos; print('mmagic.models' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr
