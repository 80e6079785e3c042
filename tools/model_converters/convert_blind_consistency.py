"""Makes a checkpoint of `configs/blind_consistency` out of the weights that Lai et al. publish.

Usage: python tools/model_converters/convert_blind_consistency.py ECCV18_blind_consistency.pth OUT_FILE.pth

Their normalisation layers, which their code builds and never runs, are left out.
"""

import argparse
import sys
from pathlib import Path

import torch

import mmtempreg  # noqa: F401, before MMagic is imported
from mmtempreg.atomic_write import replace_when_written


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("in_file", type=Path)
    parser.add_argument("out_file", type=Path)
    args = parser.parse_args()
    from mmtempreg.models.blind_consistency.published_weights import convert

    try:
        state = convert(torch.load(args.in_file, map_location="cpu", weights_only=True))
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")
    with replace_when_written(args.out_file) as partial:
        torch.save(dict(state_dict=state), partial)
    print(f"{args.out_file}: {len(state)} tensors")


if __name__ == "__main__":
    main()
