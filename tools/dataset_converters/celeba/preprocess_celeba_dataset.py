"""Makes training photographs of CelebA, or of any folder of faces: square centre crops of one size, as .png.

Usage: python tools/dataset_converters/celeba/preprocess_celeba_dataset.py
       [--data-root data/celeba/img_align_celeba] [--partition-file data/celeba/list_eval_partition.txt]
       [--out-dir data/celeba/train] [--num-images 20000] [--size 160] [--seed 0]

Takes a random --num-images of the partition's training part (or of all, without a partition file), and writes them at
once: --out-dir must not be there, and is there only when all are.
"""

from __future__ import annotations

import argparse
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from mmtempreg.utils.atomic_write import partial_path
from mmtempreg.utils.command_line import COUNT, WHOLE, Parser, claim, run, say, within

if TYPE_CHECKING:
    import numpy as np


def square(image: np.ndarray, size: int) -> np.ndarray:
    """The centre square of (H, W, 3) uint8, resized to (size, size, 3)."""
    import cv2

    height, width = image.shape[:2]
    edge = min(height, width)
    top, left = (height - edge) // 2, (width - edge) // 2
    crop = image[top : top + edge, left : left + edge]
    return cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA if edge > size else cv2.INTER_CUBIC)


def main() -> None:
    parser = Parser(__doc__)
    parser.add_argument("--data-root", type=Path, default=Path("data/celeba/img_align_celeba"))
    parser.add_argument("--partition-file", help="CelebA's list_eval_partition.txt")
    parser.add_argument("--out-dir", type=Path, default=Path("data/celeba/train"))
    parser.add_argument("--num-images", type=WHOLE, default=20000, help="as in the paper; all, if there are fewer")
    parser.add_argument("--size", type=within("[1, 65536]", int), default=160, help="edge in pixels")
    parser.add_argument("--seed", type=COUNT, default=0)
    run(parser, work)


def work(args: argparse.Namespace) -> None:
    """Cuts and writes the photographs."""
    if args.out_dir.exists():
        raise FileExistsError(f"{args.out_dir} is there already: remove it, or give another --out-dir")
    claim(folders=[args.out_dir], inputs=[args.data_root, args.partition_file])
    import numpy as np
    from tqdm import tqdm

    from mmtempreg.datasets import PhotographDataset
    from mmtempreg.video.image_files import write_image

    split = "train" if args.partition_file else None
    photographs = PhotographDataset(str(args.data_root), partition_file=args.partition_file, split=split)
    order = np.random.default_rng(args.seed).permutation(len(photographs))[: args.num_images]
    partial = partial_path(args.out_dir)
    partial.mkdir(parents=True)

    def convert(index: int) -> None:
        item = photographs.get_data_info(int(index))
        path = partial / f"{Path(item['img_path']).stem}.png"
        if path.exists():
            raise ValueError(f"two photographs have the name {path.stem}: {item['img_path']} and another")
        write_image(path, square(item["img"], args.size))

    try:
        with ThreadPoolExecutor() as pool:  # OpenCV lets go of the interpreter
            list(tqdm(pool.map(convert, sorted(order)), total=len(order), unit="image"))
        partial.rename(args.out_dir)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    say(f"{args.out_dir}: {len(order)} photographs of {args.size}x{args.size}")


if __name__ == "__main__":
    main()
