"""Times what may make a training step of `hdr_transinv_a0.8` faster on a CPU: each option alone, and then together.

Usage: python -m benchmarks.training_speed [--batch 8] [--size 64] [--rounds 15] [--threads 1] [--compile]

Data from `InMemoryDataset` included. The first table has each option alone; the second adds one after the other to
those before it, what gained most alone first. All take turns; printed are medians, their quartiles, and how many times
the images a second of float32 as the configs say. `--compile` times `torch.compile` too (half a minute to compile).

Which pay depends on the processor. So that is printed, with what limits it, and the time that the step's products take
at the rate at which it multiplies large matrices of float32: no step that multiplies as much is faster. bfloat16 is
left out where it is imitated. ONEDNN_MAX_CPU_ISA=AVX2 and ATEN_CPU_CAPABILITY=avx2 in the environment show what a
processor with AVX2 alone would do.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import mmtempreg  # noqa: F401, before MMagic is imported
from experiments.grid import ROOT
from mmtempreg.utils.allocator import keep_freed_memory

if TYPE_CHECKING:
    from mmengine.config import Config

LIMITS = ("ONEDNN_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY")
"""Variables that have oneDNN and torch do without what a processor has."""

OPTIONS: dict[str, dict[str, Any]] = {
    "bfloat16": {"optim_wrapper.type": "BFloat16OptimWrapper", "optim_wrapper.even_if_slow": True},
    "a quarter regularised": {"model.regularize_fraction": 0.25},
    "fused Adam": {"optim_wrapper.optimizer.fused": True},  # torch >= 2.4 on a CPU
    "a single pass": {"model.single_pass": True},
}
WITHOUT_CHANNELS_LAST = {"custom_hooks": [dict(type="NormEvalHook")]}
COMPILED = {
    "custom_hooks": [dict(type="AccelerationHook", channels_last=True, compile=True), dict(type="NormEvalHook")]
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


def timed(trainings: dict[str, Training], data: Any, batch: int, rounds: int) -> dict[str, list[float]]:
    """Seconds of the steps of each training, in turns."""
    seconds: dict[str, list[float]] = {name: [] for name in trainings}
    for turn in range(rounds + 2):
        for name, training in trainings.items():
            taken = training.step(data, batch)
            if turn >= 2:  # the first steps choose kernels and make the optimiser's state
                seconds[name].append(taken)
    return seconds


def print_rows(seconds: dict[str, list[float]]) -> dict[str, float]:
    """Prints a table; gives how many times as fast as the first each is."""
    gains = {}
    for name, values in seconds.items():
        low, median, high = statistics.quantiles(values, n=4)
        gains[name] = statistics.median(seconds["float32"]) / median
        print(
            f"| {name} | {median * 1e3:.0f} ms ({low * 1e3:.0f} - {high * 1e3:.0f}) | {gains[name]:.2f} |", flush=True
        )
    return gains


def processor() -> str:
    """Its name, and what limits it."""
    import torch

    from mmtempreg.utils.half_precision import slow_bfloat16

    names = re.findall(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    limits = [f"{name}={os.environ[name]}" for name in LIMITS if name in os.environ]
    half = "no bfloat16" if slow_bfloat16("cpu") else "bfloat16"
    return ", ".join([*names[:1], torch.backends.cpu.get_cpu_capability(), half, *limits])


def multiplications(size: int = 1024, times: int = 10) -> float:
    """Floating-point operations a second in products of matrices of float32."""
    import torch

    a = torch.rand(size, size)
    for _ in range(3):
        a @ a
    started = time.perf_counter()
    for _ in range(times):
        a @ a
    return times * 2 * size**3 / (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--size", type=int, default=64, help="of the crops")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--compile", action="store_true", help="time torch.compile too")
    args = parser.parse_args()

    import torch
    from mmengine.config import Config
    from mmengine.registry import init_default_scope
    from torch.utils.flop_counter import FlopCounterMode

    from mmtempreg.utils.half_precision import slow_bfloat16

    init_default_scope("mmagic")
    keep_freed_memory()  # as all tools do
    torch.set_num_threads(args.threads)

    def training(options: dict[str, Any]) -> Training:
        config = Config.fromfile(ROOT / "configs" / "tempreg" / "hdr_transinv_a0.8.py")
        config.merge_from_dict(options)
        return Training(config)

    data = crops(2 * args.batch, args.size)
    alone = {"float32": training({}), "without channels_last": training(WITHOUT_CHANNELS_LAST)}
    known = {name: options for name, options in OPTIONS.items() if name != "bfloat16" or not slow_bfloat16("cpu")}
    alone |= {name: training(options) for name, options in known.items()}
    with FlopCounterMode(display=False) as counter:
        alone["float32"].step(data, args.batch)
    floor = counter.get_total_flops() / multiplications()
    print(f"{args.batch} crops of {args.size}x{args.size}, {args.threads} threads, torch {torch.__version__}")
    print(f"{processor()}\na step's products of float32 take {floor * 1e3:.0f} ms at least\neach alone:")
    if args.compile:
        started = time.perf_counter()
        alone["compiled"] = training(COMPILED)
        alone["compiled"].step(data, args.batch)
        print(f"compiling took {time.perf_counter() - started:.0f} s")
    gains = print_rows(timed(alone, data, args.batch, args.rounds))
    print("together:")
    together, options = {"float32": alone["float32"]}, dict[str, Any]()
    for name in sorted(known, key=lambda option: gains[option], reverse=True):
        if gains[name] > 1:
            options |= known[name]
            together[f"with {name}"] = training(options)
    print_rows(timed(together, data, args.batch, args.rounds))


if __name__ == "__main__":
    main()
