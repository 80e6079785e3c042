"""Refuses the checkpoint of another network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmagic.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn

from ..models.anti_aliasing import restore_strides
from ..models.networks import unwrapped
from ..openmmlab.checkpoints import (
    anti_aliasing_in,
    check_finite,
    fitted,
    misfits,
    warn_of_other_strides,
    weights_of,
    with_metadata_of,
)
from ..openmmlab.internals import checkpoint_of, trains
from ..utils.validation import check_arguments


@HOOKS.register_module()
class StrictLoadHook(Hook):
    """Raises if a checkpoint does not fit the model.

    MMEngine loads what fits and goes on with random weights where nothing does; a warning scrolls by, and
    hours later the result is worthless.

    Args:
        parts: Attributes of the model that must be in the checkpoint, such as `['generator']` where the rest is another
            network's (a discriminator, a perceptual loss) and may be missing. None: all of the model.
    """

    @check_arguments
    def __init__(self, parts: Sequence[str] | None = None) -> None:
        self.parts = parts

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Compares names and shapes before the weights are loaded.

        Where a beginning is all that names differ by (`module.`, `generator.`), the checkpoint gets the model's.

        Of a checkpoint that was trained with anti-aliased strides the model gets these for a test. For a training it
        stays as the config says, with a warning if that is otherwise.

        Raises:
            ValueError: If a weight is missing in the checkpoint, has another shape or is NaN, or the model has no such
                parts.
        """
        model = unwrapped(runner.model)
        source = checkpoint_of(runner) or "the checkpoint to resume from"
        self.check(model, checkpoint, source)
        if not trains(runner) and anti_aliasing_in(model) is None:
            restore_strides(model, checkpoint)
        warn_of_other_strides(checkpoint, model, source)

    def check(self, model: nn.Module, checkpoint: dict[str, Any], source: str) -> None:
        """Compares a checkpoint with a model.

        Raises:
            ValueError: As `after_load_checkpoint`.
        """
        weights = weights_of(checkpoint, source)
        expected = {
            name: value
            for name, value in model.state_dict().items()
            if self.parts is None or name.split(".")[0] in self.parts
        }
        if self.parts is not None and not expected:
            raise ValueError(
                f"{type(model).__name__} has none of the parts {list(self.parts)} that StrictLoadHook checks"
            )
        weights = fitted(weights, expected, source)
        if set(weights) != set(checkpoint.get("state_dict", checkpoint)):  # where MMEngine looks for them
            checkpoint["state_dict"] = with_metadata_of(checkpoint, weights)
        if faults := misfits(weights, expected):
            raise ValueError(f"{source} is of another network than {type(model).__name__}: {faults}")
        check_finite({name: weights[name] for name in expected}, source)
