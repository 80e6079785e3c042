"""What a network takes and gives, found out by running it."""

import pytest
import torch

from mmtempreg.apis.steady.network import read_network, smallest_edge

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
    assert f"range: {name}, found by trying" in network.found
    assert "order: RGB, a guess (another would fit as well): give --order if it is wrong" in network.found
    model = network.build()
    x = crops()[0][0][None]
    torch.testing.assert_close(model.generator(x), x**0.8, atol=1e-5, rtol=0)
    assert network.scale == 1
    assert list(network.weights(model)) == ["conv.weight"]


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
