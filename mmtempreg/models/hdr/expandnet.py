"""ExpandNet: radiance of a whole picture, from local, wider and global context."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from mmagic.models import BaseEditModel
from mmagic.registry import MODELS
from mmagic.structures import DataSample
from mmengine.model import BaseModule
from torch import Tensor, nn

from ...functional import exp_radiance, log_radiance
from ...functional.camera import LOG_EPSILON
from ...transforms import DrawnTransform
from ...utils.validation import check_arguments

GLOBAL_SIZE = 256
"""Edge in pixels of the picture that the global branch sees, whatever the size of the whole."""


def _branch(*layers: nn.Conv2d, last: nn.Module | None = None) -> nn.Sequential:
    """Convolutions with SELU after each, and at the end a layer without."""
    steps = [nn.Sequential(layer, nn.SELU(inplace=True)) for layer in layers]
    return nn.Sequential(*steps, *([last] if last else []))


@MODELS.register_module()
class ExpandNet(BaseModule):
    """Marnerides et al., *ExpandNet: A Deep Convolutional Neural Network for HDR Expansion from LDR Content*, 2018.

    From images (N, 3, H, W) in [0, 1] to linear radiance in (0, 1), relative to a maximum of its own. There is no
    stride in what sees pixels: `local_net` (5x5) and the dilated `mid_net` (17x17). `glob_net` sees the whole picture,
    resized to 256x256, and tells every pixel the same: a crop or a tile is another picture to it. Names and layers are
    those of the published code. Its tools stretch each picture to its own minimum and maximum before and after; this
    does not, since what does so in every frame for itself flickers.

    Args:
        init_cfg: MMEngine's weight initialisation.
    """

    @check_arguments
    def __init__(self, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.local_net = _branch(nn.Conv2d(3, 64, 3, padding=1), nn.Conv2d(64, 128, 3, padding=1))
        dilated = [nn.Conv2d(width, 64, 3, padding=2, dilation=2) for width in (3, 64, 64, 64)]
        self.mid_net = _branch(*dilated[:3], last=dilated[3])
        halving = [nn.Conv2d(width, 64, 3, 2, padding=1) for width in (3, 64, 64, 64, 64, 64)]
        self.glob_net = _branch(*halving, last=nn.Conv2d(64, 64, 4))
        self.end_net = _branch(nn.Conv2d(256, 64, 1), last=nn.Conv2d(64, 3, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) RGB in [0, 1] to (N, 3, H, W) relative radiance in (0, 1)."""
        whole = F.interpolate(x, (GLOBAL_SIZE, GLOBAL_SIZE), mode="bilinear", align_corners=False)
        glob = self.glob_net(whole).expand(-1, -1, *x.shape[-2:])
        return self.end_net(torch.cat([self.local_net(x), self.mid_net(x), glob], dim=1)).sigmoid()


def convert_expandnet(published: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict of `ExpandNet` out of the published one.

    Raises:
        ValueError: If it is of another network; what differs is named.
    """
    expected = ExpandNet().state_dict()
    for name, value in expected.items():
        if name not in published:
            raise ValueError(f"this is no ExpandNet: it has no {name}")
        if published[name].shape != value.shape:
            raise ValueError(f"{name} is {tuple(published[name].shape)}, and {tuple(value.shape)} in ExpandNet")
    if more := sorted(set(published) - set(expected)):
        raise ValueError(f"this is no ExpandNet: {more[0]} and {len(more) - 1} others are too many")
    return {name: published[name].float() for name in expected}


@MODELS.register_module()
class RelativeRadianceModel(BaseEditModel):
    """Predicts linear radiance of all of a picture, on a scale of its own: inverse tone mapping by `ExpandNet`.

    `HDRReconstructionModel` predicts what saturation has taken, and keeps the rest of its input; this keeps nothing, so
    that results must be brought to a common scale before they are compared. Losses are taken in the log domain.

    Args:
        generator: Config of a network from [0, 1] images to linear radiance.
        pixel_loss: Compares log radiance with the truth's, which is relative to its maximum in each image.
        data_preprocessor: Default: `HDRDataPreprocessor`.
        kwargs: Arguments of `BaseEditModel`.
    """

    @check_arguments
    def __init__(
        self,
        generator: dict,
        pixel_loss: dict = dict(type="L1Loss"),
        data_preprocessor: dict = dict(type="HDRDataPreprocessor"),
        **kwargs: Any,
    ) -> None:
        super().__init__(generator, pixel_loss, data_preprocessor=data_preprocessor, **kwargs)

    def forward_tensor(self, inputs: Tensor, data_samples: Any = None, **kwargs: Any) -> Tensor:
        """Log radiance."""
        return log_radiance(super().forward_tensor(inputs, data_samples, **kwargs).float())

    def forward_train(self, inputs: Tensor, data_samples: Any = None, **kwargs: Any) -> dict[str, Tensor]:
        """The reconstruction loss."""
        prediction = self.forward_tensor(inputs, data_samples, **kwargs)
        target, _ = self.regression_target(inputs, data_samples)
        return dict(loss=self.pixel_loss(prediction, target))

    def forward_inference(self, inputs: Tensor, data_samples: Any = None, **kwargs: Any) -> DataSample:
        """Linear radiance, relative."""
        radiance = exp_radiance(self.forward_tensor(inputs, data_samples, **kwargs))
        return DataSample(pred_img=self.data_preprocessor.destruct_radiance(radiance, data_samples).cpu())

    def regression_target(self, inputs: Tensor, data_samples: Any) -> tuple[Tensor, None]:
        """Log radiance, relative to the maximum of each image."""
        truth = data_samples.gt_img
        return log_radiance(truth / truth.amax(dim=(1, 2, 3), keepdim=True).clamp(min=LOG_EPSILON)), None

    def moved_target(self, target: Tensor, transform: DrawnTransform) -> Tensor:
        """T(y): light is moved, and the logarithm taken after."""
        return log_radiance(transform.apply_output(exp_radiance(target)))
