"""Compares what a network predicts of a crop with what it predicts there of the whole picture.

Usage: python -m experiments.crops CONFIG NAME=CHECKPOINT [NAME=CHECKPOINT ...] [--crops PIXELS ...] [--num-images 24]
       [--out FILE.json] [--overwrite]

The middle of each photograph that CONFIG trains on, as a part of the prediction of all of it and predicted by itself:
mean absolute difference of the logarithm, without the 10 pixels along the crop's border; and how much of it is one
factor for all of the crop.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmtempreg.utils.atomic_write import write_json
from mmtempreg.utils.command_line import WHOLE, Parser, claim, distinct, named, run

from .table import crops_table

if TYPE_CHECKING:
    from mmengine.config import Config
    from torch import Tensor

    from mmtempreg.apis import FrameModel


BORDER = 10
"""Pixels along the border of a crop, where a network sees an end of the world."""


def photographs(config: Config, number: int) -> Tensor:
    """The first photographs, (N, 3, H, W) RGB in [0, 1]."""
    import torch
    from mmagic.registry import DATASETS

    about = {**config.train_dataloader.dataset, "pipeline": [dict(type="PackInputs")]}
    dataset = DATASETS.build(about)
    return torch.stack([dataset[index]["inputs"].float() / 255 for index in range(number)])


def change(model: FrameModel, images: Tensor, crop: int) -> dict[str, float]:
    """By how much crops of so many pixels change the logarithm of the prediction, and by a factor of their own."""
    from mmtempreg.functional import log_radiance

    height, width = images.shape[-2:]
    rows, columns = (slice((n - crop) // 2, (n - crop) // 2 + crop) for n in (height, width))
    window = (..., rows, columns)
    inner = (..., slice(BORDER, -BORDER), slice(BORDER, -BORDER))
    whole, part = (log_radiance(frames)[inner] for frames in (model(images)[window], model(images[window])))
    difference = part - whole
    return dict(change=float(difference.abs().mean()), factor=float(difference.mean(dim=(1, 2, 3)).abs().mean()))


def main() -> None:
    parser = Parser(__doc__, overwrite=True)
    parser.add_argument("config", type=Path)
    parser.add_argument("checkpoints", nargs="+", type=named, metavar="NAME=CHECKPOINT")
    parser.add_argument("--crops", nargs="+", type=WHOLE, default=[96, 64], metavar="PIXELS", help="edges")
    parser.add_argument("--num-images", type=WHOLE, default=24)
    parser.add_argument("--out", type=Path, help="write the values")
    run(parser, measure)


def measure(args: argparse.Namespace) -> None:
    """Runs all of them."""
    from mmengine.config import Config
    from mmengine.registry import init_default_scope

    from mmtempreg.apis import FrameModel

    checkpoints = distinct(args.checkpoints)
    claim(args.out, inputs=[args.config, *checkpoints.values()], overwrite=args.overwrite)
    init_default_scope("mmagic")
    config = Config.fromfile(args.config)
    images = photographs(config, args.num_images)
    rows: dict[str, Any] = {}
    for name, path in checkpoints.items():
        model = FrameModel(config, path)
        rows[name] = {str(crop): change(model, images, crop) for crop in args.crops}
    values = dict(crops=rows, size=list(images.shape[-2:]))
    print(crops_table(values))
    if args.out:
        write_json(args.out, values)


if __name__ == "__main__":
    main()
