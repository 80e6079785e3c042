"""The families of stock models: where in its training step each makes its prediction and adds up its losses.

Each family is a mixin that stands before the stock class. It calls the stock methods and repeats none of them.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from mmagic.models.editors.inst_colorization.color_utils import lab2rgb, rgb2lab
from mmagic.registry import MODELS
from mmagic.structures import DataSample
from mmengine.dist import all_reduce, get_world_size
from mmengine.model import BaseModel
from torch import Tensor

from ...transforms import ImageRange
from .training import SiameseTraining


class EditFamily(SiameseTraining):
    """`BaseEditModel`: `forward_train` predicts and gives the losses.

    A model may tell about its task (a stock model needs neither):

    - `regression_target(inputs, data_samples) -> (target, weight or None)`: the truth in the domain of the
      prediction, and how much each value counts. Default: `data_samples.gt_img`, all 1.
    - `moved_target(target, transform) -> Tensor`: T(y), if it is not T applied to `target`.
    """

    def forward_tensor(self, inputs: Tensor, data_samples: Any = None, **kwargs: Any) -> Tensor:
        """The stock prediction."""
        return self._predict_both(partial(super().forward_tensor, data_samples=data_samples, **kwargs), inputs)

    def forward_train(self, inputs: Tensor, data_samples: Any = None, **kwargs: Any) -> dict[str, Any]:
        """The stock losses and, with a plan, `loss_reg`."""
        with self._watching():
            losses = super().forward_train(inputs, data_samples, **kwargs)
        if self._plan is None:
            return losses
        if hasattr(self, "regression_target"):
            target, weight = self.regression_target(inputs, data_samples)
        else:
            target, weight = data_samples.gt_img, None
        return {**losses, "loss_reg": self._loss_reg(target, weight)}


class GANFamily(SiameseTraining):
    """`SRGAN`, `ESRGAN`, `RealESRGAN`, `DeblurGanV2`: `g_step` gives the generator's losses.

    The discriminator is trained as it is in the stock model: on f(x), not on f(T(x)).
    """

    def forward_tensor(self, inputs: Tensor, data_samples: Any = None, **kwargs: Any) -> Tensor:
        """The stock prediction."""
        return self._predict_both(partial(super().forward_tensor, data_samples=data_samples, **kwargs), inputs)

    def forward_train(self, inputs: Tensor, data_samples: Any = None, **kwargs: Any) -> Tensor:
        """The stock prediction for training."""
        with self._watching():
            return super().forward_train(inputs, data_samples, **kwargs)

    def g_step(self, batch_outputs: Tensor, batch_gt_data: Any) -> dict[str, Any]:
        """The generator's stock losses and, with a plan, `loss_reg`."""
        losses = super().g_step(batch_outputs, batch_gt_data)
        if self._plan is None:
            return losses
        # RealESRGAN has a truth each for the pixel loss, the perceptual loss and the discriminator
        target = batch_gt_data if isinstance(batch_gt_data, Tensor) else batch_gt_data[0]
        return {**losses, "loss_reg": self._loss_reg(target)}


class TranslationFamily(SiameseTraining):
    """`Pix2Pix`: `_get_gen_loss` gives the generator's loss.

    Two faults of the stock model are mended, since nothing could be trained otherwise: its initialisation, and that it
    calls its networks past `DistributedDataParallel`, so that each process would train a network of its own.
    """

    def _adopt(self, config: dict) -> None:
        """Called once, with the config of the stock model."""
        for parameter in self.parameters():
            parameter.register_hook(_mean_over_ranks)

    def init_weights(self) -> None:
        """The networks' own initialisation; the stock method fails (UnboundLocalError, MMagic issue 2109)."""
        for networks in (self.generators, self.discriminators):
            for network in self.get_module(networks).values():
                network.init_weights()

    def translation(self, image: Tensor, target_domain: str | None = None, **kwargs: Any) -> Tensor:
        """The stock prediction."""
        return self._predict_both(partial(super().translation, target_domain=target_domain, **kwargs), image)

    def forward_train(self, img: Tensor, target_domain: str, **kwargs: Any) -> dict[str, Tensor]:
        """The stock prediction for training."""
        with self._watching():
            return super().forward_train(img, target_domain, **kwargs)

    def _get_gen_loss(self, outputs: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        loss, log_vars = super()._get_gen_loss(outputs)
        if self._plan is None:
            return loss, log_vars
        return self._weigh(loss, log_vars, self._loss_reg(outputs[f"real_{self._default_domain}"]))


def _mean_over_ranks(gradient: Tensor) -> Tensor:
    if get_world_size() == 1:
        return gradient
    gradient = gradient / get_world_size()
    all_reduce(gradient)
    return gradient


class ColorizationFamily(SiameseTraining):
    """`InstColorization`, which MMagic cannot train: trains its `image_model` on whole images without hints.

    Lightness goes in, the two colour channels come out, as in the stock model's inference when it is given no
    hint. The loss is the one that the stock config names and never uses, on the colour channels.

    The networks for single objects keep their weights. `image_model` is trained as a regression: its
    classification branch, of which no prediction depends, is left alone (MMagic's default would detach the
    regression from the trunk).
    """

    def _adopt(self, config: dict) -> None:
        """Called once, with the config of the stock model."""
        loss = dict(config.get("loss") or dict(type="HuberLoss", delta=0.01))
        if loss["type"] == "HuberLoss":  # of InstColorization's authors: Smooth L1
            self._pixel_loss: Any = torch.nn.SmoothL1Loss(beta=loss["delta"])
        else:
            self._pixel_loss = MODELS.build(loss)
        self.image_model.classification = False
        for part in (self.instance_model, self.fusion_model, self.image_model.model_class):
            part.requires_grad_(False)

    def train_step(self, data: Any, optim_wrapper: Any) -> dict[str, Tensor]:
        """MMEngine's training step: the stock one only raises."""
        return BaseModel.train_step(self, data, optim_wrapper)

    def forward_train(self, inputs: Tensor, data_samples: Any = None, **kwargs: Any) -> dict[str, Any]:
        """The loss on the colour channels and, with a plan, `loss_reg`. `inputs` are (N, 3, H, W) RGB images.

        MMagic converts RGB in [0, 1] to Lab, while its config normalises to [-1, 1]; only its inferencer, which goes
        round the data preprocessor, is right. Here the range is taken from the data preprocessor.
        """
        option, image_range = self.color_data_opt, self._image_range()
        lab = rgb2lab((inputs - image_range.low) / (image_range.high - image_range.low), option)
        lightness, colour = lab[:, :1], lab[:, 1:]
        black, white = ((level - option["l_cent"]) / option["l_norm"] for level in (0.0, 100.0))
        with self._watching():
            prediction = self._predict_both(self._colorize, lightness, ImageRange(black, white))
        losses = dict(loss=self._pixel_loss(prediction, colour))
        return losses if self._plan is None else {**losses, "loss_reg": self._loss_reg(colour)}

    def forward_tensor(self, inputs: Tensor, data_samples: Any = None, **kwargs: Any) -> Tensor:
        """RGB in [0, 1] from RGB in [0, 1], (N, 3, H, W): the stock model's, which needs a GPU even for that."""
        boxes = getattr(data_samples, "empty_box", None)
        if boxes is not None and not boxes[0]:
            return super().forward_tensor(inputs, data_samples, **kwargs)
        lightness = rgb2lab(inputs, self.color_data_opt)[:, :1]
        lab = torch.cat([lightness, self._colorize(lightness)], dim=1)
        return lab2rgb(lab, self.color_data_opt).clamp(0.0, 1.0)

    def forward_inference(self, inputs: Tensor, data_samples: Any = None, **kwargs: Any) -> list[DataSample]:
        """The coloured images; of a stacked batch too, which the stock model has no way with."""
        images = self.data_preprocessor.destruct(self.forward_tensor(inputs, data_samples, **kwargs), data_samples)
        return [DataSample(pred_img=image.cpu()) for image in images]

    def convert_to_datasample(self, inputs: Any, data_samples: list[DataSample]) -> list[DataSample]:
        """Adds the predictions to the samples of the batch, here named `data_samples` and `inputs` as in MMagic."""
        return super().convert_to_datasample(inputs.split() if isinstance(inputs, DataSample) else inputs, data_samples)

    def _colorize(self, lightness: Tensor) -> Tensor:
        no_colour = lightness.new_zeros(len(lightness), 2, *lightness.shape[-2:])
        no_hint = torch.full_like(lightness, -self.color_data_opt["mask_cent"])
        return self.image_model(lightness, no_colour, no_hint)[1]
