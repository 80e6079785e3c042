"""Kills training at random moments, resumes it, and compares where it ends with the run that was left alone.

Usage: python -m benchmarks.kill_and_resume [--kills 20] [--loop {epoch,iter}] [--workers 2] [--processes 1]

A small real training: super-resolution of photographs with random crops and flips, a network with dropout, Adam, a
schedule of the learning rate, MMEngine's averaged weights (EMAHook), a checkpoint every second step of which one is
kept. The run is killed (SIGKILL, with its workers) after a random time and resumed, again and again until it is done;
then all that its last checkpoint holds of weights, averages, optimiser and schedules is compared, bit by bit, with the
same of the uninterrupted run. New runs are started until there were as many kills as asked for.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--loop", choices=("epoch", "iter"), default="iter")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--processes", type=int, default=1, help="ranks of distributed training (gloo)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments of the kills")
    args = parser.parse_args()

    from testing.killed_runs import prepare, run_alone, run_config, run_with_kills
    from testing.stock_models import real_images

    prepare()
    rng, kills, same, runs, writes = random.Random(args.seed), 0, 0, 0, 0
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        real_images(root / "images")
        alone, killed = (
            run_config(root / "images", root / name, args.loop, args.workers) for name in ("alone", "killed")
        )
        seconds = run_alone(alone, args.processes)
        print(
            f"{args.loop}-based, {args.processes} processes with {args.workers} workers each: uninterrupted "
            f"{seconds:.1f} s",
            flush=True,
        )
        while kills < args.kills:
            outcome = run_with_kills(killed, Path(alone.work_dir), rng, seconds, args.kills - kills, args.processes)
            runs += 1
            kills += outcome.kills
            writes += outcome.in_a_write
            same += not outcome.differences
            result = "the same to the bit" if not outcome.differences else f"differs: {outcome.differences[:3]}"
            print(f"run {runs}: killed {outcome.kills} times, {outcome.in_a_write} amid a write; {result}", flush=True)
    print(f"{kills} kills, {writes} amid a write; {same} of {runs} runs end the same to the bit")
    sys.exit(same != runs)


if __name__ == "__main__":
    main()
