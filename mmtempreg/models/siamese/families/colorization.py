"""Colorization of whole images."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from mmagic.models.editors.inst_colorization.color_utils import lab2rgb, rgb2lab
from mmagic.registry import MODELS
from mmagic.structures import DataSample
from mmengine.model import BaseModel
from torch import Tensor

from ....openmmlab.configs import type_name
from ....transforms import ImageRange
from ..training import SiameseTraining


class ColorizationFamily(SiameseTraining):
    """`InstColorization`, which MMagic cannot train: trains its `image_model` on whole images without hints.

    Lightness goes in, the two colour channels come out, as in the stock model's inference when it is given no
    hint. The loss is the one that the stock config names and never uses, on the colour channels.

    The networks for single objects keep their weights. `image_model` is trained as a regression: its
    classification branch, of which no prediction depends, is left alone (MMagic's default would detach the
    regression from the trunk).
    """

    teachable = True
    networks = ("image_model",)

    def prepare(self, config: dict) -> None:
        """Builds the loss, and freezes what is not trained."""
        loss = dict(config.get("loss") or dict(type="HuberLoss", delta=0.01))
        if type_name(loss) == "HuberLoss":  # of InstColorization's authors: Smooth L1
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
        """The loss on the colour channels and, if it is regularised, `loss_reg`. `inputs` are (N, 3, H, W) RGB images.

        MMagic converts RGB in [0, 1] to Lab, while its config normalises to [-1, 1]; only its inferencer, which goes
        round the data preprocessor, is right. Here the range is taken from the data preprocessor.
        """
        option, image_range = self.color_data_opt, self._image_range()
        lab = rgb2lab((inputs - image_range.low) / (image_range.high - image_range.low), option)
        lightness, colour = lab[:, :1], lab[:, 1:]
        if self.teacher:
            colour = self.teach(lambda teacher, x, _: colorize(teacher, x), lightness, data_samples)
        black, white = ((level - option["l_cent"]) / option["l_norm"] for level in (0.0, 100.0))
        with self.training_step():
            prediction = self.predict_both(partial(colorize, self), lightness, ImageRange(black, white))
        losses = dict(loss=self._pixel_loss(prediction, colour))
        return losses if self.regularizer is None else {**losses, "loss_reg": self.loss_reg(colour)}

    def forward_tensor(self, inputs: Tensor, data_samples: Any = None, **kwargs: Any) -> Tensor:
        """RGB in [0, 1] from RGB in [0, 1], (N, 3, H, W): the stock model's, which needs a GPU even for that."""
        boxes = getattr(data_samples, "empty_box", None)
        if boxes is not None and not boxes[0]:
            return super().forward_tensor(inputs, data_samples, **kwargs)
        return self.predict_rgb(self, inputs, "RGB")

    @staticmethod
    def predict_rgb(model: Any, frames: Tensor, channel_order: str) -> Tensor:
        """As `SiameseTraining.predict_rgb`; the network takes RGB, whatever the pipeline loads."""
        lightness = rgb2lab(frames, model.color_data_opt)[:, :1]
        lab = torch.cat([lightness, colorize(model, lightness)], dim=1)
        return lab2rgb(lab, model.color_data_opt).clamp(0.0, 1.0)

    def forward_inference(self, inputs: Tensor, data_samples: Any = None, **kwargs: Any) -> list[DataSample]:
        """The coloured images; of a stacked batch too, which the stock model has no way with."""
        images = self.data_preprocessor.destruct(self.forward_tensor(inputs, data_samples, **kwargs), data_samples)
        return [DataSample(pred_img=image.cpu()) for image in images]

    def convert_to_datasample(self, inputs: Any, data_samples: list[DataSample]) -> list[DataSample]:
        """Adds the predictions to the samples of the batch, here named `data_samples` and `inputs` as in MMagic."""
        return super().convert_to_datasample(inputs.split() if isinstance(inputs, DataSample) else inputs, data_samples)


def colorize(model: Any, lightness: Tensor) -> Tensor:
    """The two colour channels (N, 2, H, W) that an `InstColorization` gives (N, 1, H, W) lightness without a hint."""
    no_colour = lightness.new_zeros(len(lightness), 2, *lightness.shape[-2:])
    no_hint = torch.full_like(lightness, -model.color_data_opt["mask_cent"])
    return model.image_model(lightness, no_colour, no_hint)[1]
