"""Batch normalisation that is in training what it is in use."""

from __future__ import annotations

from collections.abc import Sequence

from mmagic.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.nn.modules.batchnorm import _BatchNorm

from ..models.networks import networks_of
from ..utils.validation import check_arguments


@HOOKS.register_module()
class NormEvalHook(Hook):
    """Fine-tunes with the running averages of batch normalisation, and leaves them as they are (MM* `norm_eval`).

    In training mode batch normalisation takes the statistics of the batch. The network that is regularised is then
    another than the one that is used: f(x) depends on the other images, f(T(x)) is normalised by statistics of
    its own, and what a few small crops do to the running averages stays in the checkpoint. Scale and shift are trained
    as ever. Not for training from scratch, where the averages are of nothing yet.

    Args:
        networks: Attributes of the model. Default: those of `generator`, `generators` and `image_model` that it has.

    Raises:
        ValueError: If the model has none of the networks.
    """

    @check_arguments
    def __init__(self, networks: Sequence[str] | None = None) -> None:
        self.networks = networks

    def before_train(self, runner: Runner) -> None:
        """Finds the layers."""
        found = networks_of(runner.model, self.networks)
        self.layers = [part for net in found for part in net.modules() if isinstance(part, _BatchNorm)]

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Here, since loops put the whole model into training mode at the start of an epoch and after validation."""
        for layer in self.layers:
            layer.eval()
