"""Translation between two domains of images, trained on pairs."""

from __future__ import annotations

from functools import partial
from typing import Any

from mmengine.dist import all_reduce, get_world_size
from torch import Tensor

from ....openmmlab.internals import default_domain
from ..training import SiameseTraining, as_channel_order


class TranslationFamily(SiameseTraining):
    """`Pix2Pix`: `_get_gen_loss` gives the generator's loss.

    Two faults of the stock model are mended, since nothing could be trained otherwise: its initialisation, and that it
    calls its networks past `DistributedDataParallel`, so that each process would train a network of its own.
    """

    teachable = True
    has_own_loss = False
    networks = ("generators",)

    def prepare(self, config: dict) -> None:
        """Lets gradients be averaged over the ranks."""
        self._average_gradients()

    def __setstate__(self, state: dict) -> None:
        super().__setstate__(state)
        self._average_gradients()  # neither a copy's parameters nor a pickle's keep their hooks

    def _average_gradients(self) -> None:
        for parameter in self.parameters():
            if parameter.requires_grad:  # those of an averaged model are not trained
                parameter.register_hook(_mean_over_ranks)

    @staticmethod
    def predict_rgb(model: Any, frames: Tensor, channel_order: str) -> Tensor:
        """As `SiameseTraining.predict_rgb`; the network takes and gives [-1, 1]."""
        inputs = as_channel_order(frames, channel_order) * 2 - 1
        out = model.translation(inputs, target_domain=default_domain(model))
        return (as_channel_order(out, channel_order).float() / 2 + 0.5).clamp(0, 1)

    def init_weights(self) -> None:
        """The networks' own initialisation; the stock method fails (UnboundLocalError, MMagic issue 2109)."""
        for networks in (self.generators, self.discriminators):
            for network in self.get_module(networks).values():
                network.init_weights()

    def translation(self, image: Tensor, target_domain: str | None = None, **kwargs: Any) -> Tensor:
        """The stock prediction."""
        return self.predict_both(partial(super().translation, target_domain=target_domain, **kwargs), image)

    def forward_train(self, img: Tensor, target_domain: str, **kwargs: Any) -> dict[str, Tensor]:
        """The stock prediction for training."""
        if self.teacher:
            self.teach(lambda teacher, x, _: teacher.translation(x, target_domain, **kwargs), img)
        with self.training_step():
            return super().forward_train(img, target_domain, **kwargs)

    def _get_disc_loss(self, outputs: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        return super()._get_disc_loss(self._with_target(outputs))

    def _with_target(self, outputs: dict[str, Tensor]) -> dict[str, Tensor]:
        return outputs if self.step.target is None else {**outputs, f"real_{default_domain(self)}": self.step.target}

    def _get_gen_loss(self, outputs: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        outputs = self._with_target(outputs)
        loss, log_vars = super()._get_gen_loss(outputs)
        if self.regularizer is None:
            return loss, log_vars
        return self.weigh(loss, log_vars, self.loss_reg(outputs[f"real_{default_domain(self)}"]))


def _mean_over_ranks(gradient: Tensor) -> Tensor:
    if get_world_size() == 1:
        return gradient
    gradient = gradient / get_world_size()
    all_reduce(gradient)
    return gradient
