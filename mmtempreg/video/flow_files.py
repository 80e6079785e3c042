"""Optical flow in Middlebury's .flo files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..utils.claims import check_input

# Read and written here, since cv2.readOpticalFlow and its like crash (SIGSEGV, OpenCV 4.11) on names that are no UTF-8.

UNKNOWN = 1e9
"""Vectors with a component above this are unknown, as in Middlebury's own code."""


def read_flow_size(path: str | Path) -> tuple[int, int]:
    """(H, W) of a .flo file, of which only the head is read.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no such file, a pipe, or cut off.
    """
    with open(check_input(path), "rb") as file:
        head = file.read(12)
        length = file.seek(0, 2)
    if head[:4] != b"PIEH" or len(head) < 12:
        raise ValueError(f"{path} is not a .flo file (it does not begin with PIEH)")
    width, height = (int(n) for n in np.frombuffer(head, "<i4", 2, 4))
    if min(width, height) < 1 or length != 12 + 8 * width * height:
        raise ValueError(f"{path} says it holds {width}x{height} vectors, but has {length} bytes")
    return height, width


def read_flow(path: str | Path) -> Tensor:
    """A Middlebury .flo file: (2, H, W) float32; unknown vectors are what they are, above `UNKNOWN`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no such file, a pipe, or cut off.
    """
    height, width = read_flow_size(path)
    values = np.fromfile(path, "<f4", offset=12).reshape(height, width, 2)
    return torch.from_numpy(values.transpose(2, 0, 1).copy())


def write_flow(path: str | Path, flow: Tensor) -> None:
    """Writes a Middlebury .flo file from (2, H, W)."""
    height, width = flow.shape[-2:]
    values = flow.permute(1, 2, 0).contiguous().numpy().astype("<f4")
    Path(path).write_bytes(b"PIEH" + np.array([width, height], "<i4").tobytes() + values.tobytes())
