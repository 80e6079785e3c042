"""Refuses the checkpoint of another network."""

from __future__ import annotations

from mmagic.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from ..internals import checkpoint_of


@HOOKS.register_module()
class StrictLoadHook(Hook):
    """Raises if a checkpoint does not fit the model.

    MMEngine loads what fits and goes on with random weights where nothing does; a warning scrolls by, and
    hours later the result is worthless.
    """

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Compares names and shapes before the weights are loaded.

        Raises:
            ValueError: If a weight of the model is missing in the checkpoint, or has another shape.
        """
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        weights = checkpoint.get("state_dict", checkpoint)
        weights = {name.removeprefix("module."): value for name, value in weights.items()}
        expected = model.state_dict()
        missing = [name for name in expected if name not in weights]
        other = [
            f"{name} {tuple(weights[name].shape)}, expected {tuple(value.shape)}"
            for name, value in expected.items()
            if name in weights and weights[name].shape != value.shape
        ]
        if missing or other:
            source = checkpoint_of(runner) or "the checkpoint to resume from"
            faults = [f"{len(missing)} of {len(expected)} weights are missing, such as {missing[:3]}"] * bool(missing)
            faults += [f"{len(other)} have another shape, such as {other[:3]}"] * bool(other)
            raise ValueError(f"{source} is of another network than {type(model).__name__}: {'; '.join(faults)}")
