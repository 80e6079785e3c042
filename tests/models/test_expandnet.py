"""ExpandNet against its published layers, written down here with torch's functions."""

import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from mmagic.registry import MODELS
from mmagic.structures import DataSample

from mmtempreg.models import ExpandNet
from mmtempreg.models.hdr.expandnet import convert_expandnet
from testing import forked

TOOL = Path(__file__).resolve().parents[2] / "tools" / "model_converters" / "convert_expandnet.py"

WIDTHS = {
    "local_net.0.0": (64, 3, 3),
    "local_net.1.0": (128, 64, 3),
    "mid_net.0.0": (64, 3, 3),
    "mid_net.1.0": (64, 64, 3),
    "mid_net.2.0": (64, 64, 3),
    "mid_net.3": (64, 64, 3),
    "glob_net.0.0": (64, 3, 3),
    **{f"glob_net.{n}.0": (64, 64, 3) for n in range(1, 6)},
    "glob_net.6": (64, 64, 4),
    "end_net.0.0": (64, 256, 1),
    "end_net.1": (3, 64, 1),
}
"""Published names -> outputs, inputs and kernel."""


def published(seed=0):
    """Random weights by the published names."""
    generator, state = torch.Generator().manual_seed(seed), {}
    for name, (out, into, kernel) in WIDTHS.items():
        spread = (into * kernel**2) ** -0.5
        state[f"{name}.weight"] = spread * torch.randn(out, into, kernel, kernel, generator=generator)
        state[f"{name}.bias"] = 0.3 * torch.randn(out, generator=generator)
    return state


def computed(w, x):
    """The published computation."""

    def conv(x, name, **options):
        return F.conv2d(x, w[f"{name}.weight"], w[f"{name}.bias"], **options)

    local = x
    for n in range(2):
        local = F.selu(conv(local, f"local_net.{n}.0", padding=1))
    mid = x
    for n in range(3):
        mid = F.selu(conv(mid, f"mid_net.{n}.0", padding=2, dilation=2))
    mid = conv(mid, "mid_net.3", padding=2, dilation=2)
    glob = F.interpolate(x, size=(256, 256), mode="bilinear", align_corners=False)
    for n in range(6):
        glob = F.selu(conv(glob, f"glob_net.{n}.0", padding=1, stride=2))
    glob = conv(glob, "glob_net.6")
    assert glob.shape[-2:] == (1, 1)
    fused = torch.cat([local, mid, glob.repeat(1, 1, *x.shape[-2:])], dim=1)
    return torch.sigmoid(conv(F.selu(conv(fused, "end_net.0.0")), "end_net.1"))


@pytest.mark.parametrize("size", [(33, 40), (64, 64)])
def test_it_is_the_published_computation(size):
    weights, x = published(), torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(1))
    network = ExpandNet()
    network.load_state_dict(convert_expandnet(weights))
    with torch.no_grad():
        torch.testing.assert_close(network(x), computed(weights, x), atol=1e-5, rtol=0)


def model_of(state, **options):
    model = MODELS.build(dict(type="RelativeRadianceModel", generator=dict(type="ExpandNet"), **options))
    model.load_state_dict({f"generator.{name}": value for name, value in state.items()}, strict=True)
    return model


def test_the_model_predicts_radiance_of_all_of_the_picture_and_learns_its_logarithm():
    weights, image = published(), torch.randint(0, 256, (3, 24, 32), dtype=torch.uint8)
    model = model_of(weights).eval()
    sample = DataSample(metainfo=dict(img_channel_order="rgb", gt_channel_order="rgb"))
    (result,) = model.test_step(dict(inputs=[image.float()], data_samples=[sample]))
    expected = computed(weights, image[None].float() / 255)[0]
    torch.testing.assert_close(result.output.pred_img.flip(0), expected, atol=1e-5, rtol=0)  # MMagic's are BGR
    samples = DataSample(gt_img=7 * expected[None])  # on whichever scale
    losses = model.forward_train(image[None].float() / 255, samples)
    relative = expected / expected.max()
    torch.testing.assert_close(
        losses["loss"], ((expected + 1 / 255).log() - (relative + 1 / 255).log()).abs().mean(), atol=1e-5, rtol=1e-4
    )


def test_all_of_the_picture_is_seen_by_every_pixel():
    network = ExpandNet()
    network.load_state_dict(published())
    x = torch.rand(1, 3, 96, 96)
    with torch.no_grad():
        whole, crop = network(x), network(x[..., :48, :48])
    inner = (..., slice(0, 48 - 9), slice(0, 48 - 9))  # what sees 17 pixels sees no border of the crop
    assert (whole[inner] - crop[inner]).abs().max() > 1e-4
    network.glob_net.register_forward_hook(lambda module, x, out: torch.zeros_like(out))
    with torch.no_grad():
        torch.testing.assert_close(network(x)[inner], network(x[..., :48, :48])[inner], atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda w: w.pop("glob_net.6.bias"), "no ExpandNet: it has no glob_net.6.bias"),
        (
            lambda w: w.update({"glob_net.6.weight": torch.zeros(64, 64, 3, 3)}),
            r"glob_net\.6\.weight is \(64, 64, 3, 3\)",
        ),
        (lambda w: w.update({"tail.bias": torch.zeros(3)}), "tail.bias and 0 others are too many"),
    ],
)
def test_weights_of_another_variant_are_named(change, match):
    weights = published()
    change(weights)
    with pytest.raises(ValueError, match=match):
        convert_expandnet(weights)


def test_the_command_and_a_file_that_is_cut(tmp_path):
    torch.save(published(), tmp_path / "whole.pth")
    (tmp_path / "cut.pth").write_bytes((tmp_path / "whole.pth").read_bytes()[:50_000])

    def run(name):
        command = [sys.executable, "-W", "ignore", str(TOOL), str(tmp_path / name), str(tmp_path / f"out_{name}")]
        return forked.run(command, capture_output=True, text=True, cwd=TOOL.parents[2])

    done = run("whole.pth")
    assert "456,899 weights" in done.stdout, done.stderr
    loaded = torch.load(tmp_path / "out_whole.pth")["state_dict"]
    assert torch.equal(loaded["generator.end_net.1.bias"], published()["end_net.1.bias"])
    failed = run("cut.pth")
    assert failed.returncode != 0
    assert "cut.pth" in failed.stderr.splitlines()[-1]
    assert not (tmp_path / "out_cut.pth").exists()
