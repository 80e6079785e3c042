"""Equivariance on still images: networks of which it is known."""

import json
import os
import re
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
from mmengine.config import Config
from scipy.ndimage import map_coordinates
from skimage import data

from mmtempreg.apis import FrameModel, find_flicker_causes, find_images, measure_image_equivariance
from mmtempreg.evaluation.equivariance import KINDS, measure_equivariance, move, transforms_of
from mmtempreg.meters import EquivarianceMeter
from mmtempreg.transforms import draw_generator
from mmtempreg.video.image_files import write_image
from mmtempreg.visualization import plot_flicker_causes
from testing import forked

ROOT = Path(__file__).resolve().parents[2]
PHOTO = torch.from_numpy(data.astronaut().copy()).permute(2, 0, 1)[:, 60:188, 160:288].float() / 255


def measure(predict, image=PHOTO):
    meters = {kind: EquivarianceMeter() for kind in KINDS}
    measure_equivariance(predict, image, meters)
    return {kind: meter.value(meter.finish()) for kind, meter in meters.items()}


def test_a_moved_image_is_scipys():
    """A smooth picture, so that the kernel does not matter; positions are the authors' matrix."""
    y, x = np.mgrid[:80, :90] / 9.0
    image = torch.from_numpy(np.stack([np.sin(x) * np.cos(y), np.cos(x + y)])).float()
    drawn = transforms_of("EQ").sample(image[None], draw_generator(3, 0))
    moved, valid = move(image, drawn)
    yy, xx = np.mgrid[:80, :90].astype(float)
    matrix = drawn.matrix[0].numpy()
    at = [matrix[i, 0] * xx + matrix[i, 1] * yy + matrix[i, 2] for i in (1, 0)]
    expected = np.stack([map_coordinates(plane, at, order=5) for plane in image.double().numpy()])
    inner = np.broadcast_to(valid[0].numpy() > 0, expected.shape)
    assert 0.7 < inner.mean() < 0.95
    np.testing.assert_allclose(moved.numpy()[inner], expected[inner], atol=0.008)  # positions to 1/32 pixel


def test_a_larger_prediction_moves_as_many_times_as_far():
    drawn = transforms_of("EQ-T").sample(PHOTO[None], draw_generator(1, 0))
    small, large = move(PHOTO, drawn)[0], move(PHOTO.repeat_interleave(2, 1).repeat_interleave(2, 2), drawn)[0]
    reduced = torch.nn.functional.avg_pool2d(large[None], 2)[0]
    assert float((reduced - small)[:, 8:-8, 8:-8].abs().mean()) < 0.02


def test_what_works_pixel_by_pixel_is_equivariant_and_what_stays_where_it_is_is_not():
    linear = measure(lambda image: 1 - image)
    assert min(linear.values()) > 55  # clipping of what Lanczos overshoots
    grid = 0.1 * ((torch.arange(128)[:, None] + torch.arange(128)) % 8 < 4)
    checked = measure(lambda image: image + grid)
    for kind in KINDS:
        assert 18 < checked[kind] < 36
    assert set(KINDS) == {"EQ-T", "EQ-R", "EQ"}


def test_the_closed_form_of_a_fixed_pattern():
    """f adds an independent pattern of variance v that does not move: the difference of two of its values has 2 v."""
    noise = 0.05 * torch.randn(3, 128, 128, generator=torch.Generator().manual_seed(0))
    expected = -10 * np.log10(2 * 0.05**2)
    assert measure(lambda image: image + noise)["EQ-T"] == pytest.approx(expected, abs=1)  # moved noise is smoother


def test_all_three_are_the_same_every_time():
    assert measure(lambda image: image**2) == measure(lambda image: image**2)


@pytest.fixture
def images(tmp_path):
    for number, name in enumerate(("a.png", "b.jpg")):
        write_image(tmp_path / "images" / name, data.astronaut()[60 : 124 + number, 160:240])
    return tmp_path / "images"


def test_of_a_model_and_a_folder(images):
    config = Config.fromfile(ROOT / "configs/tempreg/hdr_finetune.py")
    model = FrameModel(config, str(ROOT / "checkpoints/hdr_baseline.pth"))
    found = measure_image_equivariance(model, find_images(images), crop=64, num_transforms=1)
    assert all(20 < value < 80 for value in found.values())
    with pytest.raises(FileNotFoundError, match="no folder"):
        find_images(images / "none")
    (images / "more").mkdir()
    with pytest.raises(FileNotFoundError, match="holds no image"):
        find_images(images / "more")
    (images / "c.png").write_bytes(b"x")
    with pytest.raises(ValueError, match=r"c.png cannot be read"):
        measure_image_equivariance(model, find_images(images)[-1:], crop=64)


@pytest.mark.slow
def test_the_command(images, tmp_path):
    command = [sys.executable, "tools/measure_equivariance.py", "configs/tempreg/color_finetune.py"]
    command += ["checkpoints/color_transinv_a0.95.pth", images, "--crop", "64", "--transforms", "1"]
    environment = dict(os.environ, PYTHONWARNINGS="ignore", OMP_NUM_THREADS="1")

    def run(*more):
        return forked.run(list(map(str, [*command, *more])), cwd=ROOT, env=environment, capture_output=True, text=True)

    done = run("--json", tmp_path / "eq.json")
    assert done.returncode == 0, done.stderr[-2000:]
    assert "EQ-T [dB]" in done.stdout
    values = json.loads((tmp_path / "eq.json").read_text())
    assert values["num_images"] == 2
    assert 20 < values["EQ"] < 80
    command[4] = tmp_path / "none"
    missing = run()
    assert missing.returncode == 1
    assert missing.stderr.splitlines()[-1].startswith("error: there is no folder")


# ---------------------------------------------------------------- why does it flicker?


class Pooled(torch.nn.Module):
    """An average over 2x2 pixels, brought back to all: its only phase is that of the pooling."""

    def __init__(self, kind):
        super().__init__()
        self.pool = kind(2)

    def forward(self, x):
        return self.pool(x).repeat_interleave(2, -1).repeat_interleave(2, -2)


def stock(generator):
    preprocessor = dict(type="DataPreprocessor", mean=[0.0] * 3, std=[255.0] * 3)
    return dict(
        type="BaseEditModel", generator=generator, pixel_loss=dict(type="L1Loss"), data_preprocessor=preprocessor
    )


def frame_model(generator):
    """Of a network without weights, or with those it begins with."""
    with mock.patch("mmtempreg.apis.model.load_weights"), mock.patch("mmtempreg.apis.model.read_checkpoint") as read:
        read.return_value = {}
        return FrameModel(Config(dict(model=stock(generator))), "none.pth")


@pytest.fixture
def photos(tmp_path):
    for number, name in enumerate(("astronaut", "coffee")):
        write_image(tmp_path / f"{number}.png", getattr(data, name)()[:256, :256])
    return find_images(tmp_path)


def test_the_pooling_is_blamed(photos):
    causes = find_flicker_causes(frame_model(dict(type=Pooled, kind=torch.nn.MaxPool2d)), photos, crop=128)
    before, after = causes.as_it_is.shifts, causes.anti_aliased.shifts
    assert list(before) == [1, 2, 4, 8, 16, 32]
    assert all(before[shift] < 1e-12 for shift in (2, 4, 8, 16, 32))  # whole steps of its grid
    assert 0 < after[1] < before[1]
    assert causes.stages == {}  # there is one alone
    assert "anti-aliased" in causes.table()[1][1][0]
    assert "Noise of 2 levels has" in causes.verdict()


def test_a_network_without_phase_has_zeros_and_is_told_so(photos):
    generator = dict(type="SRCNNNet", channels=(3, 4, 4, 3), kernel_sizes=(3, 1, 3), upscale_factor=1)
    causes = find_flicker_causes(frame_model(generator), photos, crop=128)
    assert max(causes.as_it_is.shifts.values()) < 1e-10
    assert causes.anti_aliased is None
    assert "no pooling or strided convolution that could be anti-aliased" in causes.verdict()
    assert "Noise of 2 levels has 100 % of both" in causes.verdict()


def test_the_shipped_networks_verdict(photos, tmp_path):
    config = Config.fromfile("configs/tempreg/hdr_finetune.py")
    model = FrameModel(config, "checkpoints/hdr_baseline.pth")
    bright = [tmp_path / "bright.png"]
    write_image(bright[0], np.clip(data.astronaut()[:200, :200].astype(int) * 2, 0, 255).astype(np.uint8))
    causes, noisy = (
        find_flicker_causes(model, bright, crop=128, shifts=(1, 8), stages=False, noise=levels) for levels in (0.5, 8.0)
    )
    assert "Noise of 8 levels has 9" in noisy.verdict()
    assert "which anti-aliasing leaves" in noisy.verdict()
    assert "Try it" not in noisy.verdict()
    assert noisy.as_it_is.shifts == causes.as_it_is.shifts
    assert causes.anti_aliased.shifts[1] < 0.5 * causes.as_it_is.shifts[1]
    assert re.search(
        r"Anti-aliasing takes away \d\d % of what .* Try it: model=dict\(type='AntiAliasedModel'", causes.verdict()
    )
    plot_flicker_causes(tmp_path / "why.png", causes)
    assert (tmp_path / "why.png").stat().st_size > 10_000


def test_an_image_without_room_is_named(tmp_path):
    write_image(tmp_path / "a.png", data.astronaut()[:60, :90])
    model = frame_model(dict(type=Pooled, kind=torch.nn.AvgPool2d))
    with pytest.raises(ValueError, match=r"a.png is 90x60: shifts of up to 32 pixels need 104"):
        find_flicker_causes(model, [tmp_path / "a.png"])


def test_one_that_is_anti_aliased_already_is_told_so_and_dark_pictures_are_named(tmp_path):
    model = FrameModel(Config.fromfile("configs/tempreg/hdr_finetune.py"), "checkpoints/hdr_anti_aliased.pth")
    write_image(tmp_path / "bright.png", np.clip(data.astronaut()[:160, :160].astype(int) * 2, 0, 255).astype(np.uint8))
    causes = find_flicker_causes(model, [tmp_path / "bright.png"], crop=96, shifts=(1,))
    assert causes.anti_aliased is None
    assert causes.verdict().startswith("Its strides are anti-aliased already.")
    write_image(tmp_path / "dark.png", data.astronaut()[:160, :160] // 2)
    with pytest.raises(
        ValueError, match="no picture is saturated, which is where the radiance that it predicts counts"
    ):
        find_flicker_causes(model, [tmp_path / "dark.png"], crop=96, shifts=(1,))
