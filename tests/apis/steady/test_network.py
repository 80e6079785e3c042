"""What a network takes and gives, found out by running it."""

import math
import re

import pytest
import torch

from mmtempreg.apis.steady.network import Tries, _likeliest, read_network, smallest_edge

SOURCE = """
import torch
from torch import nn

class Brighter(nn.Module):
    def __init__(self, size=3, low=0.0, high=1.0):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, size, padding=size // 2, bias=False)
        self.low, self.high = low, high

    def forward(self, x):
        x = (x - self.low) / (self.high - self.low)
        out = self.conv(x).clamp(0, 1) ** 0.8
        return out * (self.high - self.low) + self.low

class Sharper(nn.Module):
    def __init__(self, low=0.0, high=1.0, clamps=False):
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(0.2))
        self.low, self.high, self.clamps = low, high, clamps

    def forward(self, x):
        width = self.high - self.low
        detail = x - nn.functional.avg_pool2d(x, 5, 1, 2, count_include_pad=False)
        out = x + width * (self.gain * torch.tanh(8 * detail / width) + 0.02)
        return out.clamp(self.low, self.high) if self.clamps else out

class Double(nn.Module):
    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(1))

    def forward(self, x):
        return self.gain * x.repeat_interleave(2, -1).repeat_interleave(2, -2)

class Large(Double):
    def forward(self, x):
        if x.shape[-1] < 192:
            raise RuntimeError(f"{x.shape[-1]} pixels are too few")
        return self.gain * x

class Larger(Large):
    def forward(self, x):
        raise RuntimeError(f"{x.shape[-1]} pixels are too few")

class Grey(Double):
    def forward(self, x):
        return self.gain * x.mean(1, keepdim=True)

def nothing():
    return 3
"""


@pytest.fixture
def file(tmp_path):
    (tmp_path / "network.py").write_text(SOURCE)
    return str(tmp_path / "network.py")


def identity(size=3):
    weight = torch.zeros(3, 3, size, size)
    for channel in range(3):
        weight[channel, channel, size // 2, size // 2] = 1
    return {"conv.weight": weight}


def crops(edge=96):
    images = torch.rand(2, 3, edge // 8, edge // 8, generator=torch.Generator().manual_seed(0))
    images = torch.nn.functional.interpolate(images, scale_factor=8, mode="bicubic").clamp(0, 1)
    return [(image, image) for image in images]


@pytest.mark.parametrize(("name", "low", "high"), [("0..1", 0.0, 1.0), ("0..255", 0.0, 255.0), ("-1..1", -1.0, 1.0)])
def test_the_range_is_found(name, low, high, file, tmp_path):
    torch.save(identity(), tmp_path / "a.pth")
    options = dict(low=low, high=high)
    network = read_network(f"{file}:Brighter", tmp_path / "a.pth", crops, options=options)
    assert re.search(rf"^range: {name}, found by trying \(tried, PSNR to the scene: 0\.\.1 .* dB", network.found[1])
    assert re.search(r"^order: RGB, a guess \(tried, .* BGR .* dB\): give --order if it is wrong$", network.found[2])
    model = network.build()
    x = crops()[0][0][None]
    torch.testing.assert_close(model.generator(x), x**0.8, atol=1e-5, rtol=0)
    assert network.scale == 1
    assert list(network.weights(model)) == ["conv.weight"]


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        (
            "0..1",
            {},
            r"a guess \(.*: 0\.\.1 \d\d\.\d dB, 0\.\.255 \d\d.* dB, -1\.\.1 .* dB; 0\.\.1 is usual\): give --range",
        ),
        ("0..1", dict(clamps=True), "its output never leaves that"),
        ("-1..1", dict(low=-1.0, clamps=True), "its output never leaves that"),
        ("0..255", dict(high=255.0), "found by trying"),
        ("0..255", dict(high=255.0, clamps=True), "its output never leaves that"),
    ],
)
def test_the_range_of_a_network_that_changes_the_picture(name, options, says, file, tmp_path):
    """It comes nearest to the scene in a range that is so wide that the change is nothing."""
    torch.save(dict(gain=torch.tensor(0.2)), tmp_path / "a.pth")
    found = read_network(f"{file}:Sharper", tmp_path / "a.pth", crops, options=options).found[1]
    assert re.search(f"^range: {name}, .*{says}", found)
    if not options:  # where the scene is to be restored what comes nearest is right
        found = read_network(f"{file}:Sharper", tmp_path / "a.pth", crops, restores=True).found[1]
        assert found.startswith("range: 0..255, found by trying")


def test_a_network_that_fails_in_the_usual_range_has_another():
    """NaN is no picture."""
    tries = Tries({("0..1", "RGB"): -math.inf, ("-1..1", "RGB"): 30.0}, -5.0, 9.0, False)
    assert _likeliest(tries, False) == _likeliest(tries, True) == ("-1..1", "RGB")


def test_the_scale_is_found(file, tmp_path):
    torch.save(dict(gain=torch.ones(1)), tmp_path / "a.pth")
    assert read_network(f"{file}:Double", tmp_path / "a.pth", crops).scale == 2


def test_a_network_that_takes_no_small_crops(file, tmp_path):
    torch.save(dict(gain=torch.ones(1)), tmp_path / "a.pth")
    network = read_network(f"{file}:Large", tmp_path / "a.pth", crops)
    assert network.scale == 1
    assert smallest_edge(network.build(), 1) == 192
    with pytest.raises(ValueError, match="takes no RGB picture .* of 256x256 pixels: 256 pixels are too few"):
        read_network(f"{file}:Larger", tmp_path / "a.pth", crops)


def test_a_config_of_mmagic(tmp_path):
    config = tmp_path / "config.py"
    config.write_text(
        "model = dict(type='BaseEditModel', generator=dict(type='MSRResNet', in_channels=3, out_channels=3, "
        "mid_channels=4, num_blocks=1, upscale_factor=4), pixel_loss=dict(type='L1Loss'), "
        "data_preprocessor=dict(type='DataPreprocessor', mean=[0.0] * 3, std=[255.0] * 3))"
    )
    from mmagic.registry import MODELS
    from mmengine.config import Config

    model = MODELS.build(Config.fromfile(config).model)
    torch.save(dict(state_dict=model.state_dict()), tmp_path / "a.pth")
    network = read_network(str(config), tmp_path / "a.pth", crops)
    assert (network.scale, network.form.prefix, network.domain) == (4, "generator.", "rgb")
    torch.testing.assert_close(network.build().state_dict(), model.state_dict())
    with pytest.raises(ValueError, match="--order is for a network of a Python file"):
        read_network(str(config), tmp_path / "a.pth", crops, order="RGB")


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("Nobody", {}, "has no class or function 'Nobody'"),
        ("nothing", {}, "gives a int; a torch.nn.Module is needed"),
        ("Brighter", dict(sise=3), "cannot be made with {'sise': 3}"),
        ("Grey", {}, r"gives \(1, 1, 256, 256\) for \(1, 3, H, W\)"),
        ("Brighter", dict(size=5), "is of another network: 0 of 1 weights fit"),
    ],
)
def test_what_is_wrong_is_said(name, options, says, file, tmp_path):
    torch.save({**identity(), "gain": torch.ones(1)}, tmp_path / "a.pth")
    with pytest.raises(ValueError, match=says):
        read_network(f"{file}:{name}", tmp_path / "a.pth", crops, options=options)
