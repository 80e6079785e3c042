"""A sampler for ordered clips in distributed evaluation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from mmagic.registry import DATA_SAMPLERS
from mmengine.dist import get_dist_info
from torch.utils.data import Sampler


def frame_name(clip: str, frame: int) -> str:
    """A name for a frame of a clip that no other has: what MMagic's visualisers call its picture (`gt_path`)."""
    return f"{re.sub(r'[^A-Za-z0-9_-]+', '_', clip)}_{frame:06d}.png"


@DATA_SAMPLERS.register_module()
class ClipSampler(Sampler[int]):
    """Deals whole clips to the ranks: each frame is seen exactly once, in order, by one rank.

    MMEngine's `DefaultSampler` deals frames in turn and repeats the last: wrong for anything that looks at
    neighbouring frames. Consecutive entries of the dataset with the same `clip` are a clip.

    Args:
        dataset: An MMEngine dataset whose entries (`get_data_info` is not called) have a `clip`.
        shuffle: Must be False; it is here because MMEngine's samplers have it.
        seed: Not used, likewise.

    Raises:
        ValueError: If `shuffle` is asked for.
    """

    def __init__(self, dataset: Any, shuffle: bool = False, seed: int | None = None) -> None:
        if shuffle:
            raise ValueError("ClipSampler keeps frames in order: shuffle must be False")
        rank, world_size = get_dist_info()
        entries = enumerate(dataset.data_list)
        clips = [[i for i, _ in frames] for _, frames in groupby(entries, key=lambda item: item[1]["clip"])]
        # The longest first, each to the rank with the least to do: no rank waits long for another.
        load, mine = [0] * world_size, []
        for clip in sorted(clips, key=len, reverse=True):
            owner = load.index(min(load))
            load[owner] += len(clip)
            if owner == rank:
                mine.append(clip)
        self.indices = [i for clip in sorted(mine) for i in clip]

    def __iter__(self) -> Iterator[int]:
        return iter(self.indices)

    def __len__(self) -> int:
        return len(self.indices)
