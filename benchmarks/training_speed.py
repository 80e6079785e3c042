"""Times what may make a training step of `hdr_transinv_a0.8` faster on a CPU, side by side in one run.

Usage: python -m benchmarks.training_speed [--batch 8] [--size 64] [--rounds 15] [--threads 1]

Each row is the one before with one more option, data from `InMemoryDataset` included: float32 as the configs say,
bfloat16 (`BFloat16OptimWrapper`), a quarter of each batch regularised (`regularize_fraction=0.25`), the optimiser in
one kernel (`optimizer.fused=True`), both passes in one (`single_pass=True`; with `NormEvalHook` that changes nothing
else). The rows take turns; printed are medians, their quartiles, and how many times the images a second of the first.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import mmtempreg  # noqa: F401, before MMagic is imported
from experiments.grid import ROOT

if TYPE_CHECKING:
    from mmengine.config import Config


# The options of each row, beside those of the rows before.
ROWS: dict[str, dict[str, Any]] = {
    "float32": {},
    "bfloat16": {"optim_wrapper.type": "BFloat16OptimWrapper", "optim_wrapper.even_if_slow": True},
    "a quarter regularised": {"model.regularize_fraction": 0.25},
    "fused Adam": {"optim_wrapper.optimizer.fused": True},  # torch >= 2.4 on a CPU
    "a single pass": {"model.single_pass": True},
}


class Training:
    """A model of a config with its optimiser, as its hooks leave it."""

    def __init__(self, config: Config) -> None:
        from mmagic.registry import HOOKS, MODELS
        from mmengine.optim import build_optim_wrapper

        self.model = MODELS.build(config.model)
        runner: Any = SimpleNamespace(model=self.model)
        hooks = [HOOKS.build(h) for h in config.custom_hooks if h.type in ("AccelerationHook", "NormEvalHook")]
        for hook in hooks:
            hook.before_train(runner)
        self.model.train()
        for hook in hooks:
            hook.before_train_iter(runner, 0)
        self.optimiser = build_optim_wrapper(self.model, config.optim_wrapper)

    def step(self, data: Any, batch: int) -> float:
        """Takes a batch and a step; gives the seconds."""
        started = time.perf_counter()
        (taken,) = data.__getitems__(range(batch))
        taken = {name: [value] for name, value in taken.items()}
        self.model.train_step(taken, self.optimiser)
        return time.perf_counter() - started


def crops(num_images: int, size: int) -> Any:
    """An `InMemoryDataset` of procedural stills."""
    from mmagic.registry import DATASETS

    with tempfile.TemporaryDirectory() as folder:
        stills = dict(type="ProceduralHDRDataset", data_root=folder, num_images=num_images, size=size)
        return DATASETS.build(dict(type="InMemoryDataset", dataset=stills))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--size", type=int, default=64, help="of the crops")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()

    import torch
    from mmengine.config import Config
    from mmengine.registry import init_default_scope

    init_default_scope("mmagic")
    torch.set_num_threads(args.threads)
    trainings, options = {}, {}
    for name, more in ROWS.items():
        options |= more
        config = Config.fromfile(ROOT / "configs" / "tempreg" / "hdr_transinv_a0.8.py")
        config.merge_from_dict(options)
        trainings[name] = Training(config)
    data = crops(2 * args.batch, args.size)
    seconds: dict[str, list[float]] = {name: [] for name in trainings}
    for turn in range(args.rounds + 2):
        for name, training in trainings.items():
            taken = training.step(data, args.batch)
            if turn >= 2:  # the first steps choose kernels and make the optimiser's state
                seconds[name].append(taken)
    print(f"{args.batch} crops of {args.size}x{args.size}, {args.threads} threads, torch {torch.__version__}")
    first = statistics.median(seconds[next(iter(ROWS))])
    for name, values in seconds.items():
        low, median, high = statistics.quantiles(values, n=4)
        print(f"| {name} | {median * 1e3:.0f} ms ({low * 1e3:.0f} - {high * 1e3:.0f}) | {first / median:.2f} |")


if __name__ == "__main__":
    main()
