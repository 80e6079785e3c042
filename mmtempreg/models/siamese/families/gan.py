"""GANs that make an image of an image."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

from mmagic.structures import DataSample
from mmengine.logging import print_log
from torch import Tensor

from ..training import SiameseTraining


class GANFamily(SiameseTraining):
    """`SRGAN`, `ESRGAN`, `RealESRGAN`, `DeblurGanV2`: `g_step` gives the generator's losses.

    The discriminator is trained as it is in the stock model: on f(x), not on f(T(x)).
    """

    teachable = takes_given = True
    has_own_loss = False
    for_training = ("discriminator", "gan_loss", "disc_loss", "perceptual_loss")

    def check(self) -> None:
        """Warns of a GAN's generator that is fine-tuned with a pixel loss against the truth, and nothing else."""
        look = any(getattr(self, name, None) for name in ("gan_loss", "disc_loss", "perceptual_loss"))
        if not (look or self.teacher):
            print_log(
                f"{self.stock_class.__name__} has neither an adversarial nor a perceptual loss: fine-tuned with a "
                "pixel loss against the truth alone, its generator becomes a blur. target='teacher' keeps its look.",
                "current",
                logging.WARNING,
            )

    def forward_tensor(self, inputs: Tensor, data_samples: Any = None, **kwargs: Any) -> Tensor:
        """The stock prediction."""
        return self.predict_both(partial(super().forward_tensor, data_samples=data_samples, **kwargs), inputs)

    def forward_train(self, inputs: Tensor, data_samples: Any = None, **kwargs: Any) -> Tensor:
        """The stock prediction for training."""
        if self.teacher:
            taught = self.teach(
                lambda teacher, x, samples: teacher.forward_train(x, samples, **kwargs), inputs, data_samples
            )
            # `gt_unsharp`: RealESRGAN's sharpened truth, in [0, 255]
            self.step.target = super().extract_gt_data(DataSample(gt_img=taught, gt_unsharp=255 * taught))
        with self.training_step(data_samples):
            return super().forward_train(inputs, data_samples, **kwargs)

    def extract_gt_data(self, data_samples: Any) -> Any:
        """The stock model's truth; with a teacher None, since it has not predicted yet."""
        return None if self.teacher else super().extract_gt_data(data_samples)

    def g_step_with_optim(self, batch_outputs: Tensor, batch_gt_data: Any, optim_wrapper: Any) -> dict[str, Any]:
        """The generator's stock step, with the teacher's prediction for the truth if there is one."""
        return super().g_step_with_optim(batch_outputs, self._truth_or_target(batch_gt_data), optim_wrapper)

    def d_step_with_optim(self, batch_outputs: Tensor, batch_gt_data: Any, optim_wrapper: Any) -> dict[str, Any]:
        """The discriminator's stock step, which learns the teacher's look if there is one."""
        return super().d_step_with_optim(batch_outputs, self._truth_or_target(batch_gt_data), optim_wrapper)

    def _truth_or_target(self, truth: Any) -> Any:
        return truth if self.step.target is None else self.step.target

    def g_step(self, batch_outputs: Tensor, batch_gt_data: Any) -> dict[str, Any]:
        """The generator's stock losses and, if it is regularised, `loss_reg`."""
        losses = super().g_step(batch_outputs, batch_gt_data)
        if self.regularizer is None:
            return losses
        # RealESRGAN has a truth each for the pixel loss, the perceptual loss and the discriminator
        target = batch_gt_data if isinstance(batch_gt_data, Tensor) else batch_gt_data[0]
        return {**losses, "loss_reg": self.loss_reg(target)}
