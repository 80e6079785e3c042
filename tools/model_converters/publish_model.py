"""Strips a checkpoint to what inference and fine-tuning need: the state dict, on the CPU.

Usage: python tools/model_converters/publish_model.py IN_FILE OUT_FILE
"""

import argparse
from pathlib import Path

import torch
from mmengine.runner import CheckpointLoader

import mmtempreg  # noqa: F401, allow-lists what MMEngine's checkpoints hold
from mmtempreg.atomic_write import replace_when_written


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("in_file", type=Path)
    parser.add_argument("out_file", type=Path)
    args = parser.parse_args()
    checkpoint = CheckpointLoader.load_checkpoint(str(args.in_file), map_location="cpu")
    if "state_dict" not in checkpoint:
        raise ValueError(f"{args.in_file} holds no state_dict: it is not a checkpoint of MMEngine")
    weights = {name: value.contiguous().clone() for name, value in checkpoint["state_dict"].items()}
    with replace_when_written(args.out_file) as partial:
        torch.save(dict(state_dict=weights), partial)
    print(f"{args.out_file}: {len(weights)} tensors, {args.out_file.stat().st_size / 2**20:.2f} MiB")


if __name__ == "__main__":
    main()
