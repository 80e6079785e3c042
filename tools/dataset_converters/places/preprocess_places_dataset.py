"""Lists the photographs of Places, or of any folder, without those of the least colour.

Usage: python tools/dataset_converters/places/preprocess_places_dataset.py
       [--data-root data/places/data_256] [--out-file data/places/train.txt] [--drop-least-saturated 0.05]
       [--overwrite]
"""

import argparse
import os
from pathlib import Path

from mmtempreg.utils.atomic_write import replace_when_written
from mmtempreg.utils.command_line import Parser, claim, run, say, within


def main() -> None:
    parser = Parser(__doc__, overwrite=True)
    parser.add_argument("--data-root", type=Path, default=Path("data/places/data_256"))
    parser.add_argument("--out-file", type=Path, default=Path("data/places/train.txt"))
    parser.add_argument(
        "--drop-least-saturated", type=within("[0, 1)"), default=0.05, help="share to leave out, as in the paper"
    )
    run(parser, work)


def work(args: argparse.Namespace) -> None:
    """Looks through the photographs and writes the list."""
    claim(args.out_file, inputs=[args.data_root], overwrite=args.overwrite)
    from mmtempreg.datasets import PhotographDataset

    args.out_file.parent.mkdir(parents=True, exist_ok=True)
    photographs = PhotographDataset(
        str(args.data_root), drop_least_saturated=args.drop_least_saturated, cache_dir=str(args.out_file.parent)
    )
    paths = photographs.paths
    with replace_when_written(args.out_file) as partial:
        partial.write_bytes(b"".join(os.fsencode(os.path.relpath(path, args.data_root)) + b"\n" for path in paths))
    say(f"{args.out_file}: {len(paths)} photographs of {args.data_root}")


if __name__ == "__main__":
    main()
