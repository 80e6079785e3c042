"""Time and peak memory of a siamese training step against a plain one, side by side in one run.

Usage: python -m benchmarks.siamese_step [--families srcnn edsr ...] [--batch 2] [--rounds 7] [--device cpu] [--small]
       [--measure memory time] [--variants NAME ...]

For the HDR network and every stock family, on real photographs: a plain step, a siamese step of two network passes, one
of a single pass over [x, T(x)], one that regularises half of each batch, one that regularises every second step, and
one of two passes with the network itself as teacher, which runs a third time, forward only; with one that sees from 8
places along each axis (`teacher_shift=8`); and the same where each crop comes 8 times (`DrawnOnceDataset`): a step in
which the teacher is asked, and seven in which it is not; this with a single pass, too.
(The plain step of `inst_colorization`, which MMagic cannot train, is ours with alpha=0.) They take turns; printed are
the medians of the ratios to the plain step, with their quartiles. Twice the plain step is the limit, as
the network runs twice. The peak memory is what a step takes beyond weights and optimiser (of the process on a CPU, of
the allocator on a GPU).
"""

from __future__ import annotations

import argparse
import copy
import ctypes
import gc
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import mmtempreg  # noqa: F401, before MMagic is imported
from testing.stock_models import FAMILIES, family_config, real_images, untrained_vgg

VARIANTS: dict[str, dict[str, Any]] = {
    "two passes": {},
    "single pass": {"single_pass": True},
    "half of the batch": {"regularize_fraction": 0.5},
    "every 2nd step": {"regularize_every": 2},
    "with a teacher": {"target": "teacher"},
    "a teacher that is shifted": {"target": "teacher", "teacher_shift": 8},
    "its predictions kept": {"target": "teacher", "teacher_shift": 8},
    "kept, single pass": {"target": "teacher", "teacher_shift": 8, "single_pass": True},
}
KEPT = ("its predictions kept", "kept, single pass")
VISITS = 8
HDR = dict(type="HDRReconstructionModel", generator=dict(type="HDRCNN"))


class Step:
    """A model with its optimiser and a batch, ready to be stepped."""

    def __init__(self, model: Any, optimiser: Any, batch: Any, device: str) -> None:
        self.model = model.to(device).train()
        self.optimiser = optimiser
        self.batch = batch
        self.device = device
        self.iteration = 0

    def __call__(self) -> float:
        """Makes a step; gives its seconds."""
        from mmengine.logging import MessageHub

        MessageHub.get_current_instance().update_info("iter", self.iteration)
        self.iteration += 1
        batch = copy.deepcopy(self.batch)
        self._wait()
        start = time.perf_counter()
        self.model.train_step(batch, optim_wrapper=self.optimiser)
        self._wait()
        return time.perf_counter() - start

    def _wait(self) -> None:
        import torch

        if self.device != "cpu":
            torch.cuda.synchronize()


def family_steps(
    name: str, images: Path, batch: int, device: str, small: bool, variants: Sequence[str] = tuple(VARIANTS)
) -> dict[str, Step]:
    """The plain step and those of some of `VARIANTS`, of a stock family or of `hdr`."""
    import torch
    from mmagic.registry import MODELS
    from mmengine.runner import Runner

    if name == "hdr":
        data, model = _hdr_batch(batch), dict(model=HDR, transform=dict(type="RandomAffine"))
        model = dict(type="SiameseEditModel", regularization=dict(type="TransformInvarianceLoss"), **model)
        optimiser: dict[str, Any] = dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=1e-5))
    else:
        (family,) = (f for f in FAMILIES if f.name == name)
        config = family_config(family, images, images / "none", 1, small, batch)
        data = next(iter(Runner.build_dataloader(config.train_dataloader, seed=0)))
        model, optimiser = config.model, config.optim_wrapper
    steps = {}
    wanted: dict[str, Any] = {"plain": None, **{variant: VARIANTS[variant] for variant in variants}}
    for variant, options in wanted.items():
        config_of = copy.deepcopy(dict(model))
        if options is None and name == "inst_colorization":  # MMagic cannot train it
            options = {"alpha": 0.0}
        if options is not None and "target" in options:
            torch.save(steps["plain"].model.state_dict(), images / "teacher.pth")
            options = {**options, "teacher": str(images / "teacher.pth")}
        with untrained_vgg():
            built = MODELS.build(config_of["model"] if options is None else {**config_of, **options})
        batch_of = numbered(data) if variant in KEPT else data
        steps[variant] = Step(built, _optimiser(built, optimiser), batch_of, device)
    return steps


def numbered(batch: dict[str, Any]) -> dict[str, Any]:
    """A batch as `DrawnOnceDataset` gives it: its items say which they are."""
    batch = copy.deepcopy(batch)
    for number, sample in enumerate(batch["data_samples"]):
        sample.set_metainfo(dict(drawn_once=(0, number)))
    return batch


def _optimiser(model: Any, config: dict[str, Any]) -> Any:
    from mmengine.logging import MMLogger
    from mmengine.optim import build_optim_wrapper

    MMLogger.get_current_instance().setLevel("ERROR")
    return build_optim_wrapper(model, copy.deepcopy(config))


def _hdr_batch(size: int) -> dict[str, Any]:
    import torch
    from mmagic.structures import DataSample

    generator = torch.Generator().manual_seed(0)
    shape = (3, 64, 64)
    return dict(
        inputs=[torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8) for _ in range(size)],
        data_samples=[DataSample(gt_img=3 * torch.rand(shape, generator=generator)) for _ in range(size)],
    )


def time_ratios(steps: dict[str, Step], rounds: int) -> dict[str, list[float]]:
    """For every variant, its time over that of the plain steps before and after, once a round.

    "every 2nd step" is the mean of two steps in a row, each of `KEPT` that of `VISITS` steps.
    """
    for step in steps.values():
        step(), step()
    ratios: dict[str, list[float]] = {name: [] for name in steps if name != "plain"}
    for _ in range(rounds):
        for name, values in ratios.items():
            before, own = steps["plain"](), steps[name]()
            if name == "every 2nd step":
                own = (own + steps[name]()) / 2
            elif name in KEPT:  # so far it was not asked
                steps[name].model.teacher.known.clear()
                own = ((VISITS - 1) * own + steps[name]()) / VISITS
            values.append(2 * own / (before + steps["plain"]()))
    return ratios


def peak_memory(step: Step) -> float:
    """MiB that a step needs beyond what is there before it."""
    import torch

    step(), step()  # makes the optimiser's state
    gc.collect()
    if step.device != "cpu":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        step(), step()
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = _status("VmRSS")
    step(), step()  # one of them is regularised if only every second is
    return (_status("VmHWM") - before) / 2**10


def peak_memories(
    name: str, images: Path, batch: int, device: str, small: bool, variants: Sequence[str] = tuple(VARIANTS)
) -> list[float]:
    """`peak_memory` of the plain step and of some of `VARIANTS`."""
    from mmengine.registry import init_default_scope

    init_default_scope("mmagic")
    with memory_returned_at_once():
        return [peak_memory(step) for step in family_steps(name, images, batch, device, small, variants).values()]


def _status(name: str) -> int:
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1])


@contextmanager
def memory_returned_at_once() -> Iterator[None]:
    """Inside, the C library gives larger blocks back to the system when they are freed, so that peaks show."""
    mallopt, mmap_threshold = ctypes.CDLL(None).mallopt, -3  # M_MMAP_THRESHOLD of malloc.h
    mallopt(mmap_threshold, 1 << 16)
    try:
        yield
    finally:
        mallopt(mmap_threshold, 1 << 25)  # what glibc's own rule comes to after a few steps


def measure(
    what: list[str],
    names: list[str],
    batch: int,
    rounds: int,
    device: str,
    small: bool,
    report: Callable[[str], None],
    variants: Sequence[str] = tuple(VARIANTS),
) -> None:
    """Measures memory, time or both, and reports a row of the table for each family."""

    with tempfile.TemporaryDirectory() as folder:
        images = Path(folder)
        real_images(images)
        for name in names if "memory" in what else []:
            # a process of its own: what others have left behind would be used again, and not show
            with ProcessPoolExecutor(1, get_context("spawn")) as pool:
                plain, *others = pool.submit(peak_memories, name, images, batch, device, small, variants).result()
            cells = [f"{other / plain:.2f}" for other in others]
            report(f"memory | {name} | " + " | ".join(cells) + f" | (plain: {plain:.0f} MiB)")
        for name in names if "time" in what else []:
            ratios = time_ratios(family_steps(name, images, batch, device, small, variants), rounds)
            cells = []
            for values in ratios.values():
                low, median, high = statistics.quantiles(values, n=4)
                cells.append(f"{median:.2f} ({low:.2f} - {high:.2f})")
            report(f"time   | {name} | " + " | ".join(cells) + " |")


def main() -> None:
    everything = ["hdr", *(family.name for family in FAMILIES)]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--families", nargs="+", default=everything, choices=everything)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--small", action="store_true", help="the networks of the tests")
    parser.add_argument("--measure", nargs="+", default=["memory", "time"], choices=["memory", "time"])
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=VARIANTS)
    args = parser.parse_args()

    import torch
    from mmengine.registry import init_default_scope

    init_default_scope("mmagic")
    print(f"batches of {args.batch} on {args.device}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    print("       | | " + " | ".join(args.variants) + " |", flush=True)
    sizes = (args.batch, args.rounds, args.device, args.small)
    measure(args.measure, args.families, *sizes, lambda row: print(row, flush=True), args.variants)


if __name__ == "__main__":
    main()
