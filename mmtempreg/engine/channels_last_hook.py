"""Convolutions in the memory layout that they run fastest in."""

import torch
from mmagic.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Keeps the model's weights in `torch.channels_last`; its convolutions then work in that layout.

    The result is the same up to rounding. See `benchmarks/` for what it saves.
    """

    def before_run(self, runner: Runner) -> None:
        """Converts the weights before the first iteration."""
        runner.model.to(memory_format=torch.channels_last)
