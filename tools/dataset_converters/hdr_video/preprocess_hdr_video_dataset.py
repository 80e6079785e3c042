"""Lists clips of HDR video for `HDRClipDataset`: folders of .exr or .hdr frames, dealt out for validation and test.

Usage: python tools/dataset_converters/hdr_video/preprocess_hdr_video_dataset.py
       [--data-root data/hdr_video] [--num-val 2] [--shortest 50] [--longest 200] [--seed 0] [--overwrite]

Writes val.csv and test.csv into --data-root. Reads the first frame of each clip, and names what it leaves out.
"""

import argparse
from pathlib import Path

from mmtempreg.utils.command_line import COUNT, WHOLE, Parser, claim, run, say, tell


def main() -> None:
    parser = Parser(__doc__, overwrite=True)
    parser.add_argument("--data-root", type=Path, default=Path("data/hdr_video"))
    parser.add_argument(
        "--num-val",
        type=COUNT,
        default=2,
        help="clips to look at while training; the others are tests",
    )
    parser.add_argument("--shortest", type=WHOLE, default=50, help="frames; shorter clips are left out")
    parser.add_argument("--longest", type=WHOLE, default=200, help="frames; longer clips are cut")
    parser.add_argument("--seed", type=COUNT, default=0)
    run(parser, work)


def work(args: argparse.Namespace) -> None:
    """Finds the clips and writes the lists."""
    lists = {name: args.data_root / f"{name}.csv" for name in ("val", "test")}
    claim(*lists.values(), overwrite=args.overwrite)
    import numpy as np

    from mmtempreg.datasets import find_clips, write_clip_list
    from mmtempreg.video import open_frames

    rate, entries = 24, []  # the rate is only to open them: frames are counted
    for entry in find_clips(args.data_root, shortest=args.shortest, longest=args.longest, rate=rate):
        first = next(iter(open_frames(args.data_root / entry.path, rate)))
        if first.image.dtype == np.float32:
            entries.append(entry)
        else:
            tell([f"{entry.path} is left out: it holds {first.image.dtype}, no radiance"])
    if len(entries) <= args.num_val:
        raise ValueError(f"{args.data_root} has {len(entries)} clips: too few for {args.num_val} and a test")
    order = np.random.default_rng(args.seed).permutation(len(entries))
    for name, part in (("val", order[: args.num_val]), ("test", order[args.num_val :])):
        write_clip_list(lists[name], [entries[i] for i in sorted(part)])
        say(f"{lists[name]}: {len(part)} clips")


if __name__ == "__main__":
    main()
