"""Trains the HDR network at full length on a GPU, fine-tunes it in many ways, and measures; all in one run of minutes.

Usage: python -m experiments.full_length OUT [--minutes 9.5] [--device cuda] [--at-once 12] [--tests N] [--toy]
       [--images 10000] [--baseline-iterations 15625] [--iterations 4000] [--seeds 0 1] [--speed {first,only,no}]
       [--causes CHECKPOINT] [--only-test]

What it does, as far as the time reaches, the baseline first:

- the speed of training steps and of `process_video` on the device, before all else and alone;
- `hdr_baseline`, 15,625 batches of 32 crops of 128x128 (500,000 images, what the config's 50 epochs see);
- from it, fine-tunings of 4,000 batches of 8, with procedural stills and with photographs of HDR images;
- each tested on pans over other HDR images, after a part of its iterations and at the end.

--causes CHECKPOINT: fine-tunes a baseline that is there already, over 3,000 and 10,000 batches of 8 crops of 64x64,
with anti-aliased strides and without, and trains another baseline with them from scratch.

OUT gets `iterations.csv`, a row for each test; `speed.csv`; `checkpoints/`; `logs/`. --toy: tiny, for a look whether it
runs, on a CPU too. On a machine without internet see docs/large_scale.md.
"""

from __future__ import annotations

import os

# MMEngine asks for a GPU when it is imported; through NVML that leaves no CUDA context in this process.
os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import csv
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import mmtempreg  # noqa: F401, before MMagic is imported

from .grid import KNOWN, ROOT, Cell
from .jobs import Job, run_jobs

SHARES = (0.25, 0.5, 0.75)
"""How far networks lie between one that was tuned to the frozen original and one that was regularised too."""

NO_GPU = (("CUDA_VISIBLE_DEVICES", ""),)  # tests take the cores that the trainings leave


@dataclass(frozen=True)
class Run:
    """A fine-tuning.

    Attributes:
        cell: Strategy, strength and seed, of the sweeps' grid.
        domain: What it is trained on.
        tested: Whether it is tested on its way too.
        iterations: None: as the plan says.
    """

    cell: Cell
    domain: str
    tested: bool = False
    iterations: int | None = None

    @property
    def name(self) -> str:
        """Name of its files."""
        length = f"_{self.iterations}" if self.iterations else ""
        return f"{self.domain}{length}_{self.cell.name.replace('/', '_')}"


def causes(seeds: Sequence[int]) -> list[Run]:
    """Anti-aliasing, the frozen original as teacher, what a camera gives; beside them Table 1's T, and plain."""
    best, table_1 = ("steady_aa", 0.95), ("transinv", 0.95)
    cells = [best, table_1, ("taught_aa", None), ("finetune", None), ("steady", 0.95)]

    def runs(domain: str, iterations: int, of: Sequence[tuple[str, float | None]], seed: int) -> list[Run]:
        return [Run(Cell("hdr", *cell, seed), domain, iterations=iterations) for cell in of]

    found = [*runs("procedural", 10000, cells[:2], seeds[0]), *runs("photographs", 10000, [best, cells[2]], seeds[0])]
    for seed in seeds:
        found += runs("photographs", 3000, [best, *cells[2:4]], seed) + runs("procedural", 3000, cells, seed)
    found += runs("procedural", 10000, cells[2:], seeds[0]) + runs("photographs", 10000, [cells[3]], seeds[0])
    return found + [run for seed in seeds[1:] for run in runs("procedural", 10000, cells, seed)]


def fine_tunings(seeds: Sequence[int]) -> list[Run]:
    """The most important first."""
    curves = [("finetune", None), ("transinv", 0.95), ("transinv_l1", 0.95), ("transinv", 0.8), ("jacobian", 0.95)]
    others = [
        ("photographs", "transinv_mixed", 0.95),
        ("photographs", "transinv_l1_mixed", 0.95),
        ("photographs", "transinv_far", 0.95),
        ("procedural", "transinv_mixed", 0.95),
        ("procedural", "transinv", 0.99),
        ("procedural", "augment", None),
    ]
    return [
        Run(Cell("hdr", strategy, alpha, seed), domain, tested)
        for seed in seeds
        for domain, strategy, alpha, tested in [
            *((domain, *curve, True) for domain in ("photographs", "procedural") for curve in curves),
            *((*other, False) for other in others),
        ]
    ]


@dataclass(frozen=True)
class Plan:
    """Settings that all jobs share: where things are, and how much is done.

    Attributes:
        out: Folder of the results.
        device: Of training.
        images: How many are trained on.
        baseline_iterations, iterations: Of the baseline, and of a fine-tuning.
        points: Parts of a fine-tuning after which it is tested.
        frames: Of each test clip.
        clips: How many.
        generator: What differs from the network's default.
        start: The checkpoint that all is fine-tuned from; None: the baseline is trained.
        crop: Edge of the crops that are fine-tuned on; None: the images.
    """

    out: Path
    device: str = "cuda"
    images: int = 10000
    baseline_iterations: int = 15625
    iterations: int = 4000
    points: tuple[float, ...] = (0.075, 0.25)
    frames: int = 48
    clips: int = 12
    size: int = 128
    generator: Mapping[str, Any] = field(default_factory=dict)
    start: Path | None = None
    crop: int | None = None

    @property
    def baseline(self) -> Path:
        """The checkpoint that all is fine-tuned from."""
        return self.start or self.out / "checkpoints" / "hdr_baseline.pth"

    @property
    def anti_aliased(self) -> Path:
        """Another baseline, trained from scratch with anti-aliased strides."""
        return self.out / "checkpoints" / "hdr_baseline_anti_aliased.pth"

    def checkpoint(self, run: Run, iteration: int) -> Path:
        """Checkpoint of a fine-tuning after so many iterations."""
        return self.out / "checkpoints" / f"{run.name}_iter{iteration}.pth"

    def tested_after(self, run: Run) -> list[int]:
        """The iterations after which a fine-tuning is tested."""
        points, iterations = self.points if run.tested else (), run.iterations or self.iterations
        return [*(max(1, round(iterations * point)) for point in points), iterations]


# ------------------------------------------------------------------ data, prepared once for all processes


def prepare(plan: Plan) -> None:
    """Writes the photographs and radiance of both domains into files that all processes map."""
    import numpy as np
    from mmagic.registry import DATASETS
    from mmengine.config import Config
    from mmengine.registry import init_default_scope

    from mmtempreg.datasets import InMemoryDataset

    if (plan.out / "data" / "photographs" / "gt.npy").exists():
        return
    init_default_scope("mmagic")
    configs = ROOT / "configs" / "tempreg"
    for domain, name in (("procedural", "hdr_finetune"), ("photographs", "hdr_transinv_a0.8_images")):
        source = Config.fromfile(configs / f"{name}.py").train_dataloader.dataset
        source.update(num_images=plan.images, size=plan.size, pipeline=[])
        if domain == "procedural":
            source.data_root = str(plan.out / "data")
        held = InMemoryDataset(DATASETS.build(source), num_workers=os.cpu_count() or 1)
        folder = plan.out / "data" / domain
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / "img.npy", held.images.numpy())
        np.save(folder / "gt.npy", held.radiance.numpy())


def register_prepared() -> None:
    """Makes the prepared files a dataset that a config can name."""
    import numpy as np
    from mmagic.registry import DATASETS

    @DATASETS.register_module(force=True)
    class PreparedPairs:
        """Pairs that `prepare` wrote for a domain."""

        def __init__(self, folder: str) -> None:
            self.arrays = {key: np.load(Path(folder) / f"{key}.npy", mmap_mode="r") for key in ("img", "gt")}

        def __len__(self) -> int:
            return len(self.arrays["img"])

        def __getitem__(self, index: int) -> dict[str, Any]:
            orders = {f"{key}_channel_order": "rgb" for key in self.arrays}
            return {**{key: np.array(held[index]) for key, held in self.arrays.items()}, **orders}


def loader(plan: Plan, domain: str, batch_size: int, crop: int | None = None) -> dict[str, Any]:
    """Data that lie on the device."""
    source = dict(type="PreparedPairs", folder=str(plan.out / "data" / domain))
    return dict(
        _delete_=True,
        batch_size=batch_size,
        num_workers=0,
        drop_last=True,
        sampler=dict(type="DefaultSampler", shuffle=True),
        dataset=dict(type="InMemoryDataset", device=plan.device, dataset=source, crop_size=crop and (crop, crop)),
    )


# ------------------------------------------------------------------ training


def quick(plan: Plan, iterations: int, decay: float, lr: float) -> dict[str, Any]:
    """A schedule of iterations: Adam from `lr`, which decays exponentially to `decay` of it; bfloat16."""
    optimiser = dict(type="Adam", lr=lr, fused=plan.device != "cpu")
    return {
        "train_cfg": dict(_delete_=True, type="IterBasedTrainLoop", max_iters=iterations, val_interval=iterations + 1),
        "optim_wrapper": dict(_delete_=True, type="BFloat16OptimWrapper", optimizer=optimiser),
        "param_scheduler": dict(_delete_=True, type="ExponentialLR", gamma=decay ** (1 / iterations), by_epoch=False),
        "default_hooks.checkpoint": dict(
            type="SafeCheckpointHook", interval=iterations, by_epoch=False, save_optimizer=False
        ),
        "default_hooks.logger.interval": max(1, iterations // 40),
        "log_processor": dict(type="LogProcessor", window_size=50, by_epoch=False),
        "model_wrapper_cfg": None,
    }


def without_tests() -> dict[str, None]:
    """Training alone."""
    return {f"{part}_{what}": None for part in ("val", "test") for what in ("dataloader", "cfg", "evaluator")}


def train(plan: Plan, config: Any, saved: Mapping[int, Path]) -> None:
    """Trains, and saves the stock weights after some iterations."""
    import torch
    from mmengine.hooks import Hook
    from mmengine.runner import Runner

    class SaveWeights(Hook):
        """Weights alone, under the names that the tests expect."""

        def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
            """Saves them if it is time."""
            if path := saved.get(runner.iter + 1):
                path.parent.mkdir(parents=True, exist_ok=True)
                state = runner.model.state_dict()  # whose metadata tells of anti-aliased strides
                for name, value in state.items():
                    state[name] = value.cpu().contiguous()
                torch.save({"state_dict": state}, path.with_suffix(".partial"))
                path.with_suffix(".partial").rename(path)

    register_prepared()
    if plan.generator:
        stock = config.model
        while "generator" not in stock:
            stock = stock.model
        stock.generator.update(plan.generator)
    runner = Runner.from_cfg(config)
    runner.register_hook(SaveWeights())
    runner.train()


def train_baseline(plan: Plan, anti_aliased: bool = False) -> None:
    """The network that flickers, at full length."""
    from mmengine.config import Config

    name = "anti_aliased" if anti_aliased else "baseline"
    config = Config.fromfile(ROOT / "configs" / "tempreg" / "hdr_baseline.py")
    config.merge_from_dict(
        {
            **quick(plan, plan.baseline_iterations, 0.01, 1.5e-3),
            **without_tests(),
            "train_dataloader": loader(plan, "procedural", 32),
            "work_dir": str(plan.out / "work" / name),
        }
    )
    config.model.generator.anti_aliased = anti_aliased
    train(plan, config, {plan.baseline_iterations: plan.anti_aliased if anti_aliased else plan.baseline})


def fine_tune(plan: Plan, run: Run) -> None:
    """From the baseline."""
    options = {
        **quick(plan, run.iterations or plan.iterations, 0.05, 1e-4),
        "train_dataloader": loader(plan, run.domain, 8, plan.crop),
        "load_from": str(plan.baseline),
        "work_dir": str(plan.out / "work" / run.name),
    }
    if plan.crop:  # the work of such a step is to start kernels, and bfloat16 has more of them
        options["optim_wrapper"] = {**options["optim_wrapper"], "type": "OptimWrapper"}
    config = run.cell.train_config(KNOWN[run.cell.strategy], options)
    train(plan, config, {i: plan.checkpoint(run, i) for i in plan.tested_after(run)})


# ------------------------------------------------------------------ tests and speed


def measure_between(plan: Plan, taught: Run, steady: Run, share: float, row: Mapping[str, Any]) -> None:
    """Tests a network between two, in weights."""
    from mmtempreg.apis import blend_checkpoints

    ends = [plan.checkpoint(run, plan.tested_after(run)[-1]) for run in (taught, steady)]
    between = plan.out / "work" / f"{steady.name}_{share:g}.pth"
    between.parent.mkdir(parents=True, exist_ok=True)
    blend_checkpoints(*ends, strength=share, out=between)
    measure(plan, between, row)


def measure(plan: Plan, checkpoint: Path, row: Mapping[str, Any], anti_aliased: bool = False) -> None:
    """Tests a checkpoint on pans for validation and on those for the test, and adds a row to the results."""
    import cv2
    import torch
    from mmengine.config import Config
    from mmengine.hooks import Hook
    from mmengine.runner import Runner

    from mmtempreg.openmmlab.checkpoints import anti_aliasing_of, read_checkpoint

    from .results import append_result

    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    config = Config.fromfile(ROOT / "configs" / "tempreg" / "hdr_evaluation.py")
    config.test_dataloader, config.test_evaluator = config.test_dataloader[1:], config.test_evaluator[1:]
    for number in (0, 1):
        config.merge_from_dict(
            {
                f"test_dataloader.{number}.num_workers": 0,
                f"test_dataloader.{number}.dataset.num_frames": plan.frames,
            }
        )
    config.merge_from_dict(
        {
            "test_dataloader.0.dataset.num_clips": min(plan.clips, 11),
            "test_dataloader.1.dataset.num_clips": plan.clips,
            "load_from": str(checkpoint),
            "work_dir": str(plan.out / "work" / f"test_{checkpoint.stem}"),
            "model.generator": {**config.model.generator, **plan.generator},
        }
    )
    if anti_aliased or anti_aliasing_of(read_checkpoint(checkpoint)):
        config.model = dict(type="AntiAliasedModel", model=config.model)

    class Take(Hook):
        """Keeps what `MultiTestLoop` measures, which its `run` does not give."""

        def after_test_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
            """Takes them."""
            found.update(metrics or {})

    started, found = time.perf_counter(), dict[str, float]()
    runner = Runner.from_cfg(config)
    runner.register_hook(Take())
    runner.test()
    row = {"task": "hdr", **row, "test_seconds": round(time.perf_counter() - started)}
    append_result(plan.out / "iterations.csv", {**row, **found})


def measure_speed(plan: Plan) -> None:
    """Seconds of a training step by how data are loaded, in which precision, plain and siamese; `process_video`."""
    from mmengine.config import Config

    from mmtempreg.apis import FrameModel

    from .process_speed import measure, pan

    rows = []
    for data in ("in memory", "workers"):
        for precision in ("float32", "bfloat16"):
            for name in ("finetune", "transinv_a0.8"):
                config = Config.fromfile(ROOT / "configs" / "tempreg" / f"hdr_{name}.py")
                config.merge_from_dict({**quick(plan, 1, 0.5, 1e-4), **without_tests(), "load_from": None})
                config.merge_from_dict({"work_dir": str(plan.out / "work" / "speed")})
                if precision == "float32":
                    config.optim_wrapper.type = "OptimWrapper"
                if data == "workers":
                    config.train_dataloader.dataset.update(num_images=64 if plan.generator else 1000, size=plan.size)
                    config.train_dataloader.dataset.pipeline[0].crop_size = (plan.size, plan.size)
                    config.train_dataloader.dataset.data_root = str(plan.out / "data_speed")
                    config.train_dataloader.num_workers = min(8, os.cpu_count() or 1)
                else:
                    config.merge_from_dict({"train_dataloader": loader(plan, "procedural", 16)})
                seconds = step_seconds(config, 4 if plan.generator else 45)
                rows.append(dict(what=name, data=data, precision=precision, seconds=f"{seconds:.5f}"))
                _write_rows(plan.out / "speed.csv", rows)
    config = Config.fromfile(ROOT / "configs" / "tempreg" / "hdr_finetune.py")
    with tempfile.TemporaryDirectory() as folder:
        for size in ((64, 64),) if plan.generator else ((426, 320), (1280, 720)):
            path = pan(Path(folder) / f"{size[1]}.mp4", 4 if plan.generator else 120, size)
            for half in (False, True):
                model = FrameModel(
                    config, str(ROOT / "checkpoints" / "hdr_baseline.pth"), device=plan.device, half=half
                )
                speed = measure(model, path, 3)
                what = dict(
                    what=f"process_video, {size[0]}x{size[1]}", data=f"{100 * speed.share:.1f} % of the network"
                )
                precision = "half" if half else "float32"
                rows.append(dict(**what, precision=precision, seconds=f"{1 / (speed.bare * speed.share):.5f}"))
                _write_rows(plan.out / "speed.csv", rows)


def step_seconds(config: Any, steps: int) -> float:
    """Median time of a step of 16 images, by MMEngine's runner, after a third of them."""
    import statistics

    import numpy as np
    import torch
    from mmengine.hooks import Hook
    from mmengine.runner import Runner

    times: list[float] = []

    class Clock(Hook):
        """The time of each step, with the work of the device done."""

        def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
            """Notes the time."""
            if torch.cuda.is_initialized():
                torch.cuda.synchronize()
            times.append(time.perf_counter())

    register_prepared()
    config.train_cfg.max_iters = steps
    config.default_hooks.pop("checkpoint")
    config.experiment_name = f"speed{time.monotonic_ns()}"
    runner = Runner.from_cfg(config)
    runner.register_hook(Clock())
    runner.train()
    return statistics.median(np.diff(times[steps // 3 :]).tolist())


def _write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


# ------------------------------------------------------------------ all of it


def jobs(plan: Plan, runs: Sequence[Run], speed: bool) -> Iterator[Job]:
    """Jobs to be done, the most important first."""
    yield Job("prepare", "alone", prepare, (plan,))
    if speed:
        yield Job("speed", "alone", measure_speed, (plan,), ("prepare",))
    first = "speed" if speed else "prepare"
    about = dict(strategy="baseline", alpha="", seed=0, domain="procedural", config_hash="baseline", iterations=0)
    if plan.start is None:
        yield Job("baseline", "train", train_baseline, (plan,), (first,))
    if plan.crop:
        yield Job("anti_aliased", "train", train_baseline, (plan, True), (first,))
        scratch, untrained = {**about, "strategy": "scratch_aa"}, {**about, "strategy": "baseline_aa"}
        yield Job("test_anti_aliased", "test", measure, (plan, plan.anti_aliased, scratch), ("anti_aliased",), NO_GPU)
        needs = ("baseline",) if plan.start is None else (first,)
        yield Job("test_untrained", "test", measure, (plan, plan.baseline, untrained, True), needs, NO_GPU)
    ready = "baseline" if plan.start is None else first
    yield Job("test_baseline", "test", measure, (plan, plan.baseline, about), (ready,), NO_GPU)
    for run in runs:
        yield Job(run.name, "train", fine_tune, (plan, run), (ready,))
    for run in runs:
        cell = run.cell
        about = dict(strategy=cell.strategy, alpha="" if cell.alpha is None else cell.alpha, seed=cell.seed)
        for iteration in plan.tested_after(run):
            row = {**about, "domain": run.domain, "iterations": iteration, "config_hash": f"{run.domain}@{iteration}"}
            checkpoint = plan.checkpoint(run, iteration)
            yield Job(f"test_{checkpoint.stem}", "test", measure, (plan, checkpoint, row), (run.name,), NO_GPU)
    by_name = {run.name: run for run in runs}
    for steady in (run for run in runs if run.cell.strategy == "steady_aa"):
        taught = replace(steady, cell=replace(steady.cell, strategy="taught_aa", alpha=None))
        for share in SHARES if taught.name in by_name else ():
            row = dict(strategy="steady_between", alpha=share, seed=steady.cell.seed, domain=steady.domain)
            row |= dict(iterations=plan.tested_after(steady)[-1], config_hash=f"{steady.name}@{share:g}")
            arguments = (plan, taught, steady, share, row)
            yield Job(
                f"test_{steady.name}_{share:g}", "test", measure_between, arguments, (taught.name, steady.name), NO_GPU
            )


def _is_there(job: Job) -> bool:
    """True if all checkpoints are there that a test needs."""
    plan, *others = job.arguments
    needed = [plan.checkpoint(x, plan.tested_after(x)[-1]) if isinstance(x, Run) else x for x in others]
    return all(path.exists() for path in needed if isinstance(path, Path))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=9.5, help="after which all ends")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--at-once", type=int, default=12, help="fine-tunings that share the device")
    parser.add_argument("--tests", type=int, default=os.cpu_count(), help="tests at a time, a core each")
    parser.add_argument("--images", type=int, default=10000)
    parser.add_argument("--baseline-iterations", type=int, default=15625)
    parser.add_argument("--iterations", type=int, default=4000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--speed", choices=("first", "only", "no"), default="first", help="measure it, alone")
    parser.add_argument("--causes", type=Path, metavar="CHECKPOINT", help="fine-tune this, anti-aliased or not")
    parser.add_argument("--only-test", action="store_true", help="what lies in OUT/checkpoints, and train nothing")
    parser.add_argument("--toy", action="store_true", help="tiny in every respect")
    args = parser.parse_args()
    started = time.monotonic()
    plan = Plan(args.out.resolve(), args.device, args.images, args.baseline_iterations, args.iterations)
    runs = causes(args.seeds) if args.causes else fine_tunings(args.seeds)
    if args.causes:
        plan = replace(plan, start=args.causes.resolve(), crop=64)
    if args.toy:
        tiny = dict(encoder_channels=((4,), (4,)), bottleneck_channels=(4,))
        small: dict[str, Any] = dict(frames=3, clips=1, size=32, generator=tiny, crop=plan.crop and 16)
        plan = Plan(plan.out, args.device, 32, 2, 2, (0.5,), **small)
        last = "steady_aa" if args.causes else "transinv_mixed"
        runs = [replace(run, iterations=None) for run in (runs[0], next(r for r in runs if r.cell.strategy == last))]
    places = dict(alone=1, train=args.at_once, test=args.tests)
    listed = list(jobs(plan, runs, args.speed != "no" and not args.only_test))
    if args.only_test:
        listed = [replace(job, needs=()) for job in listed if job.kind == "test" and _is_there(job)]
    if args.speed == "only":
        listed = [job for job in listed if job.kind == "alone"]
    states = run_jobs(listed, places, plan.out / "logs", started + 60 * args.minutes)
    left = [name for name, state in states.items() if state != "done"]
    print(
        f"{len(states) - len(left)} of {len(states)} jobs done" + "".join(f"\n{states[name]}: {name}" for name in left)
    )
    if any(states[name] == "failed" for name in left):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
