"""Training steps as fast as this machine takes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmagic.registry import HOOKS
from mmengine.dist import broadcast_object_list
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ..models.networks import unwrapped
from ..openmmlab.internals import resumes
from ..utils.validation import check_arguments
from .acceleration_hook import AccelerationHook
from .fastest_step import OPTIONS, choices, fastest_options, in_words, switch, worth_it


@HOOKS.register_module()
class FastestStepHook(Hook):
    """Times the first training step with and without some options, some seconds in all, and takes those that pay.

    - `bfloat16`, where the config has `BFloat16OptimWrapper`: otherwise training stays in float32.
    - `channels_last`, unless the config has an `AccelerationHook`.
    - `single_pass` of `SiameseEditModel`, unless the config says it; not where batch normalisation takes the statistics
      of the batch (see `NormEvalHook`), since it would be another training.

    What was found is in the log, and in the checkpoints: a run that is resumed takes the same. But for that, which
    options are taken depends on what else the machine does: two runs may differ by rounding. What it comes to can be
    written into the config instead.

    Args:
        options: Those that are tried.

    Attributes:
        taken: The options that pay, once the first step has begun.
        found: How much each gains, for people.

    Raises:
        ValueError: If there is no such option.
        TypeError: In training, if the optimiser's wrapper is no config.
    """

    priority = "VERY_LOW"  # after those that say what is in training mode

    @check_arguments
    def __init__(self, options: Sequence[str] = OPTIONS) -> None:
        if unknown := set(options) - set(OPTIONS):
            raise ValueError(f"options must be of {OPTIONS}, got {sorted(unknown)}")
        self.options = tuple(options)
        self.taken: list[str] | None = None
        self.found = "as the run that is resumed"
        self._switched = False

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Notes what is taken."""
        checkpoint["meta"]["fastest_step"] = self.taken

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Takes what the run took that is resumed."""
        if resumes(runner):
            self.taken = checkpoint["meta"].get("fastest_step")

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Here, since a step needs a batch, and the model as it is trained."""
        if self._switched:
            return
        self._switched = True
        wanted = [name for name in self.options if not _said(runner, name)]
        if self.taken is None:
            optimiser = runner.cfg.get("optim_wrapper")
            if not isinstance(optimiser, Mapping):
                raise TypeError("FastestStepHook needs `optim_wrapper` as a config: each copy has one of its own")
            gains = fastest_options(runner.model, optimiser, data_batch, wanted)
            found: list[Any] = [worth_it(gains)]
            broadcast_object_list(found)
            self.taken = found[0]
            self.found = in_words(gains)
            runner.logger.info(f"A training step here: {self.found}")
        model = unwrapped(runner.model)
        for name in choices(model, runner.optim_wrapper, wanted):
            switch(name, name in self.taken, model, runner.optim_wrapper)


def _said(runner: Runner, name: str) -> bool:
    """Whether the config says itself how an option is to be."""
    if name == "channels_last":
        return any(isinstance(hook, AccelerationHook) for hook in runner.hooks)
    return name == "single_pass" and "single_pass" in runner.cfg.model
