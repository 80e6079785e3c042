"""The paper's two colorization networks: from lightness to the two colour channels at half the resolution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch.nn.functional as F
from annotated_types import Ge
from mmagic.registry import MODELS
from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from torch import Tensor, nn
from torchvision.models import vgg16 as torchvision_vgg16

from ...functional.antialias import TAPS
from ...losses.vgg16 import MEAN, STD, load_vgg16
from ...utils.validation import check_arguments
from ..anti_aliasing import anti_alias

NORM = dict(type="BN", eps=1e-3, momentum=0.01)
"""As in TensorFlow, which the authors used."""

AB_SPREAD = 0.1
"""About the standard deviation of a / 110 and b / 110 in photographs. Batch normalisation starts at 1, from where Adam
takes a thousand steps of 1e-3."""

ACTIVATIONS = (None, "ReLU", "Tanh")


def _conv(in_channels: int, out_channels: int, stride: int = 1, activation: str | None = "ReLU") -> ConvModule:
    act_cfg = dict(type=activation) if activation else None
    return ConvModule(in_channels, out_channels, 3, stride, 1, bias=True, norm_cfg=NORM, act_cfg=act_cfg)


def _upsampled(in_channels: int, widths: Sequence[int], activation: str | None = "ReLU") -> list[nn.Module]:
    """Doubles the resolution (nearest neighbour), then two convolutions; `activation` is the last one's."""
    first, second = widths
    return [nn.Upsample(scale_factor=2), _conv(in_channels, first), _conv(first, second, activation=activation)]


class _Colorizer(BaseModule):
    """Pads to a size that the network divides, and cuts what comes out."""

    stride: int

    def __init__(self, out_activation: str | None, init_cfg: dict | None) -> None:
        super().__init__(init_cfg)
        if out_activation not in ACTIVATIONS:
            raise ValueError(f"out_activation must be one of {ACTIVATIONS}, got {out_activation!r}")

    @property
    def last(self) -> ConvModule:
        """The convolution that predicts a and b."""
        raise NotImplementedError

    def layers(self, x: Tensor) -> Tensor:
        """The network, on sizes that `stride` divides."""
        raise NotImplementedError

    def init_weights(self) -> None:
        """As ConvModule's, and a first guess that is as pale as photographs are."""
        super().init_weights()
        nn.init.constant_(self.last.norm.weight, AB_SPREAD)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, H, W) lightness L / 50 - 1 to (N, 2, ceil(H/2), ceil(W/2)): a / 110 and b / 110."""
        height, width = x.shape[-2:]
        bottom, right = -height % self.stride, -width % self.stride
        padded = F.pad(x, (0, right, 0, bottom), mode="replicate") if bottom or right else x
        return self.layers(padded)[..., : (height + 1) // 2, : (width + 1) // 2]


@MODELS.register_module()
class ColorizationCNN(_Colorizer):
    """Iizuka et al. 2016 at half the width, without the global branch: 1,568,698 variables as the paper counts them.

    13 convolutions of 3x3, each with bias, batch normalisation and ReLU; three halve the resolution, two nearest
    neighbours double it. The same layers as in the code that the authors' evidently is (half its width).

    Args:
        width: Channels of the first layer; 64 is Iizuka's.
        out_activation: After the last batch normalisation: None, 'ReLU' or 'Tanh'. 'ReLU' is that code's, which cannot
            predict green or blue.
        anti_aliased: Low-pass what the strided convolutions sample (`anti_alias`): the same weights, less flicker.
        taps: Of the low-pass: 3, or 5 for more of both.
        init_cfg: MMEngine's weight initialisation.
    """

    stride = 8

    @check_arguments
    def __init__(
        self,
        width: Annotated[int, Ge(2)] = 32,
        *,
        out_activation: str | None = None,
        anti_aliased: bool = False,
        taps: int = TAPS,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(out_activation, init_cfg)
        w = width
        plan = [(1, w, 2), (w, 2 * w, 1), (2 * w, 2 * w, 2), (2 * w, 4 * w, 1), (4 * w, 4 * w, 2), (4 * w, 8 * w, 1)]
        plan += [(8 * w, 8 * w, 1), (8 * w, 4 * w, 1), (4 * w, 2 * w, 1)]
        down = [_conv(*widths) for widths in plan]
        up = _upsampled(2 * w, (w, w)) + _upsampled(w, (w // 2, 2), out_activation)
        self.body = nn.Sequential(*down, *up)
        if anti_aliased:
            anti_alias(self, taps)

    @property
    def last(self) -> ConvModule:
        return self.body[-1]

    def layers(self, x: Tensor) -> Tensor:
        return self.body(x)


@MODELS.register_module()
class ColorizationVGG(_Colorizer):
    """VGG16's convolutions and a decoder: 19,422,634 variables as the paper counts them.

    A convolution at 1/32 of the resolution, then four times nearest neighbour and two convolutions, with bias, batch
    normalisation and ReLU; the encoder has none of the normalisation, and starts from weights of VGG16.

    Args:
        vgg16: File with torchvision's weights of VGG16, trained on ImageNet or (in these names) on Places. None: the
            encoder is initialised at random.
        out_activation, anti_aliased, taps: As in `ColorizationCNN`; here it is the max-pooling that samples.
        init_cfg: MMEngine's weight initialisation.

    Raises:
        FileNotFoundError, ValueError: If `vgg16` is not there, or does not hold these weights.
    """

    stride = 32

    @check_arguments
    def __init__(
        self,
        vgg16: str | None = None,
        *,
        out_activation: str | None = None,
        anti_aliased: bool = False,
        taps: int = TAPS,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(out_activation, init_cfg)
        self.encoder = torchvision_vgg16(weights=None).features
        self.vgg16 = vgg16
        widths = [(256, 256), (128, 128), (64, 64), (32, 2)]
        decoder: list[nn.Module] = [_conv(512, 512)]
        for below, pair in zip((512, 256, 128, 64), widths):
            decoder += _upsampled(below, pair, out_activation if pair is widths[-1] else "ReLU")
        self.decoder = nn.Sequential(*decoder)
        if anti_aliased:
            anti_alias(self, taps)

    @property
    def last(self) -> ConvModule:
        return self.decoder[-1]

    def init_weights(self) -> None:
        """The decoder at random, the encoder from the file."""
        super().init_weights()
        if self.vgg16 is not None:
            self.encoder.load_state_dict(load_vgg16(self.vgg16))

    def layers(self, x: Tensor) -> Tensor:
        mean, std = (x.new_tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
        grey = (x + 1) / 2  # lightness is close to the grey of a display value
        return self.decoder(self.encoder((grey - mean) / std))
