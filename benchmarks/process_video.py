"""The frame rate of `process_video` against that of the bare network, on the same frames.

Usage: python -m benchmarks.process_video [INPUT] [--rounds 3] [--frames 60] [--size 426 320] [--device cpu] [--half]
       [--config CONFIG] [--checkpoint CHECKPOINT]

The network is the shipped HDR baseline or that of CONFIG, the video INPUT or a pan over a photograph. The bare network
gets frames that lie in the device's memory already, in the same precision and memory format; `process_video` decodes,
runs and encodes (a tone-mapped .mp4). They take turns; printed is the median of the ratios.
"""

from __future__ import annotations

import argparse
import tempfile
from itertools import islice
from pathlib import Path

import mmtempreg  # noqa: F401, before MMagic is imported
from experiments.grid import ROOT
from experiments.process_speed import measure, pan
from mmtempreg.utils.allocator import keep_freed_memory


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", nargs="?", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--size", type=int, nargs=2, default=[426, 320], metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--half", action="store_true")
    parser.add_argument("--config", type=Path, default=ROOT / "configs" / "tempreg" / "hdr_transinv_a0.8.py")
    parser.add_argument("--checkpoint", type=Path, default=ROOT / "checkpoints" / "hdr_baseline.pth")
    args = parser.parse_args()

    import torch
    from mmengine.config import Config

    from mmtempreg.apis import FrameModel
    from mmtempreg.video import VideoWriter, open_frames

    keep_freed_memory()  # as the tool does
    model = FrameModel(Config.fromfile(args.config), str(args.checkpoint), device=args.device, half=args.half)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "in.mp4"
        if args.input is None:
            pan(path, args.frames, tuple(args.size))
        else:
            source = open_frames(args.input)
            with VideoWriter(path, source.rate) as writer:
                for frame in islice(source, args.frames):
                    writer.write(frame)
        size = "{1}x{0}".format(*open_frames(path).size)
        speed = measure(model, path, args.rounds)
    print(
        f"frames of {size} on {args.device}, {torch.get_num_threads()} threads"
        f"{', half precision' if args.half else ''}: bare network {speed.bare:.2f} frames per second"
    )
    print(f"process_video reaches {100 * speed.share:.1f} % of that (median of {args.rounds} rounds)")


if __name__ == "__main__":
    main()
