"""Videos through models: colours, sizes, tiles, order, and what is left when something goes wrong."""

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import skimage.data
import torch
from mmagic.registry import MODELS
from mmengine.config import Config
from torch import nn

from mmtempreg.apis import FrameModel, measure_videos, process_video
from mmtempreg.apis.video_processing import _through
from mmtempreg.utils.command_line import one_line
from mmtempreg.video import Frame, FrameSource, VideoWriter, open_frames
from mmtempreg.video.image_files import read_image, write_image
from testing import forked

ROOT = Path(__file__).resolve().parents[2]
PHOTO = skimage.data.astronaut()


class OnlyRed(nn.Module):
    """A network that tells red from blue: keeps channel `red`, and blackens the others."""

    def __init__(self, red=0, scale=1, multiple=1):
        super().__init__()
        self.weight = nn.Parameter(torch.eye(3)[red])
        self.scale, self.multiple = scale, multiple

    def forward(self, x):
        if x.shape[-1] % self.multiple or x.shape[-2] % self.multiple:
            raise RuntimeError("sizes of tensors must match")
        x = nn.functional.interpolate(x, scale_factor=self.scale, mode="nearest")
        return x * self.weight.view(3, 1, 1)


class Cropping(nn.Module):
    """A network without padding, that returns less than it gets."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, x):
        return x[..., 2:-2, 2:-2] * self.weight


@pytest.fixture(autouse=True)
def _registered():
    for module in (OnlyRed, Cropping):
        MODELS.register_module(module=module, force=True)
    yield
    for module in (OnlyRed, Cropping):
        MODELS.module_dict.pop(module.__name__)


def edit_config(generator, load_order="bgr", output_order=None, **preprocessor):
    return Config(
        dict(
            model=dict(
                type="BaseEditModel", generator=generator, pixel_loss=dict(type="L1Loss"),
                data_preprocessor=dict(type="DataPreprocessor", mean=[0.0] * 3, std=[255.0] * 3,
                                       output_channel_order=output_order, **preprocessor),
            ),
            test_dataloader=dict(
                dataset=dict(pipeline=[dict(type="LoadImageFromFile", key="img", channel_order=load_order)])
            ),
        )
    )  # fmt: skip


def frame_model(config, tmp_path, **options):
    state = MODELS.build(config.model).state_dict()
    if "generator.conv3.bias" in state:
        state["generator.conv3.bias"] += 0.5  # SRCNN: away from black, where all is clipped
    torch.save(dict(state_dict=state), tmp_path / "model.pth")
    return FrameModel(config, str(tmp_path / "model.pth"), **options)


def frames_of(height=45, width=61, count=5):
    return [np.ascontiguousarray(PHOTO[100 : 100 + height, 100 + t : 100 + t + width]) for t in range(count)]


@pytest.fixture
def folder(tmp_path):
    for t, image in enumerate(frames_of()):
        write_image(tmp_path / "in" / f"shot_{t}.png", image)
    return open_frames(tmp_path / "in", rate=25)


# ---------------------------------------------------------------- models


@pytest.mark.parametrize("load_order", ["bgr", "rgb"])
@pytest.mark.parametrize("output_order", [None, "RGB", "BGR"])
def test_the_network_sees_the_channels_it_was_trained_on(tmp_path, load_order, output_order):
    order = output_order or load_order.upper()
    model = frame_model(edit_config(dict(type="OnlyRed", red=order.index("R")), load_order, output_order), tmp_path)
    x = torch.rand(2, 3, 20, 24)
    y = model(x)
    torch.testing.assert_close(y[:, 0], x[:, 0], atol=1e-6, rtol=0)
    assert not y[:, 1:].any()


@pytest.mark.parametrize(("multiple", "scale", "divisor"), [(1, 1, 1), (8, 1, 1), (1, 4, 1), (16, 2, 1), (1, 1, 32)])
def test_frames_of_any_size_come_back_whole(tmp_path, multiple, scale, divisor):
    config = edit_config(dict(type="OnlyRed", scale=scale, multiple=multiple), "rgb", pad_size_divisor=divisor)
    model = frame_model(config, tmp_path)
    x = torch.rand(1, 3, 45, 61)
    y = model(x)
    assert y.shape == (1, 3, 45 * scale, 61 * scale)
    torch.testing.assert_close(y[:, 0, ::scale, ::scale], x[:, 0], atol=1e-6, rtol=0)


def test_a_network_of_another_size_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no frame of 61x45 pixels") as caught:
        frame_model(edit_config(dict(type="Cropping")), tmp_path)(torch.rand(1, 3, 45, 61))
    assert "no whole multiple" in str(caught.value.__cause__)


@pytest.mark.parametrize(("tile", "overlap"), [(32, 8), (32, 0), (40, 19)])
def test_tiles_are_seamless(tmp_path, tile, overlap):
    """A convolution with a reach of 4 pixels: whole frames and overlapping tiles agree, away from their borders."""
    generator = dict(type="SRCNNNet", channels=(3, 4, 4, 3), kernel_sizes=(3, 3, 5), upscale_factor=2)
    config = edit_config(generator)
    torch.manual_seed(0)
    whole = frame_model(config, tmp_path)
    tiled = FrameModel(config, str(tmp_path / "model.pth"), tile=tile, tile_overlap=overlap)
    x = torch.rand(1, 3, 75, 101)
    a, b = whole(x), tiled(x)
    assert a.shape == b.shape == (1, 3, 150, 202)
    assert a.std() > 0.01
    assert (a - b).abs().mean() < (0.01 if overlap else 0.05)
    red = frame_model(edit_config(dict(type="OnlyRed"), "rgb"), tmp_path, tile=tile, tile_overlap=overlap)
    torch.testing.assert_close(red(x)[:, 0], x[:, 0], atol=1e-6, rtol=0)  # weights of the blending add up to 1


def test_bad_tiles(tmp_path):
    with pytest.raises(ValueError, match="less than half"):
        frame_model(edit_config(dict(type="OnlyRed")), tmp_path, tile=32, tile_overlap=16)


def test_half_precision(tmp_path):
    generator = dict(type="SRCNNNet", channels=(3, 8, 4, 3), kernel_sizes=(3, 1, 3), upscale_factor=1)
    full = frame_model(edit_config(generator), tmp_path)
    with mock.patch("mmtempreg.utils.half_precision.native_bfloat16", return_value=True):
        half = FrameModel(edit_config(generator), str(tmp_path / "model.pth"), half=True)
    x = torch.rand(1, 3, 32, 32)
    difference = (full(x) - half(x)).abs()
    assert 0 < difference.max() < 0.05
    assert half(x).dtype == torch.float32


def test_pixels_of_8_and_16_bits_are_what_they_show(tmp_path):
    model = frame_model(edit_config(dict(type="OnlyRed"), "rgb"), tmp_path)
    pixels = torch.from_numpy(np.ascontiguousarray(PHOTO[:32, :32].transpose(2, 0, 1)))[None]
    expected = pixels[:, 0] / 255
    for frames in (pixels, pixels / 255, (pixels / 255).double(), (pixels.numpy().astype(np.uint16) * 257)):
        y = model(torch.as_tensor(frames))
        assert y.dtype == torch.float32
        torch.testing.assert_close(y[:, 0], expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("frames", "says"),
    [
        (torch.rand(1, 3, 8, 8) * 255, "hold values from .* to 25.*: divide those of 8 bits by 255"),
        (torch.full((1, 3, 8, 8), torch.nan), "hold values from nan to nan"),
        (torch.randint(0, 255, (1, 3, 8, 8), dtype=torch.int32), "whole numbers of 8 or 16 bits.*, not int32"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.bool), "not bool"),
        (torch.rand(3, 8, 8), r"got \(3, 8, 8\): one frame is frame.unsqueeze\(0\)"),
        (torch.rand(1, 1, 8, 8), r"must be \(N, 3, H, W\) RGB, at least one, got \(1, 1, 8, 8\)"),
        (torch.rand(1, 4, 8, 8), r"got \(1, 4, 8, 8\)"),
        (torch.rand(1, 8, 8, 3), r"got \(1, 8, 8, 3\): channels come before rows"),
        (torch.rand(0, 3, 8, 8), r"at least one, got \(0, 3, 8, 8\)"),
        (torch.rand(1, 3, 0, 8), r"got \(1, 3, 0, 8\)"),
    ],
    ids=lambda value: "" if isinstance(value, torch.Tensor) else value,
)
def test_what_is_no_frame_is_refused(tmp_path, frames, says):
    with pytest.raises(ValueError, match=says):
        frame_model(edit_config(dict(type="OnlyRed")), tmp_path)(frames)


def test_wrapped_and_stock_configs_give_the_same(tmp_path):
    config = edit_config(dict(type="SRCNNNet", channels=(3, 8, 4, 3), kernel_sizes=(3, 1, 3), upscale_factor=1))
    stock = frame_model(config, tmp_path)
    config.model = dict(type="SiameseEditModel", model=config.model)
    wrapped = FrameModel(config, str(tmp_path / "model.pth"))
    x = torch.rand(2, 3, 24, 24)
    assert torch.equal(stock(x), wrapped(x))


@pytest.mark.parametrize("name", ["pix2pix", "inst_colorization"])
def test_translation_and_colorization(tmp_path, name):
    from testing.stock_models import FAMILIES, family_config, real_images

    real_images(tmp_path / "images")
    (family,) = (f for f in FAMILIES if f.name == name)
    config = family_config(family, tmp_path / "images", tmp_path, 1, small=True)
    config.model = config.model.model
    model = frame_model(config, tmp_path)
    x = torch.from_numpy(PHOTO[100:170, 100:190]).permute(2, 0, 1)[None] / 255
    y = model(x)
    assert y.shape == x.shape
    assert 0 <= y.min() <= y.max() <= 1
    if name == "inst_colorization":  # lightness stays
        from mmtempreg.functional import rgb_to_lab

        inside = (y > 0.01).all(dim=1) & (y < 0.99).all(dim=1)
        assert (rgb_to_lab(x)[:, 0] - rgb_to_lab(y)[:, 0])[inside].abs().max() < 1


# ---------------------------------------------------------------- videos


def only_red(x):
    return x * torch.tensor([1.0, 0, 0]).view(3, 1, 1)


class Numbers(FrameSource):
    """Frames of whole numbers that are no pixels."""

    name, size, rate, num_frames = "numbers", (8, 8), Fraction(24), 2

    def __init__(self, dtype):
        self.dtype = dtype

    def __iter__(self):
        yield from (Frame(np.full((8, 8, 3), 7, self.dtype), Fraction(number, 24)) for number in range(2))


@pytest.mark.parametrize("dtype", [np.int32, np.float64, np.int8])
def test_frames_that_are_no_pixels_are_refused(tmp_path, dtype):
    with pytest.raises(ValueError, match=f"not {np.dtype(dtype).name}"):
        process_video(only_red, Numbers(dtype), tmp_path / "out")
    with pytest.raises(ValueError, match=f"not {np.dtype(dtype).name}"):
        measure_videos({"a": Numbers(dtype)})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (lambda x: x[:1], r"must give \(2, 3, H, W\) for 2 frame\(s\), it gives \(1, 3, 45, 61\)"),
        (lambda x: x[:, :1], r"it gives \(2, 1, 45, 61\)"),
        (lambda x: x[0], r"it gives \(3, 45, 61\)"),
        (lambda x: x.numpy(), "it gives a ndarray"),
        (lambda x: None, "it gives a NoneType"),
    ],
)
def test_a_model_that_gives_something_else_is_refused(folder, tmp_path, model, says):
    with pytest.raises(ValueError, match=says):
        process_video(model, folder, tmp_path / "out", batch_size=2)
    assert not list(tmp_path.glob("out*"))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (dict(stops=1.0), "stops=1 is an exposure of radiance"),
        (dict(stops=float("nan")), r"stops must be a number in \[-50, 50\], got nan"),
        (dict(batch_size=0), "batch_size must be a whole number in .*, got 0"),
        (dict(crf=20), "codec, crf and lossless are of a video"),
        (dict(lossless=True), "codec, crf and lossless are of a video"),
        (dict(output="out.mp4", suffix=".png"), "suffix='.png' is of images in a folder"),
        (dict(output="out.mp4", codec="mpeg4", crf=3), "the codec 'mpeg4' knows no crf"),
        (dict(output="out.mkv", codec="ffv1", crf=3), "the codec 'ffv1' knows no crf"),
    ],
)
def test_options_that_would_do_nothing_are_refused(folder, tmp_path, options, says):
    output = tmp_path / options.pop("output", "out")
    with pytest.raises(ValueError, match=says):
        process_video(only_red, folder, output, **options)
    assert not list(tmp_path.glob("out*"))
    with pytest.raises(ValueError, match=r"stops must be a number in \[-50, 50\], got nan"):
        measure_videos({"a": folder}, stops=float("nan"))
    with pytest.raises(ValueError, match="stops=1 is an exposure of radiance"):
        measure_videos({"a": folder}, stops=1.0)


@pytest.mark.parametrize("name", ["12:30", "http:"])
def test_folders_that_look_like_protocols(folder, tmp_path, name):
    done = process_video(only_red, folder, tmp_path / name / "out.mp4")
    assert done.outputs[0].stat().st_size > 0


def test_pictures_that_no_encoder_takes_are_told_with_file_and_size(tmp_path):
    says = r"out\.mp4 cannot be written as 33000x2 pixels of libx264: "
    with pytest.raises(OSError, match=says), VideoWriter(tmp_path / "out.mp4", 24) as writer:
        writer.write(Frame(np.zeros((2, 33000, 3), np.uint8), Fraction(0)))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("batch_size", [1, 2, 8])
def test_every_frame_once_and_in_order(folder, tmp_path, batch_size):
    done = process_video(only_red, folder, tmp_path / "out", batch_size=batch_size)
    assert done.num_frames == 5
    assert done.outputs == [tmp_path / "out"]
    for t, image in enumerate(frames_of()):
        result = read_image(tmp_path / "out" / f"shot_{t}.png")
        np.testing.assert_array_equal(result[..., 0], image[..., 0])
        assert not result[..., 1:].any()


@pytest.fixture
def four_threads():
    threads = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(threads)


def observed(model):
    """A list of (how many frames are in the network, threads of this one), for each that enters it."""
    inside, seen, lock, run = [], [], threading.Lock(), model._run

    def watched(frames, multiple):
        with lock:
            inside.append(None)
            seen.append((len(inside), torch.get_num_threads()))
        time.sleep(0.02)
        try:
            return run(frames, multiple)
        finally:
            with lock:
                inside.pop()

    model._run = watched
    return seen


def test_small_frames_are_computed_several_at_a_time_and_stay_in_order(tmp_path, four_threads):
    images = frames_of(count=12)
    for t, image in enumerate(images):
        write_image(tmp_path / "in" / f"{t:02d}.png", image)
    model = frame_model(edit_config(dict(type="OnlyRed")), tmp_path, tile=32, tile_overlap=4)
    seen = observed(model)
    process_video(model, open_frames(tmp_path / "in", rate=25), tmp_path / "out")
    for t, image in enumerate(images):
        result = read_image(tmp_path / "out" / f"{t:02d}.png")
        np.testing.assert_allclose(result.sum(axis=-1), image[..., 2], atol=1)
    assert seen[0] == (1, 4)  # the first, alone, has all threads
    assert max(number for number, _ in seen) > 1
    assert {threads for _, threads in seen} == {1, 4}
    # afterwards all is as it was, also for threads that start later
    with ThreadPoolExecutor(1) as pool:
        assert torch.get_num_threads() == pool.submit(torch.get_num_threads).result() == 4


def test_how_many_frames_at_a_time(tmp_path, four_threads):
    model = frame_model(edit_config(dict(type="OnlyRed")), tmp_path)
    assert model.at_once((1, 3, 320, 426)) == 4
    assert model.at_once((1, 3, 1080, 1920)) == model.at_once((8, 3, 320, 426)) == 1
    model.tile = 512
    assert model.at_once((1, 3, 1080, 1920)) == 4
    model.model.generator.drop = nn.Dropout().train()
    assert model.at_once((1, 3, 320, 426)) == 1
    torch.set_num_threads(1)
    model.model.generator.drop.eval()
    assert model.at_once((1, 3, 320, 426)) == 1


def test_an_error_among_several_frames_names_the_first_and_keeps_those_before(tmp_path, four_threads):
    for t in range(9):
        write_image(tmp_path / "in" / f"{t}.png", np.full((20, 20, 3), t, np.uint8))
    model = frame_model(edit_config(dict(type="OnlyRed")), tmp_path)
    run = model._run
    model._run = lambda frames, multiple: run(frames, multiple) * (torch.nan if frames.max() > 5.5 / 255 else 1)
    with pytest.raises(ValueError, match="NaN or infinity from frame 6 of"):
        process_video(model, open_frames(tmp_path / "in", rate=25), tmp_path / "out")
    assert sorted(os.listdir(tmp_path)) == ["in", "model.pth", "out.interrupted"]
    assert sorted(os.listdir(tmp_path / "out.interrupted")) == [f"{t}.png" for t in range(6)]
    assert torch.get_num_threads() == 4


def test_a_video_without_frames():
    class Empty:
        name = "empty"

        def __iter__(self):
            return iter(())

    assert list(_through(lambda x: x, Empty(), "empty")) == []


def test_16_bits_stay_16_bits(tmp_path):
    image = np.random.default_rng(0).integers(0, 65536, (20, 30, 3), dtype=np.uint16)
    write_image(tmp_path / "in" / "0.png", image)
    process_video(lambda x: x, open_frames(tmp_path / "in", rate=25), tmp_path / "out")
    np.testing.assert_array_equal(read_image(tmp_path / "out" / "0.png"), image)


def test_radiance_goes_to_exr_and_to_a_tone_mapped_video(folder, tmp_path):
    config = Config.fromfile(ROOT / "configs" / "tempreg" / "hdr_transinv_a0.8.py")
    model = FrameModel(config, str(ROOT / "checkpoints" / "hdr_baseline.pth"))
    assert model.radiance
    done = process_video(model, folder, tmp_path / "hdr", tone_mapped=tmp_path / "hdr.mp4", stops=-1)
    assert done.outputs == [tmp_path / "hdr", tmp_path / "hdr.mp4"]
    radiance = read_image(tmp_path / "hdr" / "shot_0.exr")
    # where the photograph is not saturated the result is its linearisation, with the channels in their places
    image = frames_of()[0].astype(np.float64) / 255
    dark = image.max(axis=-1) < 0.9
    expected = (0.6 * image / (1.6 - image)) ** (1 / 0.9)
    np.testing.assert_allclose(radiance[dark], expected[dark], rtol=2e-3, atol=1e-4)
    shown = next(iter(open_frames(tmp_path / "hdr.mp4"))).image / 255
    assert np.abs(shown - np.clip(radiance / 2, 0, 1) ** (1 / 2.2)).mean() < 0.02
    with pytest.raises(ValueError, match="display values"):
        process_video(only_red, folder, tmp_path / "x", tone_mapped=tmp_path / "x.mp4")
    with pytest.raises(ValueError, match="holds radiance"):
        process_video(only_red, open_frames(tmp_path / "hdr", rate=25), tmp_path / "x")


class Fails:
    """A model that fails at a frame."""

    def __init__(self, at):
        self.at, self.seen = at, 0

    def __call__(self, x):
        self.seen += 1
        if self.seen == self.at + 1:
            raise RuntimeError("out of memory")
        return x.flip(-1)


def test_an_error_in_the_model_or_the_writer_keeps_what_is_done(folder, tmp_path):
    with pytest.raises(RuntimeError, match="out of memory") as error:
        process_video(Fails(2), folder, tmp_path / "out")
    assert one_line(error.value).endswith(
        f"; the first 2 frames are in {tmp_path}/out.interrupted: go on with --resume"
    )
    assert sorted(os.listdir(tmp_path / "out.interrupted")) == ["shot_0.png", "shot_1.png"]
    with pytest.raises(ValueError, match="the frames before it") as error:
        sizes = iter([1, 1, 2, 1, 1])
        process_video(lambda x: x.repeat(1, 1, next(sizes), 1), folder, tmp_path / "out.mp4")
    assert one_line(error.value).endswith(f"; the first 2 frames are in {tmp_path}/out.interrupted.mp4")
    assert len(list(open_frames(tmp_path / "out.interrupted.mp4"))) == 2
    with pytest.raises(RuntimeError, match="out of memory") as error:
        process_video(Fails(0), folder, tmp_path / "none")
    assert one_line(error.value) == "RuntimeError: out of memory (--debug shows where)"
    assert sorted(os.listdir(tmp_path)) == ["in", "out.interrupted", "out.interrupted.mp4"]


@pytest.mark.parametrize("batch_size", [1, 2])
def test_a_folder_that_is_resumed_is_as_if_nothing_had_been(folder, tmp_path, batch_size):
    process_video(lambda x: x.flip(-1), folder, tmp_path / "whole")
    with pytest.raises(RuntimeError, match="out of memory"):
        process_video(Fails(3), folder, tmp_path / "out", identity="a model")
    with pytest.raises(ValueError, match=r"out.interrupted was made from another input, by another model"):
        process_video(Fails(9), folder, tmp_path / "out", resume=True, identity="another")
    model = Fails(9)
    done = process_video(model, folder, tmp_path / "out", batch_size=batch_size, resume=True, identity="a model")
    assert done.num_frames == folder.num_frames
    assert model.seen == -(-(folder.num_frames - 3) // batch_size)
    assert sorted(os.listdir(tmp_path)) == ["in", "out", "whole"]
    names = sorted(os.listdir(tmp_path / "whole"))
    assert sorted(os.listdir(tmp_path / "out")) == names
    for name in names:
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_what_cannot_be_resumed_is_refused(folder, tmp_path):
    with pytest.raises(ValueError, match="a video cannot be resumed"):
        process_video(Fails(9), folder, tmp_path / "out.mp4", resume=True)
    write_image(tmp_path / "out.interrupted" / "shot_0.png", frames_of()[0])
    (tmp_path / "out.interrupted" / "letter.txt").write_text("mine")
    with pytest.raises(FileExistsError, match=r"out.interrupted holds letter.txt, which is no frame of this video"):
        process_video(Fails(9), folder, tmp_path / "out", resume=True)
    assert (tmp_path / "out.interrupted" / "letter.txt").read_text() == "mine"


def test_a_frame_that_cannot_be_written_is_not_replaced_by_the_next(folder, tmp_path, monkeypatch):
    """A disk that is full for a moment."""
    written = []

    def write(path, image, *more, **named):
        written.append(path.name)
        if len(written) == 3:
            raise OSError(28, "No space left on device", str(path))
        write_image(path, image, *more, **named)

    monkeypatch.setattr("mmtempreg.video.folder_writer.write_image", write)
    with pytest.raises(OSError, match="No space left"):
        process_video(lambda x: x, folder, tmp_path / "out")
    assert written == ["shot_0.png", "shot_1.png", "shot_2.png"]
    assert sorted(os.listdir(tmp_path / "out.interrupted")) == ["shot_0.png", "shot_1.png"]


@pytest.mark.parametrize("suffix", [".jpg", ".tif", ".png"])
def test_a_folder_of_its_own_frames_is_overwritten_when_told(folder, tmp_path, suffix):
    for stops in (0, 1):
        process_video(lambda x, s=stops: x * s, folder, tmp_path / "out", suffix=suffix, overwrite=bool(stops))
    assert len(list(open_frames(tmp_path / "out", 25))) == folder.num_frames
    assert read_image(tmp_path / "out" / f"shot_0{suffix}").mean() > 20


def test_names_that_are_no_utf_8(tmp_path):
    """A Latin-1 byte, of which OpenCV crashes."""
    name = os.fsdecode(b"caf\xe9")
    for t, image in enumerate(frames_of()):
        write_image(tmp_path / name / f"{name}_{t}.png", image)
    source = open_frames(tmp_path / name, rate=25)
    process_video(lambda x: x, source, tmp_path / f"out_{name}")
    assert sorted(map(os.fsencode, os.listdir(tmp_path / f"out_{name}"))) == [b"caf\xe9_%d.png" % t for t in range(5)]
    process_video(lambda x: x, source, tmp_path / f"{name}.mkv", lossless=True)
    for path in (tmp_path / f"out_{name}", tmp_path / f"{name}.mkv"):
        for frame, image in zip(open_frames(path, 25), frames_of(), strict=True):
            assert (frame.image == image).all()


def test_ctrl_c_keeps_what_is_done(folder, tmp_path):
    seen = []

    def stopped(x):
        seen.append(x)
        if len(seen) == 4:
            raise KeyboardInterrupt
        return x

    with pytest.raises(KeyboardInterrupt, match=r"stopped after 3 frames, which are in .*out.interrupted.mp4"):
        process_video(stopped, folder, tmp_path / "out.mp4")
    assert len(list(open_frames(tmp_path / "out.interrupted.mp4"))) == 3
    assert not (tmp_path / "out.mp4").exists()


def test_long_videos_take_constant_memory(tmp_path):
    """No more frames are alive at once than the queues hold, however long the video is."""
    alive, most = set(), 0

    class Source:
        name, size, rate, num_frames = "endless", (16, 16), Fraction(25), 200

        def __iter__(self):
            nonlocal most
            for t in range(200):
                image = np.full((16, 16, 3), t, np.uint8).view(_Counted)
                alive.add(id(image))
                most = max(most, len(alive))
                yield Frame(image, t / self.rate)
                del image

    class _Counted(np.ndarray):
        def __del__(self):
            alive.discard(id(self))

    process_video(lambda x: x, Source(), tmp_path / "out.mp4", batch_size=4)
    assert most < 60


@pytest.mark.slow
def test_the_command(tmp_path):
    with VideoWriter(tmp_path / "in.mp4", Fraction(30000, 1001)) as writer:
        for t, image in enumerate(frames_of(46, 60)):
            writer.write(Frame(image, t * Fraction(1001, 30000)))
    command = [sys.executable, "tools/process_video.py", "configs/tempreg/hdr_transinv_a0.8.py"]
    command += ["checkpoints/hdr_baseline.pth", str(tmp_path / "in.mp4"), str(tmp_path / "out.mp4")]
    command += ["--report", str(tmp_path / "report.html")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "5 frames in" in done.stdout
    page = (tmp_path / "report.html").read_text()
    assert '"names":["input","output"]' in page
    assert '"videos":2' in page
    result = open_frames(tmp_path / "out.mp4")
    assert (result.size, result.rate, result.num_frames) == ((46, 60), Fraction(30000, 1001), 5)
    again = forked.run(command, cwd=ROOT, capture_output=True, text=True)
    assert again.returncode == 1
    assert "--overwrite" in again.stderr
    assert "Traceback" not in again.stderr
