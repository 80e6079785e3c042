"""Mixed precision where MMEngine's `AmpOptimWrapper` refuses: without a GPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmagic.registry import OPTIM_WRAPPERS
from mmengine.optim import OptimWrapper
from torch import nn


@OPTIM_WRAPPERS.register_module()
class BFloat16OptimWrapper(OptimWrapper):
    """MMEngine's `OptimWrapper` with bfloat16 autocast, on a CPU or a GPU.

    bfloat16 has the range of float32, so that no loss needs to be scaled. Weights stay in float32. On a GPU that lacks
    bfloat16 use MMEngine's `AmpOptimWrapper` (float16).
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Inside, convolutions and matrix products run in bfloat16."""
        device = next(model.parameters()).device.type
        with super().optim_context(model), torch.autocast(device, dtype=torch.bfloat16):
            yield
