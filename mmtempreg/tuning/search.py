"""Search for a regularisation and its strength."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from ..meters import flickers_less
from .tuner import Trial, Tuner

LADDER = (0.2, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995)
"""Strengths that are tried: the paper's, and a weaker one. Of small differences the L1 distance is much larger than the
mean of squares, so that the same alpha may be far too much."""


@dataclass(frozen=True, kw_only=True)
class TuningResult:
    """Trials, and the best of them.

    Attributes:
        start: The model as it came.
        plain: Fine-tuned without regularisation: what the others are compared with.
        trials: All regularised fine-tunings, in the order in which they were made.
        best: The one with the lowest F of those that are `affordable`; None if there is none, or if that flickers no
            less than `start` beyond what differs from clip to clip.
        half: `best` once more with half of the iterations, and `plain` likewise: how much they still change. None if
            there is no best, or no half.
        max_psnr_loss: dB that PSNR may fall below that of `plain`.
        min_detail: What must be kept of K of `start`.
    """

    start: Trial
    plain: Trial
    trials: list[Trial]
    best: Trial | None
    half: tuple[Trial, Trial] | None
    max_psnr_loss: float
    min_detail: float


def check_budget(budget: int, candidates: Collection[str]) -> None:
    """Raises ValueError if a budget does not suffice for plain fine-tuning and one trial of each candidate."""
    if budget < 1 + len(candidates):
        names = ", ".join(candidates)
        raise ValueError(f"a budget of {budget} does not suffice for plain fine-tuning and one trial each of {names}")


def tune(
    tuner: Tuner,
    *,
    max_psnr_loss: float = 0.1,
    min_detail: float = 0.95,
    budget: int = 12,
    ladder: Sequence[float] = LADDER,
    report: Callable[[Trial], None] = lambda trial: None,
) -> TuningResult:
    """Finds the regularisation and alpha with the lowest F that costs no more PSNR than is allowed, and keeps detail.

    Stronger regularisation lowers F, and PSNR and detail with it. So for each candidate the ladder of strengths is
    bisected for the strongest that can be afforded, taking turns, until the budget is spent. The lowest F of all that
    were tried and can be afforded wins. PSNR is compared with that of a fine-tuning of the same length without
    regularisation, K with that of the network as it came. What is best is fine-tuned once more for half as long, and
    plain fine-tuning too: from which it can be told what a longer training would change.

    Args:
        tuner: Does the fine-tunings.
        max_psnr_loss: dB that PSNR may fall.
        min_detail: What must be kept of K, in [0, 1] or above.
        budget: Fine-tunings at most, the plain one included; the two of half the length come on top.
        ladder: Rising strengths.
        report: Is told of each trial when it is done.

    Raises:
        ValueError: If the budget does not suffice for one trial of each candidate.
    """
    if not (math.isfinite(max_psnr_loss) and math.isfinite(min_detail)):
        raise ValueError(f"max_psnr_loss and min_detail must be numbers, got {max_psnr_loss} and {min_detail}")
    check_budget(budget, tuner.candidates)
    start = tuner.start()
    report(start)
    plain = tuner.trial("", 0.0)
    report(plain)

    def affordable(trial: Trial) -> bool:
        quality = trial.quality
        sharp = quality.detail >= min_detail * start.quality.detail
        return sharp and quality.psnr >= plain.quality.psnr - max_psnr_loss

    ranges = {name: (0, len(ladder)) for name in tuner.candidates}
    trials: list[Trial] = []
    while any(low < high for low, high in ranges.values()) and len(trials) + 1 < budget:
        for name, (low, high) in ranges.items():
            if low >= high or len(trials) + 1 >= budget:
                continue
            middle = (low + high) // 2
            trials.append(tuner.trial(name, ladder[middle]))
            report(trials[-1])
            ranges[name] = (middle + 1, high) if affordable(trials[-1]) else (low, middle)
    best = min(filter(affordable, trials), key=lambda trial: trial.quality.flicker, default=None)
    if best and not flickers_less(start.quality.flickers, best.quality.flickers):
        best = None
    half = None
    if best and tuner.iterations > 1:
        shorter = tuner.iterations // 2
        half = tuner.trial(best.regularization, best.alpha, shorter), tuner.trial("", 0.0, shorter)
        for trial in half:
            report(trial)
    return TuningResult(
        start=start,
        plain=plain,
        trials=trials,
        best=best,
        half=half,
        max_psnr_loss=max_psnr_loss,
        min_detail=min_detail,
    )
