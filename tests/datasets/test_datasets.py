import multiprocessing
import os
import resource
import signal
import threading
import time
from unittest import mock

import cv2
import numpy as np
import pytest
import torch
from mmagic.registry import DATASETS
from tqdm import tqdm

from mmtempreg.datasets import HDRImageDataset, HDRPanDataset, ProceduralHDRDataset, read_hdr
from mmtempreg.datasets.array_cache import cached_array
from mmtempreg.datasets.hdr_images import LENS, Window, camera_view
from mmtempreg.datasets.procedural_scene import draw_scene, render_clip, render_still
from mmtempreg.datasets.virtual_camera import Shot, VirtualCamera, exposure_for, photograph, shift_colour
from mmtempreg.functional import Motion, bring
from mmtempreg.functional.motion import seen


def stills(root, n=6, **kwargs):
    return ProceduralHDRDataset(num_images=n, size=32, data_root=str(root), **kwargs)


# ---------------------------------------------------------------- procedural scenes


def test_frames_are_a_pure_function_of_seed_index_and_frame():
    clip = list(render_clip(draw_scene(3, 7), 5, 48))
    again = list(render_clip(draw_scene(3, 7), 5, 48))
    assert all(np.array_equal(a, b) for a, b in zip(clip, again))
    np.testing.assert_array_equal(render_still(draw_scene(3, 7), 48), clip[0])
    for other in (draw_scene(4, 7), draw_scene(3, 8)):
        assert not np.array_equal(render_still(other, 48), clip[0])
    assert not np.array_equal(clip[0], clip[1])


def test_scenes_are_what_a_camera_loses():
    saturated = []
    for index in range(20):
        image = render_still(draw_scene(0, index), 64)
        assert image.dtype == np.float32
        assert np.isfinite(image).all()
        assert image.min() >= 0
        saturated.append((image.max(axis=-1) > 1).mean())
    assert 0.02 < min(saturated) < max(saturated) < 0.21
    assert max(saturated) - min(saturated) > 0.1


def test_motion_is_smooth():
    # Twice the time step, at most about twice the change: nothing jumps.
    clip = np.log(np.stack(list(render_clip(draw_scene(0, 1), 12, 64))) + 1 / 255)
    one, two = (np.abs(clip[step:] - clip[:-step]).mean() for step in (1, 2))
    assert 0.005 < one < two < 2.2 * one


def test_items(tmp_path):
    dataset = stills(tmp_path)
    item = dataset.get_data_info(2)
    assert len(dataset) == 6
    assert item["img"].dtype == np.uint8
    assert item["gt"].dtype == np.float32
    assert item["img"].shape == item["gt"].shape == (32, 32, 3)
    np.testing.assert_allclose(item["gt"], render_still(draw_scene(0, 2), 32), rtol=1e-3, atol=1e-6)
    assert bool((item["img"][item["gt"] >= 1] == 255).all())
    subset = stills(tmp_path, indices=[4, 2])
    np.testing.assert_array_equal(subset.get_data_info(1)["img"], item["img"])


def test_a_clip_has_one_camera(tmp_path):
    dataset = ProceduralHDRDataset(num_clips=2, num_frames=4, size=32, data_root=str(tmp_path))
    items = [dataset.get_data_info(i) for i in range(len(dataset))]
    assert [(i["clip"], i["frame"]) for i in items] == [(f"seed0_{c:05d}", f) for c in range(2) for f in range(4)]
    assert {i["num_frames"] for i in items} == {4}
    for clip in (items[:4], items[4:]):
        # the same curve for all frames: display value is one growing function of radiance
        radiance = np.concatenate([i["gt"].ravel() for i in clip])
        display = np.concatenate([i["img"].ravel() for i in clip])
        order = np.argsort(radiance, kind="stable")
        assert (np.diff(display[order].astype(int)) >= 0).all()


def changes_along(items, lag, interpolation):
    """Root mean square change of log radiance along the motion that items tell, at fixed pixels, and what is seen."""
    along, still, part = [], [], []
    for now in items[lag:]:
        then = items[now["frame"] - lag]
        flow, visible = (torch.from_numpy(value) for value in now["motion"][lag])
        frames = [torch.from_numpy(np.log(item["gt"] + 1 / 255)).permute(2, 0, 1) for item in (now, then)]
        weight = seen(Motion(flow, visible), interpolation)
        weight[:, :4] = weight[:, -4:] = weight[:, :, :4] = weight[:, :, -4:] = 0
        error = (frames[0] - bring(frames[1], Motion(flow, visible), interpolation)).square().mean(dim=0)
        along.append(float((error * weight[0]).sum() / weight.sum()))
        still.append(float(((frames[0] - frames[1]).square().mean(dim=0) * weight[0]).sum() / weight.sum()))
        part.append(float(visible.mean()))
    return np.sqrt(np.mean(along)), np.sqrt(np.mean(still)), np.mean(part)


@pytest.mark.parametrize("lag", [1, 12])
def test_scenes_without_glows_do_not_change_along_their_motion(lag, tmp_path, monkeypatch):
    """Nothing in them changes but by moving; what is left is interpolation, and no more after half a second."""
    from mmtempreg.datasets import procedural_scene

    monkeypatch.setattr(procedural_scene, "KINDS", ("disc", "ellipse", "box", "gradient", "highlight"))
    dataset = ProceduralHDRDataset(
        num_clips=3, num_frames=16, size=96, data_root=str(tmp_path), motion_lags=(None, 0.5), seed=11
    )
    items = [dataset.get_data_info(i) for i in range(len(dataset))]
    assert items[0]["motion"] == {}
    for clip in (items[:16], items[16:32], items[32:]):
        along, still, part = changes_along(clip, lag, "bilinear")
        assert part > 0.6
        assert along < 0.1
        assert lag == 1 or along < 0.1 * still


def test_motion_that_is_not_asked_for_is_not_told(tmp_path):
    assert "motion" not in stills(tmp_path).get_data_info(0)


def test_any_worker_count_gives_the_same_data(tmp_path):
    from mmengine.runner import Runner

    meta = ["clip", "frame", "num_frames", "fps"]
    pipeline = [dict(type="PackInputs", meta_keys=meta)]

    def images(workers):
        loader = Runner.build_dataloader(
            dict(
                batch_size=2,
                num_workers=workers,
                sampler=dict(type="DefaultSampler", shuffle=False),
                dataset=dict(
                    type="ProceduralHDRDataset", num_images=6, size=32, data_root=str(tmp_path), pipeline=pipeline
                ),
            )
        )
        return [image.numpy() for batch in loader for image in batch["inputs"]]

    assert all(np.array_equal(a, b) for a, b in zip(images(0), images(2)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(num_images=0), r"num_images must be a whole number in \[1, 1e9\]"),
        (dict(size=0), r"size must be a whole number in \[1, 1e9\]"),
        (dict(num_clips=3), "go together"),
        (dict(seed=-1), "seed must be a whole number >= 0"),
    ],
)
def test_bad_arguments(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        ProceduralHDRDataset(data_root=str(tmp_path), **arguments)


# ---------------------------------------------------------------- the cache


def _slow_rows(marker):
    with open(marker, "a") as file:
        file.write("made\n")
    for value in range(20):
        time.sleep(0.03)
        yield np.full((2,), value, np.float32)


def _make(root, slow=True):
    return cached_array(root / "a.npy", shape=(20, 2), dtype="float32", rows=_slow_rows(root / "log"))


def test_two_processes_at_once_make_it_once(tmp_path):
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_make, args=(tmp_path,)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert (tmp_path / "log").read_text() == "made\n"
    np.testing.assert_array_equal(_make(tmp_path)[:, 0], np.arange(20))


def _make_with_a_bar_of_its_own(root):
    tqdm.set_lock(threading.RLock())  # the usual one is shared with forks: whoever is killed with it keeps it
    _make(root)


def test_a_process_killed_half_way_leaves_nothing_behind(tmp_path):
    process = multiprocessing.get_context("fork").Process(target=_make_with_a_bar_of_its_own, args=(tmp_path,))
    process.start()
    while process.is_alive() and not list(tmp_path.glob(".partial_*")):
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert list(tmp_path.glob(".partial_*"))
    assert not (tmp_path / "a.npy").exists()
    np.testing.assert_array_equal(_make(tmp_path)[:, 0], np.arange(20))
    assert not list(tmp_path.glob(".partial_*"))


@pytest.mark.parametrize("where", [130, -20, -2], ids=["at the begin", "at the end", "in the checksum"])
def test_a_flipped_byte_is_noticed(tmp_path, where, caplog):
    _make(tmp_path)
    path = tmp_path / "a.npy"
    data = bytearray(path.read_bytes())
    data[where] ^= 64
    path.write_bytes(data)
    np.testing.assert_array_equal(_make(tmp_path)[:, 0], np.arange(20))
    assert (tmp_path / "log").read_text() == "made\n" * 2
    assert path.read_bytes() != data
    _make(tmp_path)
    assert (tmp_path / "log").read_text() == "made\n" * 2


@pytest.mark.parametrize("length", [0, 5, 100, 150])
def test_what_is_cut_off_is_made_anew(tmp_path, length, capsys):
    _make(tmp_path)
    path = tmp_path / "a.npy"
    path.write_bytes(path.read_bytes()[:length])
    np.testing.assert_array_equal(_make(tmp_path)[:, 0], np.arange(20))
    assert (tmp_path / "log").read_text() == "made\n" * 2
    output = capsys.readouterr()
    assert f"{path} is cut off or empty" in output.out + output.err


def test_a_cache_without_a_checksum_is_read(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((20, 2), np.float32))
    assert (_make(tmp_path) == 1).all()


def test_what_does_not_fit_the_disk_is_refused_and_leaves_nothing(tmp_path):
    """In a process that may not write files of more than a kilobyte: a map of such a file would kill it."""

    def make():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))
        rows = (np.zeros(1000, np.float32) for _ in range(20))
        try:
            cached_array(tmp_path / "a.npy", shape=(20, 1000), dtype="float32", rows=rows)
        except OSError as error:
            os._exit(7 if "a.npy needs 0 MiB, and" in str(error) and "make room" in str(error) else 8)
        os._exit(0)

    process = multiprocessing.get_context("fork").Process(target=make)
    process.start()
    process.join()
    assert process.exitcode == 7
    assert os.listdir(tmp_path) == ["a.lock"]


def test_a_crop_larger_than_the_image_is_refused(tmp_path):
    crop = [dict(type="FixedCrop", keys=["img", "gt"], crop_size=(33, 32))]
    with pytest.raises(ValueError, match="a procedural image is 32x32: smaller than the crop of 32x33"):
        ProceduralHDRDataset(2, size=32, data_root=str(tmp_path), pipeline=crop)
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((40, 30, 3), np.uint8))
    dataset = DATASETS.build(dict(type="PhotographDataset", data_root=str(tmp_path), pipeline=crop))
    with pytest.raises(ValueError, match="a.png is 30x40: smaller than the crop of 32x33"):
        dataset[0]


def test_a_foreign_file_is_not_taken(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((3, 2), np.float32))
    with pytest.raises(ValueError, match="delete it"):
        _make(tmp_path)
    with pytest.raises(ValueError, match="expected 3 rows"):
        cached_array(tmp_path / "b.npy", shape=(3, 1), dtype="float32", rows=iter([np.zeros(1)]))


# ---------------------------------------------------------------- the camera


def test_exposure_puts_the_percentile_at_saturation():
    radiance = np.random.default_rng(0).gamma(1, 3, (50, 60, 3)).astype(np.float32)
    exposed = radiance * exposure_for(radiance, 0.9)
    assert (exposed.max(axis=-1) > 1).mean() == pytest.approx(0.1, abs=0.002)


def test_photograph_is_curve_and_quantisation():
    radiance = np.linspace(0, 1.5, 30, dtype=np.float32).reshape(1, 10, 3)
    power = np.clip(radiance, 0, 1) ** 0.8
    expected = np.round(255 * 1.5 * power / (power + 0.5))
    image = photograph(radiance, Shot(0.8, 0.5), np.random.default_rng(0))
    assert np.abs(image.astype(int) - expected).max() <= 1


def test_hue_and_saturation():
    grey = np.full((4, 4, 3), 2.0, np.float32)
    np.testing.assert_allclose(shift_colour(grey, 90, 0), grey, rtol=1e-5)
    red = np.zeros((4, 4, 3), np.float32)
    red[..., 0] = 4
    np.testing.assert_allclose(shift_colour(red, 120, 0)[0, 0], [0, 4, 0], atol=1e-5)
    assert shift_colour(red, 0, -0.5)[0, 0, 1] > 0


def test_draws_are_in_hdrcnns_ranges():
    rng = np.random.default_rng(0)
    shots = [VirtualCamera().draw(rng) for _ in range(2000)]
    assert np.mean([s.curve_n for s in shots]) == pytest.approx(0.9, abs=0.01)
    assert np.std([s.curve_s for s in shots]) == pytest.approx(0.1, abs=0.01)
    assert 0 <= min(s.noise for s in shots) < max(s.noise for s in shots) <= 0.01
    assert np.std([s.hue for s in shots]) == pytest.approx(7, abs=0.5)
    qualities = [s.jpeg_quality for s in shots]
    assert (min(qualities), max(qualities)) == (30, 100)


# ---------------------------------------------------------------- HDR files


@pytest.fixture
def hdr_folder(tmp_path):
    for index, suffix in enumerate((".hdr", ".exr")):
        image = np.exp(render_still(draw_scene(5, index), 160).clip(0, 4))
        cv2.imwrite(str(tmp_path / f"scene{index}{suffix}"), image[:120, :, ::-1])
    (tmp_path / "notes.txt").write_text("not an image")
    return tmp_path


def test_read_hdr_gives_linear_rgb(tmp_path):
    image = np.random.default_rng(0).gamma(1, 3, (10, 12, 3)).astype(np.float32)
    cv2.imwrite(str(tmp_path / "a.exr"), image[..., ::-1])
    np.testing.assert_allclose(read_hdr(tmp_path / "a.exr"), image, rtol=1e-3)
    cv2.imwrite(str(tmp_path / "a.hdr"), image[..., ::-1])
    np.testing.assert_allclose(read_hdr(tmp_path / "a.hdr"), image, atol=0.01 * image.max())


def test_traces_of_compression_below_zero_are_clipped(tmp_path):
    image = np.ones((10, 12, 3), np.float32)
    image[0, 0] = -0.01
    cv2.imwrite(str(tmp_path / "a.exr"), image)
    assert read_hdr(tmp_path / "a.exr").min() == 0


def test_photographs(hdr_folder):
    dataset = HDRImageDataset(str(hdr_folder), num_images=8, size=24)
    items = [dataset.get_data_info(i) for i in range(8)]
    assert len(dataset) == 8
    for item in items:
        assert item["gt"].shape == (24, 24, 3)
        assert item["gt"].min() >= 0
        assert 0.04 < (item["gt"].max(axis=-1) > 1).mean() < 0.2 or item["gt"].std() == 0
    assert not np.array_equal(items[0]["gt"], items[2]["gt"])  # the same image, another crop
    again = HDRImageDataset(str(hdr_folder), num_images=3, size=24).get_data_info(2)
    np.testing.assert_array_equal(again["img"], items[2]["img"])


@pytest.mark.parametrize("lag", [1, 12])
def test_pans_tell_their_motion_exactly(lag):
    dataset = HDRPanDataset(
        "resources/hdr", num_clips=3, num_frames=20, size=96, motion_lags=(None, 0.5), files=["polyhaven_lab.hdr"]
    )
    items = [dataset.get_data_info(i) for i in range(len(dataset))]
    for clip in (items[:20], items[20:40], items[40:]):
        along, still, part = changes_along(clip, lag, "lanczos")
        assert part > 0.95
        assert along < {1: 0.3, 12: 0.15}[lag] * still


def test_where_a_pan_has_met_the_border_of_its_image_its_motion_is_unknown(tmp_path):
    cv2.imwrite(str(tmp_path / "a.hdr"), np.random.default_rng(0).random((40, 60, 3)).astype(np.float32))
    dataset = HDRPanDataset(str(tmp_path), num_frames=9, size=24, crop=(0.6, 0.6), roll=90, motion_lags=(None,))
    known = [dataset.get_data_info(i)["motion"][1][1] for i in range(1, 9)]
    assert 0 < np.mean(known) < 1


def test_pans_move_smoothly_and_stay_the_same(hdr_folder):
    def clips():
        return HDRPanDataset(str(hdr_folder), num_frames=8, size=32)

    dataset = clips()
    assert len(dataset) == 16
    assert dataset.get_data_info(8)["clip"] == "001_scene1"
    video = np.log(np.stack([dataset.get_data_info(i)["gt"] for i in range(8)]) + 1 / 255)
    one, three = (np.abs(video[step:] - video[:-step]).mean() for step in (1, 3))
    assert 0 < one < three < 3.5 * one
    backwards = clips()
    items = [backwards.get_data_info(i) for i in reversed(range(16))][::-1]
    np.testing.assert_array_equal(items[5]["img"], dataset.get_data_info(5)["img"])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda image: image * np.nan, "bad.exr holds NaN or infinite radiance"),
        (lambda image: image * np.inf, "bad.exr holds NaN or infinite radiance"),
        (lambda image: image - 5, "bad.exr holds negative radiance"),
        (lambda image: image[:20], "bad.exr is 160x20: smaller than the crop of 24x24"),
    ],
    ids=["nan", "infinite", "negative", "small"],
)
@pytest.mark.parametrize("kind", [HDRImageDataset, HDRPanDataset])
def test_bad_images_are_named(hdr_folder, spoil, message, kind):
    image = np.ones((120, 160, 3), np.float32)
    cv2.imwrite(str(hdr_folder / "bad.exr"), spoil(image))
    dataset = kind(str(hdr_folder), size=24, files=["bad.exr"])
    with pytest.raises(ValueError, match=message):
        dataset.get_data_info(0)


def test_missing_and_unreadable_files_are_named(hdr_folder):
    with pytest.raises(FileNotFoundError, match="nowhere: no such folder"):
        HDRImageDataset("nowhere")
    (hdr_folder / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="no image with one of the suffixes"):
        HDRPanDataset(str(hdr_folder / "empty"))
    with pytest.raises(FileNotFoundError, match="gone.hdr: no such HDR image"):
        HDRImageDataset(str(hdr_folder), files=["gone.hdr"]).get_data_info(0)
    for name in ("broken.hdr", "broken.exr"):
        (hdr_folder / name).write_bytes(b"not an image at all")
        with pytest.raises(ValueError, match=name):
            read_hdr(hdr_folder / name)
    with pytest.raises(ValueError, match="fps must be a number in"):
        HDRPanDataset(str(hdr_folder), fps=0)
    with pytest.raises(ValueError, match="crop must be"):
        HDRImageDataset(str(hdr_folder), crop=(0.5, 1.5))


def test_our_datasets_are_registered():
    for name in ("ProceduralHDRDataset", "HDRImageDataset", "HDRPanDataset"):
        assert DATASETS.get(name).__name__ == name


# ---------------------------------------------------------------- lens and pixel


def amplitude(frequency, scale, lens):
    """What a lens and square pixels leave of a wave: frequency in cycles per pixel of the image, which is the scene.

    The scene is continuous by bilinear interpolation, sinc^2 of a wave; a pixel of the view averages over its area,
    sinc, and the lens is a Gaussian of `lens` pixels of the view.
    """
    seen = frequency * scale
    return np.sinc(frequency) ** 2 * np.sinc(seen) * np.exp(-2 * (np.pi * lens * seen) ** 2)


@pytest.mark.parametrize("lens", [0.3, 0.5, 0.8])
@pytest.mark.parametrize(("scale", "per_pixel"), [(1.0, 0.1), (1.0, 0.3), (1.6, 0.2), (1.6, 0.4), (3.0, 0.4)])
def test_a_view_is_the_scene_gathered_over_pixels_at_every_phase(lens, scale, per_pixel):
    """Within 4 % of the wave; bilinear samples of the image are off by up to 9 % with the phase."""
    frequency, size = per_pixel / scale, 24
    x = np.arange(160)
    image = np.repeat(np.tile(1 + 0.5 * np.cos(2 * np.pi * frequency * x + 0.3), (160, 1))[..., None], 3, -1)
    for phase in np.linspace(0, 1, 7):
        window = Window((80 + phase * scale, 80 + 0.37 * phase), size * scale)
        matrix = window.matrix(size)
        seen_at = matrix[0, 0] * np.arange(size) + matrix[0, 2]
        expected = 1 + 0.5 * amplitude(frequency, scale, lens) * np.cos(2 * np.pi * frequency * seen_at + 0.3)
        view = camera_view(image.astype(np.float32), matrix, size, lens=lens)
        np.testing.assert_allclose(view[size // 2, :, 1], expected, atol=0.04 * 0.5)
        np.testing.assert_allclose(view, view[size // 2][None].repeat(size, 0), atol=1e-4)


def test_a_camera_makes_no_light_and_loses_none():
    image = np.zeros((64, 64, 3), np.float32)
    image[30, 33] = 1000.0  # the sun
    view = camera_view(image, Window((32.0, 32.0), 40.0).matrix(40), 40)
    assert view.min() >= 0
    np.testing.assert_allclose(view.sum(), image.sum(), rtol=1e-3)
    np.testing.assert_allclose(
        camera_view(np.full_like(image, 3), Window((5.0, 60.0), 40.0).matrix(32), 32), 3, rtol=1e-5
    )


@pytest.mark.parametrize("reduction", [2, 8, 20])
def test_a_much_larger_image_does_not_alias(reduction):
    """White noise has so much less of its spread in a view as averages have: of one that looks 64 times as finely."""
    image = (
        np.random.default_rng(0).normal(1, 0.3, (20 * reduction, 20 * reduction, 1)).repeat(3, -1).astype(np.float32)
    )
    matrix = Window((10.0 * reduction, 10.0 * reduction), 16.0 * reduction).matrix(16)
    view = camera_view(image, matrix, 16)
    with mock.patch("mmtempreg.datasets.hdr_images.SAMPLES", 64):
        dense = camera_view(image, matrix, 16)
    assert float((view - dense).std()) < 0.1 * float(dense.std())


def test_the_camera_of_earlier_results_is_there_still():
    """`lens=None`: bilinear samples, after a Gaussian where the view is smaller than the image."""
    item, former = (HDRPanDataset("resources/hdr", num_frames=2, size=64, lens=lens)[1] for lens in (LENS, None))
    assert not np.allclose(item["gt"], former["gt"])
    np.testing.assert_allclose(item["gt"].mean(), former["gt"].mean(), rtol=0.1)
