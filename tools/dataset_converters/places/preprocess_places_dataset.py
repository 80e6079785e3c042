"""Lists the photographs of Places, or of any folder, without those of the least colour.

Usage: python tools/dataset_converters/places/preprocess_places_dataset.py
       [--data-root data/places/data_256] [--out-file data/places/train.txt] [--drop-least-saturated 0.05]
"""

import argparse
import os
from pathlib import Path

from mmtempreg.atomic_write import replace_when_written
from mmtempreg.datasets import PhotographDataset


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, default=Path("data/places/data_256"))
    parser.add_argument("--out-file", type=Path, default=Path("data/places/train.txt"))
    parser.add_argument("--drop-least-saturated", type=float, default=0.05, help="share to leave out, as in the paper")
    args = parser.parse_args()
    args.out_file.parent.mkdir(parents=True, exist_ok=True)
    photographs = PhotographDataset(
        str(args.data_root), drop_least_saturated=args.drop_least_saturated, cache_dir=str(args.out_file.parent)
    )
    paths = photographs.paths
    with replace_when_written(args.out_file) as partial:
        partial.write_text("".join(f"{os.path.relpath(path, args.data_root)}\n" for path in paths))
    print(f"{args.out_file}: {len(paths)} photographs of {args.data_root}")


if __name__ == "__main__":
    main()
