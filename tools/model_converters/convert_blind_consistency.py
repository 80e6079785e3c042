"""Makes a checkpoint of `configs/blind_consistency` out of the weights that Lai et al. publish.

Usage: python tools/model_converters/convert_blind_consistency.py ECCV18_blind_consistency.pth OUT_FILE.pth

Their normalisation layers, which their code builds and never runs, are left out.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import mmtempreg  # noqa: F401, before MMagic is imported
from mmtempreg.atomic_write import replace_when_written


def convert(loaded: dict[str, Any]) -> dict[str, Tensor]:
    """The model's state dict out of their file's content.

    Raises:
        ValueError: If it is not their network.
    """
    from mmtempreg.models.blind_consistency import BlindConsistencyNet

    weights = loaded.get("model", loaded.get("state_dict", loaded))
    weights = {name: value for name, value in weights.items() if "norm_layer" not in name}
    expected = BlindConsistencyNet().state_dict()
    wrong = [name for name in expected if name not in weights or weights[name].shape != expected[name].shape]
    if wrong or set(weights) != set(expected):
        odd = wrong + sorted(set(weights) - set(expected))
        raise ValueError(f"this is not the network of Lai et al.: {odd[:3]} are missing, of another shape or too many")
    return {f"generator.{name}": weights[name].clone() for name in expected}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("in_file", type=Path)
    parser.add_argument("out_file", type=Path)
    args = parser.parse_args()
    try:
        state = convert(torch.load(args.in_file, map_location="cpu", weights_only=True))
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")
    with replace_when_written(args.out_file) as partial:
        torch.save(dict(state_dict=state), partial)
    print(f"{args.out_file}: {len(state)} tensors")


if __name__ == "__main__":
    main()
