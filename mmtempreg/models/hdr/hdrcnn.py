"""The autoencoder with skip connections of Eilertsen et al. 2017, in any width."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmagic.registry import MODELS
from mmcv.cnn import ConvModule, build_norm_layer
from mmengine.model import BaseModule
from torch import Tensor, nn

from ...functional.antialias import TAPS
from ...functional.camera import LOG_EPSILON
from ...losses.vgg16 import MEAN, STD, load_vgg16
from ...utils.validation import Positive, Whole, check_arguments
from ..anti_aliasing import anti_alias

VGG_MEAN = (123.68, 116.779, 103.939)
"""Mean of R, G and B in [0, 255], as the authors take it out."""


class _Up(nn.Module):
    """Doubles the resolution by transposed convolution, then fuses in the encoder's feature by concatenation."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        skip_channels: int,
        deconv_kernel: int,
        fusion_kernel: int,
        norm_cfg: dict,
        fusion_norm_cfg: dict | None,
        log_skip: bool,
    ) -> None:
        super().__init__()
        padding, extra = (deconv_kernel - 1) // 2, deconv_kernel % 2
        self.deconv = nn.ConvTranspose2d(in_channels, out_channels, deconv_kernel, 2, padding, extra)
        self.norm = build_norm_layer(norm_cfg, out_channels)[1]
        self.fusion = ConvModule(
            out_channels + skip_channels,
            out_channels,
            fusion_kernel,
            padding=fusion_kernel // 2,
            bias=True,
            norm_cfg=fusion_norm_cfg,
            act_cfg=dict(type="ReLU") if fusion_norm_cfg else None,
        )
        self.log_skip = log_skip

    def init_weights(self) -> None:
        """Transposed convolution starts as bilinear interpolation of randomly mixed channels.

        With independent weights, outputs that more taps reach than their neighbours stand out as a checkerboard
        (Odena et al., Deconvolution and Checkerboard Artifacts, 2016), which training does not take away where nothing
        tells what is right: in saturated areas.
        """
        ramp = {3: (0.5, 1.0, 0.5), 4: (0.25, 0.75, 0.75, 0.25)}[self.deconv.kernel_size[0]]
        kernel = torch.outer(torch.tensor(ramp), torch.tensor(ramp))
        mixed = torch.randn(*self.deconv.weight.shape[:2], 1, 1) * (2 / self.deconv.in_channels) ** 0.5
        with torch.no_grad():
            self.deconv.weight.copy_(mixed * kernel)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = F.relu(self.norm(self.deconv(x)))
        if self.log_skip:  # the encoder works on display values, the decoder on logarithms
            skip = torch.log((skip / 255).square() + LOG_EPSILON)
        return self.fusion(torch.cat([x, skip], dim=1))


@MODELS.register_module()
class HDRCNN(BaseModule):
    """U-shaped network from a display-referred image in [0, 1] to log radiance.

    Encoder levels of 3x3 convolutions and max-pooling, a bottleneck, decoder levels of transposed convolution
    with skip connections, and a last 1x1 fusion with the logarithm of the linearised input.

    The default is the small network: 1,289,653 variables in the paper's way of counting, which includes
    BatchNorm's moving statistics (`num_variables`). It is *count-matched*: the paper gives the number and the
    ingredients of its network, not its layers. `HDRCNN.full_size()` gives the arguments of the 29,447,332-variable
    network of the authors' earlier work.

    Args:
        encoder_channels: Widths of the convolutions, level by level.
        bottleneck_channels: Widths of the convolutions below the last level.
        deconv_kernel: Kernel of the transposed convolutions, 3 or 4.
        fusion_kernel: Kernel of the convolution that fuses a skip connection, 1 or 3.
        out_kernel: Kernel of the convolution to 3 channels.
        encoder_norm_cfg: Normalisation in the encoder; None: none, as in VGG16.
        norm_cfg: Normalisation in bottleneck and decoder.
        fusion_norm_cfg: Normalisation, followed by ReLU, after a skip fusion; None: neither.
        out_norm_cfg: Normalisation after the convolution to 3 channels, or None.
        input_fusion_bias: Whether the last 1x1 fusion has a bias.
        out_act_cfg: Activation after it, or None.
        log_skips: Take skip connections into the log domain, log((h/255)^2 + 1/255); the encoder then sees
            the input in [0, 255] with VGG16's mean taken out.
        vgg16: File with torchvision's weights of VGG16 (`load_vgg16`) for an encoder of its shape to start from.
        gamma: The input is linearised as x^gamma before its logarithm enters the last fusion.
        anti_aliased: Low-pass what the max-pooling samples (`anti_alias`): the same weights, a fraction of the flicker.
        taps: Of the low-pass: 3, or 5 for more of both.
        init_cfg: MMEngine's weight initialisation.
    """

    @check_arguments
    def __init__(
        self,
        encoder_channels: Sequence[Sequence[Whole]] = (
            (32,),
            (32, 32),
            (64, 64),
            (64, 64),
            (128, 128),
        ),
        *,
        bottleneck_channels: Sequence[Whole] = (128,),
        deconv_kernel: int = 3,
        fusion_kernel: Whole = 3,
        out_kernel: Whole = 3,
        encoder_norm_cfg: dict | None = dict(type="BN"),
        norm_cfg: dict = dict(type="BN"),
        fusion_norm_cfg: dict | None = dict(type="BN"),
        out_norm_cfg: dict | None = None,
        out_act_cfg: dict | None = None,
        input_fusion_bias: bool = False,
        log_skips: bool = False,
        gamma: Positive = 2.0,
        vgg16: str | None = None,
        anti_aliased: bool = False,
        taps: int = TAPS,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if not encoder_channels or not all(encoder_channels):
            raise ValueError(f"encoder_channels needs at least one convolution per level, got {encoder_channels}")
        if deconv_kernel not in (3, 4):
            raise ValueError(f"deconv_kernel must be 3 or 4, got {deconv_kernel}")
        self.gamma, self.vgg16 = gamma, vgg16
        self.log_skips = log_skips
        self.stride = 2 ** len(encoder_channels)

        def convs(in_channels: int, widths: Sequence[int], norm: dict | None) -> nn.Sequential:
            layers = []
            for width in widths:
                layers.append(ConvModule(in_channels, width, 3, padding=1, bias=True, norm_cfg=norm))
                in_channels = width
            return nn.Sequential(*layers)

        tops = [widths[-1] for widths in encoder_channels]
        self.encoder = nn.ModuleList(
            convs(below, widths, encoder_norm_cfg) for below, widths in zip([3, *tops], encoder_channels)
        )
        self.pools = nn.ModuleList(nn.MaxPool2d(2) for _ in encoder_channels)
        self.bottleneck = convs(tops[-1], bottleneck_channels, norm_cfg)
        lowest = [*tops, *bottleneck_channels][-1]
        ups = reversed(tops)
        self.decoder = nn.ModuleList()
        for width in ups:
            self.decoder.append(
                _Up(lowest, width, width, deconv_kernel, fusion_kernel, norm_cfg, fusion_norm_cfg, log_skips)
            )
            lowest = width
        self.out = ConvModule(
            lowest, 3, out_kernel, padding=out_kernel // 2, bias=True, norm_cfg=out_norm_cfg, act_cfg=out_act_cfg
        )
        self.input_fusion = nn.Conv2d(6, 3, 1, bias=input_fusion_bias)
        if anti_aliased:
            anti_alias(self, taps)

    @staticmethod
    def full_size() -> dict:
        """Arguments of the full network: VGG16's encoder, 29,447,332 variables."""
        return dict(
            encoder_channels=((64,) * 2, (128,) * 2, (256,) * 3, (512,) * 3, (512,) * 3),
            bottleneck_channels=(512,),
            deconv_kernel=4,
            fusion_kernel=1,
            out_kernel=1,
            encoder_norm_cfg=None,
            fusion_norm_cfg=None,
            out_norm_cfg=dict(type="BN"),
            out_act_cfg=dict(type="ReLU"),
            input_fusion_bias=True,
            log_skips=True,
        )

    def init_weights(self) -> None:
        """He initialisation, smooth up-sampling; the last fusion starts as the sum of prediction and log input."""
        super().init_weights()
        if self.init_cfg is None:
            for up in self.decoder:
                up.init_weights()  # type: ignore[operator]
            with torch.no_grad():
                identity = torch.eye(3).view(3, 3, 1, 1)
                self.input_fusion.weight.copy_(torch.cat([identity, identity], dim=1))
                # a first guess near the input; batch normalisation would undo a small convolution
                (self.out.norm if self.out.with_norm else self.out.conv).weight.mul_(0.1)
        if self.vgg16 is not None:
            self._start_from_vgg16(self.vgg16)

    def _start_from_vgg16(self, path: str) -> None:
        """The encoder's weights; the first layer's are brought from torchvision's units to [0, 255] less the mean."""
        weights = list(load_vgg16(path).values())
        scale = 255 * torch.tensor(STD).view(1, 3, 1, 1)
        shift = torch.tensor(VGG_MEAN).view(1, 3, 1, 1) - 255 * torch.tensor(MEAN).view(1, 3, 1, 1)
        weights[0] = weights[0] / scale
        weights[1] = weights[1] + (weights[0] * shift).sum(dim=(1, 2, 3))
        parameters = list(self.encoder.parameters())
        if [p.shape for p in parameters] != [w.shape for w in weights]:
            raise ValueError(f"{path} is of VGG16, the encoder is not: take encoder_channels of HDRCNN.full_size()")
        with torch.no_grad():
            for parameter, weight in zip(parameters, weights):
                parameter.copy_(weight)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) display values in [0, 1] to (N, 3, H, W) log radiance, for any H and W."""
        height, width = x.shape[-2:]
        # Sizes that pooling does not divide are continued at the right and bottom, and cut again.
        bottom, right = -height % self.stride, -width % self.stride
        padded = F.pad(x, (0, right, 0, bottom), mode="replicate") if bottom or right else x
        mean = padded.new_tensor(VGG_MEAN).view(1, 3, 1, 1)
        features, skips = (255 * padded - mean if self.log_skips else padded), []
        for level, pool in zip(self.encoder, self.pools):
            features = level(features)
            skips.append(features)
            features = pool(features)
        features = self.bottleneck(features)
        for up, skip in zip(self.decoder, reversed(skips)):
            features = up(features, skip)
        log_input = torch.log(padded.clamp(min=0) ** self.gamma + LOG_EPSILON)
        out = self.input_fusion(torch.cat([self.out(features), log_input], dim=1))
        return out[..., :height, :width]


def num_variables(model: nn.Module) -> int:
    """Number of variables as the paper counts them: parameters and BatchNorm's moving statistics."""
    statistics = [b for name, b in model.named_buffers() if not name.endswith("num_batches_tracked")]
    return sum(tensor.numel() for tensor in (*model.parameters(), *statistics))
