"""GANs that make an image of an image."""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import Tensor

from ..training import SiameseTraining


class GANFamily(SiameseTraining):
    """`SRGAN`, `ESRGAN`, `RealESRGAN`, `DeblurGanV2`: `g_step` gives the generator's losses.

    The discriminator is trained as it is in the stock model: on f(x), not on f(T(x)).
    """

    has_own_loss = False

    def forward_tensor(self, inputs: Tensor, data_samples: Any = None, **kwargs: Any) -> Tensor:
        """The stock prediction."""
        return self._predict_both(partial(super().forward_tensor, data_samples=data_samples, **kwargs), inputs)

    def forward_train(self, inputs: Tensor, data_samples: Any = None, **kwargs: Any) -> Tensor:
        """The stock prediction for training."""
        with self._watching():
            return super().forward_train(inputs, data_samples, **kwargs)

    def g_step(self, batch_outputs: Tensor, batch_gt_data: Any) -> dict[str, Any]:
        """The generator's stock losses and, if it is regularised, `loss_reg`."""
        losses = super().g_step(batch_outputs, batch_gt_data)
        if self.regularizer is None:
            return losses
        # RealESRGAN has a truth each for the pixel loss, the perceptual loss and the discriminator
        target = batch_gt_data if isinstance(batch_gt_data, Tensor) else batch_gt_data[0]
        return {**losses, "loss_reg": self._loss_reg(target)}
