"""Fine-tunes and tests a grid of strategies, strengths and seeds; the results go into one CSV file.

Usage: python -m experiments.sweep {hdr,color} [--strategies NAME ...] [--alphas A ...] [--seeds S ...]
       [--schedule {short,medium,long,longest,full}] [--jobs N] [--out-dir DIR]
       [--train-options KEY=VALUE ...] [--test-options KEY=VALUE ...]

Every cell is a config of configs/tempreg that `tools/train.py` and `tools/test.py` run: its folder,
DIR/TASK/STRATEGY_aALPHA/seedS/, holds the config, the logs and the checkpoint. DIR/TASK.csv has a line for each that is
finished. A sweep may be killed and started again with the same command: what is finished is not done again, what is
trained is only tested. --jobs cells run at a time, a core each without a GPU; on a GPU they share it.

--schedule short (default) is for a CPU, `medium`, `long` and `longest` (of hdr) are 3, 10 and 33 times as long, and
`full` is what the configs say. The options name your data where it is not where the configs look for it, and with
load_from=CHECKPOINT another baseline. Tables and plots: table.py and plot_sweep.py.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmtempreg.utils.atomic_write import replace_when_written
from mmtempreg.utils.command_line import COUNT, WHOLE, Assignments, Parser, run, within

from .grid import ALPHAS, KNOWN, ROOT, STRATEGIES, TASKS, VARIANTS, Cell, Options, Strategy, cells
from .results import append_result, read_results


@dataclass(frozen=True)
class Sweep:
    """Settings that all cells have in common.

    Attributes:
        folder: Where the cells' folders are.
        results: The CSV file.
        train_options, test_options: Schedule and data, as in `Config.merge_from_dict`.
        hardware, revision: What stands in the results.
    """

    folder: Path
    results: Path
    strategies: dict[str, Strategy]
    train_options: Options
    test_options: Options
    hardware: str
    revision: str

    def run(self, cell: Cell) -> None:
        """Trains a cell if that is not done yet, tests it, and writes its row."""
        from mmtempreg.openmmlab.checkpoints import read_checkpoint

        strategy, folder = self.strategies[cell.strategy], self.folder / cell.name
        row: dict[str, Any] = dict(task=cell.task, strategy=cell.strategy, alpha=cell.alpha, seed=cell.seed)
        row = {name: "" if value is None else value for name, value in row.items()} | {"config_hash": self.hash(cell)}
        if strategy.between:
            checkpoint, seconds, iterations = self._blend(cell, folder), 0.0, 0
        elif strategy.config is None:
            checkpoint, seconds, iterations = self.baseline(cell.task), 0.0, 0
        else:
            checkpoint, seconds = self._train(cell, strategy, folder, row["config_hash"])
            iterations = read_checkpoint(checkpoint)["meta"]["iter"]
        started = time.perf_counter()
        metrics = self._test(cell.task, strategy, checkpoint, folder)
        row |= dict(
            revision=self.revision,
            hardware=self.hardware,
            finished=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            iterations=iterations,
            train_seconds=round(seconds),
            test_seconds=round(time.perf_counter() - started),
            **metrics,
        )
        append_result(self.results, row)

    def hash(self, cell: Cell) -> str:
        """The hash of the config that the cell is trained with; of the baseline, its checkpoint's name."""
        from mmtempreg.openmmlab.configs import config_hash

        strategy = self.strategies[cell.strategy]
        if strategy.between:
            return "+".join(self.hash(end) for end in self._ends(cell))
        return config_hash(cell.train_config(strategy, self.train_options)) if strategy.config else "baseline"

    def baseline(self, task: str) -> Path:
        """Checkpoint that is fine-tuned: the shipped one, or `load_from` of the options."""
        given = self.train_options.get("load_from")
        return ROOT / given if given else TASKS[task].baseline(task)

    def _train(self, cell: Cell, strategy: Strategy, folder: Path, digits: str) -> tuple[Path, float]:
        """The checkpoint, and the seconds that it took."""
        checkpoint, clock = folder / f"{digits}.pth", folder / f"{digits}.seconds"
        if not (checkpoint.exists() and clock.exists()):
            config = cell.train_config(strategy, self.train_options)
            with replace_when_written(folder / "config.py") as partial:
                config.dump(partial)
            # A folder of its own for each attempt: the processes of a killed sweep may still be writing.
            attempt = folder / f"attempt_{os.getpid()}"
            started = time.perf_counter()
            run_tool(folder / "train.log", "tools/train.py", str(folder / "config.py"), "--work-dir", str(attempt))
            (trained,) = attempt.glob("*.pth")
            trained.rename(checkpoint)
            with replace_when_written(clock) as partial:
                partial.write_text(f"{time.perf_counter() - started:.1f}\n")
            for left in folder.glob("attempt_*"):
                shutil.rmtree(left, ignore_errors=True)
        return checkpoint, float(clock.read_text())

    def _blend(self, cell: Cell, folder: Path) -> Path:
        """The checkpoint between those of two cells, which are trained if they are not yet."""
        from mmtempreg.apis.blend import blend_checkpoints

        before, after = (
            self._train(end, self.strategies[end.strategy], self.folder / end.name, self.hash(end))[0]
            for end in self._ends(cell)
        )
        assert cell.alpha is not None
        checkpoint = folder / "between.pth"
        blend_checkpoints(before, after, strength=cell.alpha, out=checkpoint)
        return checkpoint

    def _ends(self, cell: Cell) -> list[Cell]:
        """The two cells that a cell lies between."""
        between = self.strategies[cell.strategy].between or ()
        named = (text.partition("=") for text in between)
        return [Cell(cell.task, name, float(alpha) if alpha else None, cell.seed) for name, _, alpha in named]

    def _test(self, task: str, strategy: Strategy, checkpoint: Path, folder: Path) -> dict[str, float]:
        from mmengine.config import Config

        from mmtempreg.openmmlab.checkpoints import anti_aliasing_of, read_checkpoint

        config = Config.fromfile(ROOT / "configs" / "tempreg" / f"{TASKS[task].test_config}.py")
        config.merge_from_dict(dict(self.test_options))
        trained = strategy.config is not None
        if anti_aliasing_of(read_checkpoint(checkpoint)) if trained else strategy.anti_aliased:
            config.model = dict(type="AntiAliasedModel", model=config.model)
        attempt = folder / f"test_{os.getpid()}"
        attempt.mkdir(parents=True, exist_ok=True)
        config.dump(attempt / "config.py")
        out = attempt / "metrics.json"
        command = ("tools/test.py", str(attempt / "config.py"), str(checkpoint), "--out", str(out))
        run_tool(folder / "test.log", *command, "--work-dir", str(attempt))
        metrics = {name: value for name, value in json.loads(out.read_text()).items() if value is not None}
        shutil.rmtree(attempt)
        return metrics


def run_tool(log: Path, *command: str) -> None:
    """Runs a tool of this repository; its output goes to `log`.

    Raises:
        ChildProcessError: If it fails; with the end of the log.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = dict(os.environ, OMP_NUM_THREADS="1", PYTHONWARNINGS="ignore", PYTHONPATH=path)
    with open(log, "w") as file:
        done = subprocess.run([sys.executable, *command], cwd=ROOT, env=environment, stdout=file, stderr=file)
    if done.returncode:
        end = "\n".join(log.read_text().splitlines()[-5:])
        raise ChildProcessError(f"{' '.join(command)} failed, see {log}:\n{end}")


def hardware() -> str:
    """The GPU's name, or the kind and number of the CPU's cores."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"{os.cpu_count()} CPU cores, {platform.machine()}"


def revision() -> str:
    """The revision of the repository; with a + if files that git knows are changed."""

    def git(*command: str) -> str:
        return subprocess.run(["git", *command], cwd=ROOT, capture_output=True, text=True).stdout.strip()

    return git("rev-parse", "--short=10", "HEAD") + ("+" if git("status", "--porcelain", "-uno") else "")


def run_all(sweep: Sweep, grid: Sequence[Cell], jobs: int) -> None:
    """Runs what is not in the file of results yet, `jobs` at a time, with an ETA.

    Raises:
        ChildProcessError: After all others are done, if cells have failed.
    """
    from tqdm import tqdm

    done = {(row["strategy"], row["alpha"], row["seed"], row["config_hash"]) for row in read_results(sweep.results)}
    waiting = []
    for cell in grid:
        alpha = "" if cell.alpha is None else str(cell.alpha)
        if (cell.strategy, alpha, str(cell.seed), sweep.hash(cell)) not in done:
            waiting.append(cell)
    print(f"{len(grid)} cells, {len(grid) - len(waiting)} finished before: {sweep.results}")
    failures = []
    progress = tqdm(total=len(waiting), unit="cell", smoothing=0.1)
    for between in (False, True):  # those that lie between others come after them
        with ThreadPoolExecutor(jobs) as pool:
            now = [cell for cell in waiting if bool(sweep.strategies[cell.strategy].between) == between]
            futures = {pool.submit(sweep.run, cell): cell for cell in now}
            for future in as_completed(futures):
                progress.update()
                if error := future.exception():
                    failures.append(f"{futures[future].name}: {error}")
                    tqdm.write(failures[-1])
    progress.close()
    if failures:
        raise ChildProcessError(f"{len(failures)} cells have failed")


def main() -> None:
    parser = Parser(__doc__)
    parser.add_argument("task", choices=TASKS)
    parser.add_argument(
        "--strategies",
        nargs="+",
        default=list(STRATEGIES),
        metavar="NAME",
        help=f"default: the paper's, {', '.join(STRATEGIES)}; also {', '.join(VARIANTS)}",
    )
    parser.add_argument(
        "--alphas", type=within("[0, 1]"), nargs="+", help=f"strengths (default: {' '.join(map(str, ALPHAS))})"
    )
    parser.add_argument(
        "--seeds", type=COUNT, nargs="+", default=list(range(10)), help="default: 0 to 9, as in the paper"
    )
    parser.add_argument("--schedule", choices=list(TASKS["hdr"].schedules), default="short")
    parser.add_argument("--jobs", type=WHOLE, default=os.cpu_count(), help="cells at the same time")
    parser.add_argument("--out-dir", type=Path, default=ROOT / "work_dirs" / "sweep")
    parser.add_argument("--train-options", nargs="+", action=Assignments, default=(), metavar="KEY=VALUE")
    parser.add_argument("--test-options", nargs="+", action=Assignments, default=(), metavar="KEY=VALUE")
    run(parser, work, terminate=False)  # or it would wait for the cells that are being trained


def work(args: argparse.Namespace) -> None:
    """Runs the grid that is asked for."""
    from mmtempreg.openmmlab.configs import read_options

    grid = cells(args.task, KNOWN, args.strategies, args.alphas, args.seeds)
    task = TASKS[args.task]
    if args.schedule not in task.schedules:
        raise ValueError(f"--schedule of {args.task} is {' or '.join(task.schedules)}, got {args.schedule}")
    sweep = Sweep(
        args.out_dir.resolve() / args.task,
        args.out_dir.resolve() / f"{args.task}.csv",
        KNOWN,
        {**task.schedules[args.schedule], **read_options(args.train_options)},
        {**task.tests["full" if args.schedule == "full" else "short"], **read_options(args.test_options)},
        hardware(),
        revision(),
    )
    run_all(sweep, grid, args.jobs)


if __name__ == "__main__":
    main()
