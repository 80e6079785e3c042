"""The authors' full network: their weights, and HDR video to test on."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmagic.registry import DATASETS, MODELS
from mmengine.config import Config
from torchvision.models import vgg16

from mmtempreg.datasets import HDRClipDataset
from mmtempreg.functional import camera_curve
from mmtempreg.losses.vgg16 import MEAN, STD
from mmtempreg.models.hdr import HDRCNN
from mmtempreg.video.image_files import write_image
from testing import forked

ROOT = Path(__file__).resolve().parents[2]
CONVERTER = ROOT / "tools" / "model_converters" / "convert_hdrcnn.py"

WIDTHS = [(3, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 256)]
WIDTHS += [(256, 512), (512, 512), (512, 512), (512, 512), (512, 512), (512, 512), (512, 512)]
UP = [(512, 512), (512, 512), (512, 256), (256, 128), (128, 64)]


def authors_arrays(rng):
    """In hdrcnn's order and TensorFlow's layout, small numbers that keep activations in range."""

    def conv(size, below, width):
        scale = (2 / (size * size * below)) ** 0.5
        return [rng.normal(0, scale, (size, size, below, width)), rng.normal(0, 0.1, width)]

    def norm(width):
        return [
            rng.normal(0, 0.1, width),
            rng.uniform(0.5, 1.5, width),
            rng.normal(0, 0.1, width),
            rng.uniform(0.5, 2, width),
        ]

    arrays = [array for widths in WIDTHS for array in conv(3, *widths)] + norm(512)
    for below, width in UP:
        kernel, bias = conv(4, below, width)
        arrays += [kernel.transpose(0, 1, 3, 2), bias, *norm(width), *conv(1, 2 * width, width)]
    arrays += [*conv(1, 64, 3), *norm(3), *conv(1, 6, 3)]
    return [array.astype(np.float32) for array in arrays]


# ---------------------------------------------------------------- the network again, in numpy, (H, W, C)


def conv(x, kernel, bias):
    """Correlation with zero padding that keeps the size."""
    size = kernel.shape[0]
    padded = np.pad(x, ((size // 2,) * 2, (size // 2,) * 2, (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(0, 1))
    return np.tensordot(windows, kernel, axes=([3, 4, 2], [0, 1, 2])) + bias


def deconv(x, kernel, bias):
    """TensorFlow's transposed convolution of 4x4, stride 2, 'SAME': each value spreads its kernel, one pixel is cut."""
    height, width, _ = x.shape
    out = np.zeros((2 * height + 2, 2 * width + 2, kernel.shape[2]))
    for i in range(4):
        for j in range(4):
            out[i : i + 2 * height : 2, j : j + 2 * width : 2] += x @ kernel[i, j].T
    return out[1:-1, 1:-1] + bias


def batch_norm(x, beta, gamma, mean, variance):
    return (x - mean) / np.sqrt(variance + 1e-5) * gamma + beta


def hdrcnn(x, arrays):
    """As the authors' network.py describes it; x in [0, 1], RGB."""
    arrays = iter([array.astype(np.float64) for array in arrays])

    def take(n):
        return [next(arrays) for _ in range(n)]

    def relu(v):
        return np.maximum(v, 0)

    def fuse(v, skip):
        return conv(np.concatenate([v, np.log((skip / 255) ** 2 + 1 / 255)], axis=-1), *take(2))

    skips = [255 * x]
    v = 255 * x[..., ::-1] - [103.939, 116.779, 123.68]
    for number in range(13):
        v = relu(conv(v, *take(2)))
        if number in (1, 3, 6, 9, 12):
            skips.append(v)
            v = v.reshape(v.shape[0] // 2, 2, v.shape[1] // 2, 2, -1).max(axis=(1, 3))
    v = relu(batch_norm(conv(v, *take(2)), *take(4)))
    for level in range(5, 0, -1):
        v = relu(batch_norm(deconv(v, *take(2)), *take(4)))
        v = fuse(v, skips[level])
    v = relu(batch_norm(conv(v, *take(2)), *take(4)))
    v = fuse(v, skips[0])
    assert next(arrays, None) is None
    return v


def converter(*arguments, ok=True):
    command = [sys.executable, str(CONVERTER), *map(str, arguments)]
    done = forked.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode == 0) == ok, done.stderr[-2000:]
    return done.stdout + done.stderr


@pytest.mark.slow
def test_the_authors_weights_land_in_their_places(tmp_path):
    arrays = authors_arrays(np.random.default_rng(0))
    assert sum(array.size for array in arrays) == 29_447_332
    np.savez(tmp_path / "plain.npz", *arrays)
    converter(tmp_path / "plain.npz", tmp_path / "out.pth")
    weights = torch.load(tmp_path / "out.pth", weights_only=True)["state_dict"]
    config = Config.fromfile(ROOT / "configs/tempreg/hdr_full_finetune.py")
    model = MODELS.build(config.model).eval()
    model.load_state_dict({name: w for name, w in weights.items()}, strict=False)
    assert {f"generator.{name}" for name in model.generator.state_dict()} == set(weights)
    image = np.random.default_rng(1).random((32, 64, 3))
    with torch.no_grad():
        found = model.generator(torch.from_numpy(image).permute(2, 0, 1).float()[None])[0].permute(1, 2, 0).numpy()
    expected = hdrcnn(image, arrays)
    assert expected.std() > 0.1
    np.testing.assert_allclose(found, expected, atol=1e-3 * np.abs(expected).max())


def test_their_blending(tmp_path):
    model = MODELS.build(Config.fromfile(ROOT / "configs/tempreg/hdr_full_finetune.py").model).eval()
    x = torch.tensor([0.0, 0.3, 0.9, 0.97, 1.0]).view(1, 1, 1, 5).expand(1, 3, 1, 5)
    prediction = torch.full_like(x, 1.2)
    alpha = ((x - 0.95) / 0.05).clamp(0, 1)
    expected = (1 - alpha) * x**2 + alpha * (torch.exp(prediction) - 1 / 255)
    torch.testing.assert_close(model.blend(x, prediction), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_files_that_are_not_the_authors(tmp_path):
    objects = np.empty(2, dtype=object)
    objects[:] = [np.zeros(3), np.zeros((2, 2))]
    np.savez(tmp_path / "objects.npz", params=objects)
    log = converter(tmp_path / "objects.npz", tmp_path / "out.pth", ok=False)
    assert "objects.npz holds Python objects" in log
    np.savez(tmp_path / "few.npz", np.zeros(3))
    assert "expected 80 arrays of hdrcnn, got 1" in converter(tmp_path / "few.npz", tmp_path / "out.pth", ok=False)
    assert not (tmp_path / "out.pth").exists()


def test_the_encoder_starts_from_a_local_vgg16(tmp_path):
    stock = vgg16(weights=None).eval()
    torch.save({k: v for k, v in stock.state_dict().items() if k.startswith("features")}, tmp_path / "vgg.pth")
    network = HDRCNN(**HDRCNN.full_size(), vgg16=str(tmp_path / "vgg.pth"))
    network.init_weights()
    x = torch.rand(1, 3, 32, 32)
    expected = stock.features[:5]((x - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1))
    seen = []
    network.encoder[1].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    network.eval()(x)
    inner = (..., slice(2, -2), slice(2, -2))  # the two means differ by half a level, and padding is 0 less the mean
    torch.testing.assert_close(seen[0][inner], expected[inner], rtol=1e-3, atol=1e-4)
    with pytest.raises(ValueError, match="the encoder is not"):
        HDRCNN(vgg16=str(tmp_path / "vgg.pth")).init_weights()


# ---------------------------------------------------------------- HDR video


@pytest.fixture
def scenes(tmp_path):
    """Two sequences of 6 .exr frames of 40x30, of which the second is a hundred times as bright."""
    rng = np.random.default_rng(0)
    for number, name in enumerate(("dark", "bright")):
        for frame in range(6):
            radiance = np.exp(rng.normal(0, 1.5, (30, 40, 3))).astype(np.float32) * 100**number
            write_image(tmp_path / "scenes" / name / f"{frame:04d}.exr", radiance)
    return tmp_path / "scenes"


def test_hdr_video_is_exposed_by_the_share_that_saturates(scenes):
    dataset = HDRClipDataset(str(scenes), fps=25, shortest=5, saturated=0.2, seed=3)
    assert len(dataset) == 12
    assert {entry["clip"] for entry in dataset.data_list} == {"dark", "bright"}
    for clip in ("bright", "dark"):
        items = [dataset.get_data_info(i) for i, entry in enumerate(dataset.data_list) if entry["clip"] == clip]
        radiance = np.stack([item["gt"] for item in items])
        assert radiance.dtype == np.float32
        assert (radiance.max(axis=-1) > 1).mean() == pytest.approx(0.2, abs=0.01)
        shot = dataset._take.shot
        for item in items:
            expected = camera_curve(torch.from_numpy(item["gt"]).clamp(0, 1), shot.curve_n, shot.curve_s).numpy()
            np.testing.assert_allclose(item["img"] / 255, expected, atol=0.51 / 255)
            assert item["fps"] == 25
    again = HDRClipDataset(str(scenes), fps=25, shortest=5, saturated=0.2, seed=3)
    np.testing.assert_array_equal(again.get_data_info(7)["img"], dataset.get_data_info(7)["img"])


def test_hdr_video_that_cannot_be_used(scenes):
    with pytest.raises(ValueError, match="saturated must be a number in"):
        HDRClipDataset(str(scenes), saturated=1.0)
    bad = np.full((30, 40, 3), np.nan, np.float32)
    write_image(scenes / "dark" / "0000.exr", bad)
    with pytest.raises(ValueError, match="dark/0000.exr holds NaN"):
        HDRClipDataset(str(scenes), fps=25, shortest=5).get_data_info(6)
    write_image(scenes / "dark" / "0000.exr", np.zeros((30, 40, 3), np.float32))
    for frame in range(6):
        write_image(scenes / "grey" / f"{frame}.png", np.zeros((30, 40, 3), np.uint8))
    dataset = HDRClipDataset(str(scenes), fps=25, shortest=5)
    with pytest.raises(ValueError, match="clip 'grey': grey holds uint8; radiance"):
        dataset.get_data_info(len(dataset) - 1)


def test_the_config_reads_hdr_video(scenes, tmp_path):
    config = Config.fromfile(ROOT / "configs/tempreg/hdr_full_transinv_a0.95.py")
    dataset = config.test_dataloader.dataset
    dataset.update(data_root=str(scenes), list_file=None, shortest=5)
    item = DATASETS.build(dataset)[0]
    assert item["data_samples"].clip == "bright"
    assert item["inputs"].dtype == torch.uint8
    assert item["data_samples"].gt_img.dtype == torch.float32
