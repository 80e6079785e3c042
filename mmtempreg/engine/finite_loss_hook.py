"""Stops a training that has diverged before it spoils the weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import torch
import torch.distributed as dist
from mmagic.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

from ..openmmlab.internals import optim_wrappers
from ..utils.validation import Count, check_arguments


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Raises if a loss is NaN or infinite, before the optimiser takes a step with it.

    So the weights stay finite, and the last checkpoint is the last good one. On several processes all of them leave out
    the step if one of them has such a loss. Costs one look at a number a step.

    Args:
        max_skips: So many steps may be left out in a run, with a warning, before it stops.
    """

    @check_arguments
    def __init__(self, max_skips: Count = 0) -> None:
        self.max_skips = max_skips

    def before_train(self, runner: Runner) -> None:
        """Puts itself before the optimisers' steps."""
        self._skipped, self._seen, self._bad = 0, False, False
        self._wrappers = optim_wrappers(runner)
        for wrapper in self._wrappers:
            wrapper.update_params = partial(self._update, wrapper.update_params)

    def after_train(self, runner: Runner) -> None:
        """Takes itself away again."""
        for wrapper in self._wrappers:
            del wrapper.update_params

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        self._seen = self._bad = False

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Mapping[str, Any] | None = None
    ) -> None:
        """Stops, or says that a step was left out.

        Raises:
            FloatingPointError: If there were more of these than are allowed; with the loss terms and likely reasons.
        """
        terms = {name: value for name, value in (outputs or {}).items() if isinstance(value, Tensor)}
        if not self._bad and (self._seen or all(map(_finite, terms.values()))):
            return
        self._skipped += 1
        values = ", ".join(f"{name} {float(value.detach().mean()):.4g}" for name, value in terms.items())
        where = f"at iteration {runner.iter + 1} ({values})"
        what = f"the loss is NaN or infinite {where}: {self._reason(runner, data_batch)}"
        if self._skipped <= self.max_skips:
            runner.logger.warning(f"Step left out ({self._skipped} of {self.max_skips} that may be): {what}")
            return
        raise FloatingPointError(f"{what}. Nothing was saved since; the last checkpoint is as good as it was")

    def _update(self, update: Callable[..., None], loss: Tensor, *args: Any, **kwargs: Any) -> None:
        good = torch.isfinite(loss.detach()).all()
        if dist.is_available() and dist.is_initialized():
            flag = good.to(torch.int32)
            dist.all_reduce(flag, dist.ReduceOp.MIN)
            good = flag.bool()
        self._seen = True
        if good:
            update(loss, *args, **kwargs)
        else:
            self._bad = True

    def _reason(self, runner: Runner, data_batch: Any) -> str:
        spoilt = [name for name, value in runner.model.state_dict().items() if not _finite(value)]
        if spoilt:
            return f"weights are NaN or infinite, such as {spoilt[0]}: the gradients overflowed, or they came so"
        if any(not _finite(value) for value in _tensors(data_batch)):
            return "the batch holds NaN or infinity: an image or the cache is damaged"
        rates = sorted({group["lr"] for wrapper in self._wrappers for group in wrapper.param_groups})
        shown = ", ".join(f"{rate:g}" for rate in rates)
        return f"the learning rate ({shown}) may be too high, or half precision overflows"


def _finite(value: Tensor) -> bool:
    return not value.is_floating_point() or bool(torch.isfinite(value.detach()).all())


def _tensors(batch: Any) -> Iterator[Tensor]:
    if isinstance(batch, Tensor):
        yield batch
    elif isinstance(batch, Mapping):
        for value in batch.values():
            yield from _tensors(value)
    elif isinstance(batch, list | tuple):
        for value in batch:
            yield from _tensors(value)
    elif hasattr(batch, "all_items"):  # a DataSample
        yield from _tensors([value for _, value in batch.all_items()])
