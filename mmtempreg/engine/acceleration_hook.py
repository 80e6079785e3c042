"""Faster networks: another memory layout, and torch.compile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmagic.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ..models.networks import networks_of
from ..utils.validation import check_arguments


@HOOKS.register_module()
class AccelerationHook(Hook):
    """Runs a model's networks in `channels_last`, compiled, or both.

    Only the networks: the warps and losses around them stay as they are. Names and values of the weights do not change,
    so checkpoints go back to stock as ever. MMEngine's own `compile`, of the whole training step, works too.

    Args:
        channels_last: Keep weights, and thereby feature maps, with the channels innermost.
        compile: True, or the arguments of `torch.compile`. Where a trial of a few seconds shows that it does not work,
            for want of a C++ compiler or Python's headers, networks run as they are, and the log says so.
        networks: Attributes of the model. Default: those of `generator`, `generators` and `image_model` that it has.

    Raises:
        ValueError: If the model has none of the networks.
        RuntimeError: If this torch cannot compile a module in place (before 2.2).
    """

    @check_arguments
    def __init__(
        self, channels_last: bool = False, compile: bool | dict[str, Any] = False, networks: Sequence[str] | None = None
    ) -> None:
        self.channels_last = channels_last
        self.compile: dict[str, Any] | None = {} if compile is True else compile or None
        self.networks = networks

    def before_train(self, runner: Runner) -> None:
        """Changes the networks in place; now that they are initialised, which fills memory in its order."""
        self.before_test(runner)
        if self.compile is None:
            return
        if not hasattr(torch.nn.Module, "compile"):
            raise RuntimeError(f"compile needs torch >= 2.2, this is {torch.__version__}")
        networks = list(networks_of(runner.model, self.networks))
        if reason := cannot_compile(next(networks[0].parameters()).device, **self.compile):
            runner.logger.warning(f"Networks are not compiled: torch.compile does not work here ({reason})")
            return
        for network in networks:
            network.compile(**self.compile)

    def before_test(self, runner: Runner) -> None:
        """The memory layout alone: compiling takes longer than most tests."""
        for network in networks_of(runner.model, self.networks):
            if self.channels_last:
                network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def cannot_compile(device: torch.device, **options: Any) -> str | None:
    """The reason why `torch.compile` does not work on a device, found by compiling an addition; None: it works."""
    try:
        torch.compile(_next, **options)(torch.zeros(8, device=device))
    except Exception as error:  # of whichever backend, compiler or linker
        reason = getattr(error, "inner_exception", error)  # what the backend said
        return f"{type(reason).__name__}: {reason}".strip().splitlines()[0]
    return None


def _next(x: torch.Tensor) -> torch.Tensor:
    return x + 1
