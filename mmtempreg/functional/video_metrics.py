"""Measures of clips that see their frames one after another: warping error, tOF, colour consistency, PSNR, SSIM.

Each meter takes frames in order (`update`), then gives its sums (`finish`) and is ready for another clip. Sums of
several clips add up; `value` turns them into the measure. Frames are (3, H, W) display values in [0, 1].
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from .optical_flow import estimate_flow, reliable, warp_by_flow

Sums = tuple[float, ...]


class WarpErrorMeter:
    """Warping error E_warp of Lai et al. 2018, as their `evaluate_WarpError.py` computes it.

    The mean over pairs of consecutive frames of sum((w(O_t+1) - O_t)^2 m) / sum(m), where the flow is that of the
    reference, or of the clip itself if there is none, and m marks all three channels where it can be trusted
    (`optical_flow.reliable`). So it is a mean of squares per channel, of values in [0, 1]. The authors take the flow
    from FlowNet2; with another flow the numbers are another scale.

    Args:
        flow: (a, b) -> flow from a to b. Default: OpenCV's DIS.
    """

    def __init__(self, flow: Callable[[Tensor, Tensor], Tensor] = estimate_flow) -> None:
        self._flow = flow
        self._before: tuple[Tensor, Tensor] | None = None
        self._sums = (0.0, 0.0)

    def update(self, frame: Tensor, reference: Tensor | None = None) -> None:
        """Takes the next frame, and that of the reference."""
        guide = frame if reference is None else reference
        if self._before is not None:
            before, guide_before = self._before
            self.add_pair(before, frame, self._flow(guide_before, guide), self._flow(guide, guide_before))
        self._before = (frame, guide)

    def add_pair(self, a: Tensor, b: Tensor, forward: Tensor, backward: Tensor) -> None:
        """Takes a pair of consecutive frames with known flow between them, both ways."""
        mask = reliable(forward, backward).double()
        count = float(mask.sum())
        if count > 0:
            squares = (warp_by_flow(b, forward) - a).double().square().mean(dim=0)
            self._sums = (self._sums[0] + float((squares * mask[0]).sum()) / count, self._sums[1] + 1)

    def finish(self) -> Sums:
        """(sum over pairs, number of pairs)."""
        sums, self._sums, self._before = self._sums, (0.0, 0.0), None
        return sums

    @staticmethod
    def value(sums: Sums) -> float:
        """E_warp; nan without a pair that could be compared."""
        return sums[0] / sums[1] if sums[1] else math.nan


class FlowDifferenceMeter:
    """tOF of Chu et al. 2020 (TecoGAN): mean length of the difference between a clip's flow and its reference's.

    As in their `metrics.py`: Farneback's flow from each frame to the one before it, the first and last two pairs left
    out, in the middle of the picture, whose sides are multiples of 32 and 8 pixels from the border at least. In pixels.

    Args:
        flow: (a, b) -> flow from a to b.
        skip: Pairs that are left out at either end.
        crop: Leave out the border; where nothing would be left (sides below 48) it is kept.
    """

    def __init__(
        self,
        flow: Callable[[Tensor, Tensor], Tensor] = lambda a, b: estimate_flow(a, b, "farneback"),
        skip: int = 2,
        crop: bool = True,
    ) -> None:
        self._flow, self._skip, self._crop = flow, skip, crop
        self._before: tuple[Tensor, Tensor] | None = None
        self._values: list[float] = []

    def update(self, frame: Tensor, reference: Tensor) -> None:
        """Takes the next frame, and that of the reference."""
        if self._before is not None:
            flows = [self._flow(now, before) for before, now in zip(self._before, (frame, reference))]
            difference = self._middle(flows[0] - flows[1]).double()
            self._values.append(float(difference.square().sum(dim=0).sqrt().mean()))
        self._before = (frame, reference)

    def _middle(self, flow: Tensor) -> Tensor:
        if not self._crop or min(flow.shape[-2:]) < 48:
            return flow
        for axis in (-2, -1):
            length = flow.shape[axis]
            kept = (length - 16) // 32 * 32
            flow = flow.narrow(axis, (length - kept) // 2, kept)
        return flow

    def finish(self) -> Sums:
        """(sum over pairs, number of pairs)."""
        values, self._values, self._before = self._values[self._skip : len(self._values) - self._skip], [], None
        return sum(values), float(len(values))

    @staticmethod
    def value(sums: Sums) -> float:
        """tOF in pixels; nan for a clip that is too short."""
        return sums[0] / sums[1] if sums[1] else math.nan


class ColorDistributionMeter:
    """Colour distribution consistency CDC (Liu et al. 2021, `cdc.py`): do the colours stay the same over time?

    Mean over d in (1, 2, 4), over the three channels and over pairs of frames i, i+d of the Jensen-Shannon divergence
    (natural logarithm) between their normalised histograms of 256 bins. 0: the histograms do not change. It needs no
    reference, and grey video scores well.
    """

    STEPS = (1, 2, 4)

    def __init__(self) -> None:
        self._histograms: deque[Tensor] = deque(maxlen=max(self.STEPS))
        self._sums = [0.0] * 2 * len(self.STEPS)

    def update(self, frame: Tensor) -> None:
        """Takes the next frame."""
        levels = (frame.float() * 255).round().clamp(0, 255).flatten(1)
        histogram = torch.stack([torch.histc(channel, 256, 0, 256) for channel in levels]).double()
        histogram /= histogram.sum(dim=1, keepdim=True)
        for k, step in enumerate(self.STEPS):
            if len(self._histograms) >= step:
                self._sums[2 * k] += float(jensen_shannon(self._histograms[-step], histogram).mean())
                self._sums[2 * k + 1] += 1
        self._histograms.append(histogram)

    def finish(self) -> Sums:
        """For every step: the sum over pairs, the number of pairs."""
        sums, self._sums = tuple(self._sums), [0.0] * 2 * len(self.STEPS)
        self._histograms.clear()
        return sums

    @staticmethod
    def value(sums: Sums) -> float:
        """CDC; nan for a clip of less than 5 frames."""
        means = [total / pairs if pairs else math.nan for total, pairs in zip(sums[::2], sums[1::2])]
        return sum(means) / len(means)


def jensen_shannon(p: Tensor, q: Tensor) -> Tensor:
    """Jensen-Shannon divergence of distributions along the last dimension, in nats: 0 to ln 2."""
    middle = (p + q) / 2
    return sum(torch.special.xlogy(d, d).sum(-1) - torch.special.xlogy(d, middle).sum(-1) for d in (p, q)) / 2  # type: ignore[return-value]


class PSNRMeter:
    """PSNR = 10 log10(1 / MSE) in dB, of all values of a clip.

    Args:
        peak: Of the values.
    """

    def __init__(self, peak: float = 1.0) -> None:
        self.peak = peak
        self._sums = (0.0, 0.0)

    def update(self, frame: Tensor, reference: Tensor) -> None:
        """Takes the next frame, and that of the reference."""
        squares = float((frame - reference).square().sum(dtype=torch.float64))
        self._sums = (self._sums[0] + squares, self._sums[1] + frame.numel())

    def finish(self) -> Sums:
        """(sum of squares, number of values)."""
        sums, self._sums = self._sums, (0.0, 0.0)
        return sums

    def value(self, sums: Sums) -> float:
        """PSNR in dB; infinite without an error."""
        if sums[1] == 0:
            return math.nan
        return math.inf if sums[0] == 0 else 10 * math.log10(self.peak**2 * sums[1] / sums[0])


class SSIMMeter:
    """SSIM of Wang et al. 2004, mean over channels and frames.

    With their Gaussian window (sigma 1.5, 11x11), as `skimage.metrics.structural_similarity(gaussian_weights=True,
    sigma=1.5, use_sample_covariance=False)`.
    """

    def __init__(self) -> None:
        self._sums = (0.0, 0.0)

    def update(self, frame: Tensor, reference: Tensor) -> None:
        """Takes the next frame, and that of the reference."""
        self._sums = (self._sums[0] + float(ssim(frame, reference)), self._sums[1] + 1)

    def finish(self) -> Sums:
        """(sum over frames, number of frames)."""
        sums, self._sums = self._sums, (0.0, 0.0)
        return sums

    @staticmethod
    def value(sums: Sums) -> float:
        """SSIM; 1 for equal clips."""
        return sums[0] / sums[1] if sums[1] else math.nan


def ssim(a: Tensor, b: Tensor, peak: float = 1.0) -> Tensor:
    """Mean SSIM of two (C, H, W) images; see `SSIMMeter`.

    Raises:
        ValueError: If a side is below 11 pixels.
    """
    if min(a.shape[-2:]) < 11:
        raise ValueError(f"SSIM needs 11x11 pixels at least, got {tuple(a.shape[-2:])}")
    x = torch.arange(-5, 6, dtype=torch.float64)
    kernel = torch.exp(-(x**2) / (2 * 1.5**2))
    kernel = (kernel / kernel.sum()).to(a)

    def blur(image: Tensor) -> Tensor:
        return F.conv2d(F.conv2d(image.unsqueeze(1), kernel.view(1, 1, 1, -1)), kernel.view(1, 1, -1, 1))

    mean_a, mean_b = blur(a), blur(b)
    var_a, var_b, cov = blur(a * a) - mean_a**2, blur(b * b) - mean_b**2, blur(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    score = ((2 * mean_a * mean_b + c1) * (2 * cov + c2)) / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))
    return score.mean(dtype=torch.float64)
