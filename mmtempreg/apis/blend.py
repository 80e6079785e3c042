"""Networks between two networks: the strength of a fine-tuning, chosen after it."""

from __future__ import annotations

import logging
from itertools import permutations
from pathlib import Path

import torch
from mmengine.logging import print_log
from torch import Tensor

from ..openmmlab.checkpoints import (
    anti_aliasing_of,
    check_finite,
    misfits,
    read_checkpoint,
    weights_of,
    with_metadata_of,
)
from ..utils.atomic_write import replace_when_written


def blend_weights(before: dict[str, Tensor], after: dict[str, Tensor], strength: float) -> dict[str, Tensor]:
    """(1 - strength) before + strength after, of parameters and buffers alike; whole numbers are those of `after`.

    Args:
        before, after: State dicts of the same keys and shapes.
        strength: 0 gives `before`, 1 `after`.
    """
    return {
        name: torch.lerp(before[name].double(), value.double(), strength).to(value.dtype)
        if value.is_floating_point()
        else value
        for name, value in after.items()
    }


def blend_checkpoints(before: str | Path, after: str | Path, *, strength: float, out: str | Path) -> None:
    """Writes the checkpoint between two of one network, such as before and after its fine-tuning.

    What a network between them is like was measured (docs/results.md): at times better than both.

    Args:
        before, after: Checkpoints. Whether strides are anti-aliased is that of `after`.
        strength: In [0, 1].
        out: The checkpoint that is written: weights alone.

    Raises:
        FileNotFoundError, ValueError: If one cannot be read, or they are of different networks: keys are named.
    """
    if not 0 <= strength <= 1:
        raise ValueError(f"strength must lie in [0, 1], got {strength}")
    checkpoints = [read_checkpoint(path) for path in (before, after)]
    first, second = (weights_of(checkpoint, path) for checkpoint, path in zip(checkpoints, (before, after)))
    for weights, path in ((first, before), (second, after)):
        check_finite(weights, path)
    for (one, weights), (other, expected) in permutations(((before, first), (after, second))):
        if faults := misfits(weights, expected):
            raise ValueError(f"{one} and {other} are of different networks: compared with {other}, in {one} {faults}")
    if anti_aliasing_of(checkpoints[0]) != anti_aliasing_of(checkpoints[1]):
        print_log(
            f"{before} and {after} were trained with other strides: the network between them has those of {after}",
            "current",
            logging.WARNING,
        )
    blended = with_metadata_of(checkpoints[1], blend_weights(first, second, strength))
    meta = dict(blend=dict(before=str(before), after=str(after), strength=strength))
    with replace_when_written(out) as partial:
        torch.save(dict(meta=meta, state_dict=blended), partial)
