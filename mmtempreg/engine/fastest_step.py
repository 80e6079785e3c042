"""Which of the options that change a training by no more than rounding make its steps faster on this machine.

The answer depends on processor and network: bfloat16 is 1.6 times as fast on one and several times as slow
on another, `channels_last` and one pass instead of two are a gain or a loss. So steps are timed.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import torch
from mmengine.optim import OptimWrapperDict, build_optim_wrapper
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from ..models.networks import networks_of, unwrapped
from ..models.siamese.training import SiameseTraining
from ..utils.half_precision import slow_bfloat16
from ..utils.seeding import seeded
from .bfloat16_optim_wrapper import BFloat16OptimWrapper

OPTIONS = ("bfloat16", "channels_last", "single_pass")
"""In the order in which they are tried: what pays most first, each on top of those that are taken."""

ROUNDS = 2
"""Timed steps with an option and without, in turns, after one of each that is not: every process takes as many."""

WORTH_IT = 1.05
"""An option is taken that makes a step so many times as fast at least: less is by chance."""


def choices(model: Any, wrapper: Any, options: Sequence[str] = OPTIONS) -> list[str]:
    """Those of `OPTIONS` that there is something to choose about.

    Args:
        model: As a training step finds it: in training mode, but for layers that a hook keeps out of it.
        wrapper: Its optimiser's, or a dict of them.
        options: Those that are wanted.
    """
    open_ = dict(
        bfloat16=bool(_halves(wrapper)) and slow_bfloat16(next(model.parameters()).device.type) is None,
        channels_last=any(isinstance(part, nn.Conv2d) for part in _layers(model)),
        single_pass=(
            isinstance(model, SiameseTraining)
            and model.regularizer is not None
            # two passes have statistics of their own, one shares them: another training
            and not any(isinstance(part, _BatchNorm) and part.training for part in _layers(model))
        ),
    )
    return [name for name in OPTIONS if name in options and open_[name]]


def switch(name: str, on: bool, model: Any, wrapper: Any) -> None:
    """Switches an option on or off.

    Args:
        name: One of `choices`.
        on: Whether it is to be on.
        model: Of the training; changed in place.
        wrapper: Of its optimiser, or a dict of them; likewise.
    """
    if name == "bfloat16":
        for part in _halves(wrapper):
            part.half = on
    elif name == "channels_last":
        for network in networks_of(model):
            network.to(memory_format=torch.channels_last if on else torch.contiguous_format)  # type: ignore[call-overload]
    else:
        model.regularizer.single_pass = on


def fastest_options(model: Any, optimiser: Mapping, batch: Any, options: Sequence[str] = OPTIONS) -> dict[str, float]:
    """How many times as fast each option makes a training step that has those before it that are worth it.

    Steps are those of copies: model, optimiser and random numbers stay as they are. It takes 6 steps for each option.

    Args:
        model: As a training step finds it.
        optimiser: Config of its optimiser's wrapper.
        batch: A batch as the data loader gives it.
        options: Those that are wanted.
    """
    model = unwrapped(model)
    gains: dict[str, float] = {}
    with torch.random.fork_rng(), seeded(0):
        plain = _Trial(model, optimiser, batch)
        names = choices(plain.model, plain.wrapper, options)
        for name in names:
            switch(name, False, plain.model, plain.wrapper)
        taken: list[str] = []
        best = plain
        for name in names:
            other = _Trial(model, optimiser, batch)
            for each in names:
                switch(each, each in (*taken, name), other.model, other.wrapper)
            gains[name] = faster(best, other)
            if gains[name] >= WORTH_IT:
                best, taken = other, [*taken, name]
    return gains


def worth_it(gains: Mapping[str, float]) -> list[str]:
    """The options that `fastest_options` found to be worth it."""
    return [name for name, gain in gains.items() if gain >= WORTH_IT]


def in_words(gains: Mapping[str, float]) -> str:
    """What `fastest_options` found, for a log."""
    if not gains:
        return "nothing to choose"
    told = [f"{name} {gain:.2f} times as fast ({'on' if gain >= WORTH_IT else 'off'})" for name, gain in gains.items()]
    return ", ".join(told)


def faster(one: Callable[[], float], other: Callable[[], float]) -> float:
    """How many times as fast `other` is as `one`, each of which gives the seconds that it took; they take turns.

    The least time counts: what disturbs a step makes it longer.
    """
    one(), other()  # kernels are chosen, the optimiser's state is made
    turns = [(one(), other()) for _ in range(ROUNDS)]
    before, after = map(min, zip(*turns))
    return before / after


class _Trial:
    """Steps of a copy of a model."""

    def __init__(self, model: Any, optimiser: Mapping, batch: Any) -> None:
        self.model = copy.deepcopy(model)
        self.wrapper: Any = build_optim_wrapper(self.model, copy.deepcopy(dict(optimiser)))
        self.batch = batch
        self.on_gpu = next(model.parameters()).device.type == "cuda"

    def __call__(self) -> float:
        batch = copy.deepcopy(self.batch)
        self._wait()
        started = time.perf_counter()
        self.model.train_step(batch, self.wrapper)
        self._wait()
        return time.perf_counter() - started

    def _wait(self) -> None:
        if self.on_gpu:
            torch.cuda.synchronize()


def _layers(model: Any) -> Iterator[nn.Module]:
    """The layers of a model's networks; of one without such networks none."""
    with suppress(ValueError):
        for network in networks_of(model):
            yield from network.modules()


def _halves(wrapper: Any) -> list[BFloat16OptimWrapper]:
    """The wrappers that may choose their precision."""
    wrappers = wrapper.values() if isinstance(wrapper, OptimWrapperDict) else [wrapper]
    return [part for part in wrappers if isinstance(part, BFloat16OptimWrapper) and not part.even_if_slow]
