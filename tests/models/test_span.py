"""SPAN's published generators: their files' names and shapes, and the network against its graph in ncnn's files."""

import pytest
import torch
import torch.nn.functional as F

from experiments.networks.span import MEAN, SPAN
from mmtempreg.models.span.published_weights import convert, shapes

from .test_real_esrgan import random_layers, written


def layer(name):
    """A convolution's name in the files."""
    return "/".join(["", *name.split("."), "eval_conv", "Conv"])


def files(channels=4, scale=2, change=None):
    """The two files of a network with random weights."""
    names = dict(shapes(channels, scale))
    if change:
        change(names)
    named = [f"/upsampler/{n}/Conv" if n.startswith("up") else layer(n) for n in names]
    return written(random_layers(list(names.values())), named, MEAN)


def test_the_network_computes_what_the_files_say():
    state = convert(*files(), channels=4, scale=2)
    network = SPAN(channels=4, scale=2)
    network.load_state_dict(state, strict=True)
    x = torch.rand(1, 3, 6, 7)

    def conv(x, name):
        weight = state[f"{name}.weight"]
        return F.conv2d(x, weight, state[f"{name}.bias"], padding=weight.shape[-1] // 2)

    start = before = conv((x - torch.tensor(MEAN).view(1, 3, 1, 1)) * 255, "conv_1")
    kept = {}
    for block in range(1, 7):  # the graph, layer by layer
        first = conv(before, f"block_{block}.c1_r")
        first = first * torch.sigmoid(first)
        second = conv(first, f"block_{block}.c2_r")
        third = conv(second * torch.sigmoid(second), f"block_{block}.c3_r")
        before = (third + before) * (torch.sigmoid(third) - 0.5)
        kept[block] = before, first
    joined = torch.cat([start, conv(before, "conv_2"), kept[1][0], kept[6][1]], dim=1)
    expected = F.pixel_shuffle(conv(conv(joined, "conv_cat"), "upsampler.0"), 2)
    with torch.no_grad():
        torch.testing.assert_close(network(x), expected, rtol=1e-4, atol=1e-4)


def test_published_sizes():
    sizes = {key: sum(w.numel() for w in SPAN(*key).state_dict().values()) for key in ((48, 2), (52, 4))}
    assert sizes == {(48, 2): 410700, (52, 4): 498208}


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda names: names.pop("conv_2"), "no SPAN of 22 convolutions: conv_2 is missing"),
        (lambda names: names.update({"conv_3": (4, 4, 3, 3)}), "conv_3 is missing or too many"),
        (lambda names: names.update({"upsampler.0": (48, 4, 3, 3)}), r"upsampler\.0 is \(48, 4, 3, 3\) in the files"),
    ],
)
def test_another_variant_is_named(change, match):
    with pytest.raises(ValueError, match=match):
        convert(*files(change=change), channels=4, scale=2)
