"""Mixed precision where MMEngine's `AmpOptimWrapper` refuses: without a GPU."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from mmagic.registry import OPTIM_WRAPPERS
from mmengine.logging import print_log
from mmengine.optim import OptimWrapper
from torch import nn

from ..utils.half_precision import slow_bfloat16
from ..utils.validation import check_arguments


@OPTIM_WRAPPERS.register_module()
class BFloat16OptimWrapper(OptimWrapper):
    """MMEngine's `OptimWrapper` with bfloat16 autocast, on a CPU or a GPU.

    bfloat16 has the range of float32, so that no loss needs to be scaled. Weights stay in float32. Where the device has
    no bfloat16 of its own and it would be slower, it trains in float32 instead, and says so once. On such a GPU use
    MMEngine's `AmpOptimWrapper` (float16).

    Args:
        even_if_slow: Take bfloat16 all the same.
        args, kwargs: As of `OptimWrapper`.

    Attributes:
        half: Whether it takes bfloat16; None: it has not been asked yet. `FastestStepHook` says it by timing steps.
    """

    @check_arguments
    def __init__(self, *args: Any, even_if_slow: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.even_if_slow = even_if_slow
        self.half: bool | None = None

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Inside, convolutions and matrix products run in bfloat16."""
        device = next(model.parameters()).device.type
        if self.half is None:
            self.half = self._choose(device)
        half = torch.autocast(device, dtype=torch.bfloat16) if self.half else nullcontext()
        with super().optim_context(model), half:
            yield

    def _choose(self, device: str) -> bool:
        reason = None if self.even_if_slow else slow_bfloat16(device)
        if reason:
            print_log(f"Trains in float32: {reason} (even_if_slow=True takes it)", "current", logging.WARNING)
        return reason is None
