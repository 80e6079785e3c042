"""Single-exposure HDR reconstruction as an MMagic model."""

from __future__ import annotations

from typing import Any

import torch
from mmagic.models import BaseEditModel, DataPreprocessor
from mmagic.registry import MODELS
from mmagic.structures import DataSample
from torch import Tensor

from ...functional import exp_radiance, inverse_camera_curve, log_radiance, saturation_mask
from ...transforms import DrawnTransform
from ...utils.validation import Positive, SomeShare, check_arguments


@MODELS.register_module()
class HDRDataPreprocessor(DataPreprocessor):
    """MMagic's preprocessor for pairs of an 8-bit image and linear radiance.

    The image goes from [0, 255] to [0, 1]; radiance (`gt_img`, 1 where the sensor saturates) keeps its scale.
    Both are handed to the model in RGB.

    Args:
        mean, std, output_channel_order: As in `DataPreprocessor`, with fitting defaults.
    """

    def __init__(self, mean: Any = 0.0, std: Any = 255.0, output_channel_order: str = "RGB", **kwargs: Any) -> None:
        super().__init__(mean, std, output_channel_order=output_channel_order, **kwargs)

    def forward(self, data: dict, training: bool = False) -> dict:
        """MMagic's; a batch of `InMemoryDataset`, which is stacked already, is brought to [0, 1] and no more."""
        if not isinstance(data["inputs"], (list, tuple)) or data["inputs"][0].ndim != 4:
            return super().forward(data, training)
        data = self.cast_data(data)
        (inputs,), (samples,) = data["inputs"], data["data_samples"]
        return dict(inputs=(inputs - self.mean) / self.std, data_samples=samples)

    def _do_norm(self, inputs: Tensor, do_norm: bool | None = None) -> Tensor:
        # MMagic says explicitly whether to normalise for fields of data samples only: those are radiance here, but for
        # photographs, which have 8 bits.
        radiance = do_norm is not None and inputs.dtype != torch.uint8
        return super()._do_norm(inputs, do_norm=False if radiance else do_norm)

    def destruct_radiance(self, radiance: Tensor, data_samples: Any) -> Tensor:
        """Cuts the padding and gives BGR, MMagic's order of results; linear scale and range stay."""
        order = self._parse_channel_order("img_output", radiance, data_samples)
        radiance, _ = self._do_conversion(radiance, order, "BGR")
        return self._destruct_padding(radiance, data_samples)


@MODELS.register_module()
class HDRReconstructionModel(BaseEditModel):
    """Recovers what a single exposure has lost to saturation (Eilertsen et al. 2017).

    The generator predicts log radiance; losses are taken in the log domain, inside the saturation mask of the
    *ground truth*. The result keeps the input where it is not saturated:

        H = (1 - m) g(x) + m (exp(f(x)) - eps),   m = saturation_mask(x),  g the inverse camera curve.

    Args:
        generator: Config of a network from [0, 1] images to log radiance, such as `HDRCNN`.
        pixel_loss: Reconstruction loss, called with (prediction, target, weight). Default: `MaskedLoss`,
            mean[((f(x) - y) m)^2]. `IlluminationReflectanceLoss` is the authors' other choice.
        camera_n: Exponent of the camera curve that linearises the input (`functional.camera_curve`).
        camera_s: Its shoulder. The defaults are the authors' mean camera; n=0.5, s=1e6 is their plain gamma 2.
        threshold: Display value at which saturation begins.
        data_preprocessor: Default: `HDRDataPreprocessor`.
        kwargs: Arguments of `BaseEditModel`.
    """

    @check_arguments
    def __init__(
        self,
        generator: dict,
        *,
        pixel_loss: dict = dict(type="MaskedLoss"),
        camera_n: Positive = 0.9,
        camera_s: Positive = 0.6,
        threshold: SomeShare = 0.95,
        data_preprocessor: dict = dict(type="HDRDataPreprocessor"),
        **kwargs: Any,
    ) -> None:
        super().__init__(generator, pixel_loss, data_preprocessor=data_preprocessor, **kwargs)
        self.camera_n = camera_n
        self.camera_s = camera_s
        self.threshold = threshold

    def forward_train(self, inputs: Tensor, data_samples: Any = None, **kwargs: Any) -> dict[str, Tensor]:
        """The reconstruction loss inside the saturation mask."""
        prediction = self.forward_tensor(inputs, data_samples, **kwargs)
        target, weight = self.regression_target(inputs, data_samples)
        return dict(loss=self.pixel_loss(prediction.float(), target, weight))

    def forward_inference(self, inputs: Tensor, data_samples: Any = None, **kwargs: Any) -> DataSample:
        """Linear radiance, blended with the linearised input."""
        prediction = self.forward_tensor(inputs, data_samples, **kwargs)
        radiance = self.data_preprocessor.destruct_radiance(self.blend(inputs, prediction), data_samples)
        return DataSample(pred_img=radiance.cpu())

    def blend(self, inputs: Tensor, prediction: Tensor) -> Tensor:
        """(N, 3, H, W) input in [0, 1] and log radiance to linear radiance."""
        mask = saturation_mask(inputs, self.threshold)
        linear = inverse_camera_curve(inputs.clamp(0, 1), self.camera_n, self.camera_s)
        return torch.lerp(linear, exp_radiance(prediction.float()), mask)

    def regression_target(self, inputs: Tensor, data_samples: Any) -> tuple[Tensor, Tensor]:
        """Log radiance of the truth, and its saturation mask (N, 1, H, W)."""
        truth = data_samples.gt_img
        return log_radiance(truth), saturation_mask(truth, self.threshold)

    def moved_target(self, target: Tensor, transform: DrawnTransform) -> Tensor:
        """T(y): light is moved, and the logarithm taken after, as in the authors' code."""
        return log_radiance(transform.apply_output(exp_radiance(target)))
