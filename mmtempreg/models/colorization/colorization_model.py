"""Automatic colorization as an MMagic model."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from mmagic.models import BaseEditModel
from mmagic.registry import MODELS
from mmagic.structures import DataSample
from torch import Tensor

from ...functional import lab_to_rgb, rgb_to_lab
from ...functional.color import AB_SCALE
from ...utils.validation import check_arguments

RESOLUTIONS = ("half", "full")


@MODELS.register_module()
class ColorizationModel(BaseEditModel):
    """Gives a frame its colours from its lightness, in CIE Lab (D65).

    RGB frames come in, of which only the lightness counts: the generator sees L / 50 - 1 and predicts a / 110 and
    b / 110 at half the resolution. The result joins them, enlarged (bilinear), with the frame's own L.

    With `SiameseEditModel` T moves the RGB image, the network sees the lightness of T(x), and T moves the prediction
    as it is.

    Args:
        generator: Config of a network from lightness to half-size a and b, such as `ColorizationCNN`.
        pixel_loss: Reconstruction loss of a / 110 and b / 110.
        loss_resolution: 'half': the truth is reduced to the prediction's size, as the authors do; 'full': the
            prediction is enlarged to the truth's.
        data_preprocessor: Must give RGB in [0, 1], which is the default.
        kwargs: Arguments of `BaseEditModel`.

    Raises:
        ValueError: If `loss_resolution` is unknown.
    """

    @check_arguments
    def __init__(
        self,
        generator: dict,
        *,
        pixel_loss: dict = dict(type="MSELoss"),
        loss_resolution: str = "half",
        data_preprocessor: dict = dict(
            type="DataPreprocessor", mean=[0.0] * 3, std=[255.0] * 3, output_channel_order="RGB"
        ),
        **kwargs: Any,
    ) -> None:
        if loss_resolution not in RESOLUTIONS:
            raise ValueError(f"loss_resolution must be one of {RESOLUTIONS}, got {loss_resolution!r}")
        super().__init__(generator, pixel_loss, data_preprocessor=data_preprocessor, **kwargs)
        self.loss_resolution = loss_resolution

    def forward_tensor(self, inputs: Tensor, data_samples: Any = None, **kwargs: Any) -> Tensor:
        """(N, 3, H, W) RGB in [0, 1] to (N, 2, h, w): a / 110 and b / 110 at the loss's resolution."""
        ab = super().forward_tensor(rgb_to_lab(inputs)[:, :1] / 50 - 1, data_samples, **kwargs)
        return _resize(ab, inputs) if self.loss_resolution == "full" else ab

    def forward_train(self, inputs: Tensor, data_samples: Any = None, **kwargs: Any) -> dict[str, Tensor]:
        """The reconstruction loss of the two colour channels."""
        prediction = self.forward_tensor(inputs, data_samples, **kwargs)
        target, _ = self.regression_target(inputs, data_samples)
        return dict(loss=self.pixel_loss(prediction.float(), target))

    def forward_inference(self, inputs: Tensor, data_samples: Any = None, **kwargs: Any) -> DataSample:
        """The coloured frame, `pred_img`, and its `pred_ab`: a / 110 and b / 110 before they are clipped to RGB."""
        ab = _resize(self.forward_tensor(inputs, data_samples, **kwargs).float(), inputs)
        lab = torch.cat([rgb_to_lab(inputs)[:, :1], ab * AB_SCALE], dim=1)
        image = self.data_preprocessor.destruct(lab_to_rgb(lab).clamp(0, 1), data_samples)
        return DataSample(pred_img=image.cpu(), pred_ab=ab.cpu())

    def regression_target(self, inputs: Tensor, data_samples: Any) -> tuple[Tensor, None]:
        """a / 110 and b / 110 of the truth, at the loss's resolution; all pixels count alike."""
        ab = rgb_to_lab(data_samples.gt_img)[:, 1:] / AB_SCALE
        if self.loss_resolution == "half":
            height, width = ab.shape[-2:]
            ab = F.interpolate(ab, size=((height + 1) // 2, (width + 1) // 2), mode="bilinear", align_corners=False)
        return ab, None


def _resize(ab: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(ab, size=like.shape[-2:], mode="bilinear", align_corners=False)
