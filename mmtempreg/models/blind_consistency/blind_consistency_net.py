"""The recurrent network of Lai et al. 2018."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmagic.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from ...utils.validation import Repeats, Whole, check_arguments

State = tuple[Tensor, Tensor]
"""Hidden state and cell of the ConvLSTM."""


class _Conv(nn.Module):
    """Convolution with reflection padding, on an image that may be enlarged first (nearest neighbour)."""

    def __init__(
        self, below: int, width: int, kernel: int, stride: int = 1, enlarge: int = 1, norm: bool = False
    ) -> None:
        super().__init__()
        self.enlarge, self.padding = enlarge, kernel // 2
        self.conv2d = nn.Conv2d(below, width, kernel, stride)
        self.norm = nn.InstanceNorm2d(width) if norm else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        if self.enlarge > 1:
            x = F.interpolate(x, scale_factor=self.enlarge)
        return self.norm(self.conv2d(F.pad(x, (self.padding,) * 4, mode="reflect")))


class _ResidualBlock(nn.Module):
    def __init__(self, width: int, norm: bool) -> None:
        super().__init__()
        self.conv1, self.conv2 = _Conv(width, width, 3, norm=norm), _Conv(width, width, 3, norm=norm)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(F.leaky_relu(self.conv1(x), 0.2))


class _ConvLSTM(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.Gates = nn.Conv2d(2 * width, 4 * width, 3, padding=1)

    def forward(self, x: Tensor, state: State | None) -> State:
        hidden, cell = state or (torch.zeros_like(x), torch.zeros_like(x))
        enter, keep, leave, new = self.Gates(torch.cat([x, hidden], dim=1)).chunk(4, dim=1)
        cell = keep.sigmoid() * cell + enter.sigmoid() * new.tanh()
        return leave.sigmoid() * cell.tanh(), cell


@MODELS.register_module()
class BlindConsistencyNet(BaseModule):
    """Makes each frame of a processed video agree with the one before it, as the original's do: 2,979,555 weights.

    Two encoders, of the processed and of the original frames; residual blocks, a ConvLSTM, and a decoder with skip
    connections from the first encoder alone. Its modules are named as in the authors' code, so that their weights load.

    Args:
        width: Channels of the first layer.
        num_blocks: Residual blocks.
        norm: Instance normalisation, which the paper has and the authors' code never runs. False: their code.
        init_cfg: MMEngine's weight initialisation.
    """

    stride = 4

    @check_arguments
    def __init__(
        self, width: Whole = 32, *, num_blocks: Repeats = 5, norm: bool = False, init_cfg: dict | None = None
    ) -> None:
        super().__init__(init_cfg)
        w = width
        self.conv1a, self.conv1b = _Conv(6, w, 7, norm=norm), _Conv(6, w, 7, norm=norm)
        self.conv2a, self.conv2b = _Conv(w, 2 * w, 3, 2, norm=norm), _Conv(w, 2 * w, 3, 2, norm=norm)
        self.conv3 = _Conv(4 * w, 4 * w, 3, 2, norm=norm)
        self.ResBlocks = nn.ModuleList(_ResidualBlock(4 * w, norm) for _ in range(num_blocks))
        self.convlstm = _ConvLSTM(4 * w)
        self.deconv1 = _Conv(4 * w, 2 * w, 3, enlarge=2, norm=norm)
        self.deconv2 = _Conv(4 * w, w, 3, enlarge=2, norm=norm)
        self.deconv3 = _Conv(2 * w, 3, 7)

    def forward(
        self,
        processed: Tensor,
        output_before: Tensor,
        original: Tensor,
        original_before: Tensor,
        *,
        state: State | None,
    ) -> tuple[Tensor, State]:
        """One frame; sides that are multiples of `stride`.

        Args:
            processed, output_before, original, original_before: P_t, O_t-1, I_t, I_t-1: (N, 3, H, W) in [0, 1].
            state: The state after the frame before; None for the second frame of a clip.

        Returns:
            O_t = P_t + tanh(.), (N, 3, H, W), and the state.
        """
        e1 = F.leaky_relu(self.conv1a(torch.cat([processed, output_before], dim=1)), 0.2)
        guide = F.leaky_relu(self.conv1b(torch.cat([original, original_before], dim=1)), 0.2)
        e2 = F.leaky_relu(self.conv2a(e1), 0.2)
        guide = F.leaky_relu(self.conv2b(guide), 0.2)
        x = F.leaky_relu(self.conv3(torch.cat([e2, guide], dim=1)), 0.2)
        for block in self.ResBlocks:
            x = block(x)
        state = self.convlstm(x, state)
        x = torch.cat([F.leaky_relu(self.deconv1(state[0]), 0.2), e2], dim=1)
        x = torch.cat([F.leaky_relu(self.deconv2(x), 0.2), e1], dim=1)
        return processed + self.deconv3(x).tanh(), state
