"""Training and running the network of Lai et al. 2018 on pairs of clips."""

from __future__ import annotations

from typing import Annotated, Any

import torch
import torch.nn.functional as F
from mmagic.registry import MODELS
from mmengine.model import BaseModel
from torch import Tensor

from ...functional import warp_by_flow
from ...losses import VGG16Loss
from ...utils.validation import NotNegative, OneOf, check_arguments
from .blind_consistency_net import State


@MODELS.register_module()
class BlindConsistencyModel(BaseModel):
    """Removes the flicker of a processed video, given the original (Lai et al. 2018, section 3).

    Frame by frame O_t = P_t + F(P_t, O_t-1, I_t, I_t-1), with O_1 = P_1: the output of the frame before goes in again.
    Trained on clips with flow, which is not needed afterwards:

        L = 100 L_short + 100 L_long + 10 L_content,
        L_short = sum_t mean | (O_t - w(O_t-1)) M |,  L_long = sum_t>2 mean | (O_t - w(O_1)) M |,

    with w the warp by the flow of the originals and M where they agree. Where code and paper differ the default is the
    authors' code.

    Args:
        generator: Config of the network, `BlindConsistencyNet`.
        vgg16: File with weights of VGG16 (`load_vgg16`), for L_content of its relu4_3. None: L_content is the L1
            distance of O and P.
        short_weight, long_weight, content_weight: Weights of the three losses.
        mask_sharpness: 50 in M = exp(-50 |I_t - w(I_t-1)|^2), images in [0, 1].
        mask_norm: What |.|^2 is: 'sum', the square of the sum over the channels (their code), or 'norm', the sum of
            their squares (their paper).
        through_time: Let gradients go back through the frames before. False: their code.
        init_cfg: MMEngine's weight initialisation.

    Raises:
        ValueError: If `mask_norm` is unknown.
        FileNotFoundError, ValueError: If `vgg16` is not there or not VGG16.
    """

    @check_arguments
    def __init__(
        self,
        generator: dict = dict(type="BlindConsistencyNet"),
        *,
        vgg16: str | None = None,
        short_weight: NotNegative = 100.0,
        long_weight: NotNegative = 100.0,
        content_weight: NotNegative = 10.0,
        mask_sharpness: NotNegative = 50.0,
        mask_norm: Annotated[str, OneOf(("sum", "norm"))] = "sum",
        through_time: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.generator = MODELS.build(generator)
        self.content_loss = VGG16Loss(vgg16) if vgg16 else torch.nn.L1Loss()
        self.weights = dict(loss_short=short_weight, loss_long=long_weight, loss_content=content_weight)
        self.mask_sharpness, self.mask_norm, self.through_time = mask_sharpness, mask_norm, through_time

    def forward(
        self, inputs: Tensor, flow: Tensor | None = None, flow_to_first: Tensor | None = None, mode: str = "tensor"
    ) -> Any:
        """Runs over clips.

        Args:
            inputs: (N, T, 6, H, W) in [0, 255]: RGB of the processed and of the original frame.
            flow: (N, T-1, 2, H, W) of the originals, from each frame to the one before.
            flow_to_first: (N, T-1, 2, H, W) from each frame to the first.
            mode: 'loss': the losses; 'tensor', 'predict': (N, T, 3, H, W) in [0, 1].
        """
        processed, original = (inputs.float() / 255).split(3, dim=2)
        outputs = self._run(processed, original)
        if mode != "loss":
            return torch.stack(outputs, dim=1).clamp(0, 1)
        if flow is None or flow_to_first is None:
            raise ValueError("training needs the flow of the original clips: see ClipPairDataset")
        return self._losses(outputs, processed, original, flow, flow_to_first)

    def step(
        self,
        processed: Tensor,
        output_before: Tensor,
        original: Tensor,
        original_before: Tensor,
        *,
        state: State | None,
    ) -> tuple[Tensor, State]:
        """A frame of any size, (N, 3, H, W) in [0, 1]: it is mirrored to multiples of 4 and cut again."""
        height, width = processed.shape[-2:]
        pad = (0, -width % self.generator.stride, 0, -height % self.generator.stride)
        frames = [F.pad(frame, pad, mode="reflect") for frame in (processed, output_before, original, original_before)]
        output, state = self.generator(*frames, state=state)
        return output[..., :height, :width], state

    def _run(self, processed: Tensor, original: Tensor) -> list[Tensor]:
        outputs, state = [processed[:, 0]], None
        for t in range(1, processed.shape[1]):
            before = outputs[-1] if self.through_time else outputs[-1].detach()
            if state is not None and not self.through_time:
                state = (state[0].detach(), state[1].detach())
            output, state = self.step(processed[:, t], before, original[:, t], original[:, t - 1], state=state)
            outputs.append(output)
        return outputs

    def _losses(
        self, outputs: list[Tensor], processed: Tensor, original: Tensor, flow: Tensor, flow_to_first: Tensor
    ) -> dict[str, Tensor]:
        short, long, content = [], [], []
        for t in range(1, len(outputs)):
            before = outputs[t - 1] if self.through_time else outputs[t - 1].detach()
            short.append(self._disagreement(outputs[t], before, original[:, t], original[:, t - 1], flow[:, t - 1]))
            content.append(self.content_loss(outputs[t], processed[:, t]))
            if t > 1:
                first = outputs[0].detach(), original[:, t], original[:, 0], flow_to_first[:, t - 1]
                long.append(self._disagreement(outputs[t], *first))
        sums = dict(loss_short=short, loss_long=long, loss_content=content)
        return {name: self.weights[name] * torch.stack(parts).sum() for name, parts in sums.items() if parts}

    def _disagreement(
        self, output: Tensor, before: Tensor, image: Tensor, image_before: Tensor, flow: Tensor
    ) -> Tensor:
        difference = image - warp_by_flow(image_before, flow)
        if self.mask_norm == "sum":
            squares = difference.sum(dim=1, keepdim=True).square()
        else:
            squares = difference.square().sum(dim=1, keepdim=True)
        mask = torch.exp(-self.mask_sharpness * squares)
        return F.l1_loss(output * mask, warp_by_flow(before, flow) * mask)
