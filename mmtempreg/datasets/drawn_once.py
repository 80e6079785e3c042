"""Items whose random crops, noise and all are drawn once, and come again in each epoch."""

from __future__ import annotations

import copy
from itertools import count
from typing import Any

from mmagic.registry import DATASETS
from torch.utils.data import Dataset

from ..utils.seeding import seeded
from ..utils.validation import Count, Whole, check_arguments


@DATASETS.register_module()
class DrawnOnceDataset(Dataset):
    """So many items of another dataset, each made once by its pipeline, and kept in memory.

    A file is read and degraded once for all epochs, and a teacher asked once for each item (`SiameseEditModel`): the
    items say in their data samples' metainfo which they are, `drawn_once`. The price is that training sees no more than
    these crops and this noise. All items of the other dataset are drawn from equally often, or as many as are wanted,
    spread evenly. Each has a seed of its own: a run that is resumed has the same, and so has each worker of a data
    loader, which keeps its own (with `persistent_workers=True`; without it they are made again in each epoch).

    Args:
        dataset: The other dataset, or its config, with a pipeline that ends with `PackInputs`.
        num_items: How many.
        seed: Of the draws.

    Raises:
        TypeError: If an item has no data samples.
    """

    _made = count()

    @check_arguments
    def __init__(self, dataset: dict | Any, num_items: Whole, seed: Count = 0) -> None:
        self.dataset: Any = DATASETS.build(dataset) if isinstance(dataset, dict) else dataset
        self.metainfo = getattr(self.dataset, "metainfo", {})
        self.num_items, self.seed = num_items, seed
        self._number = next(self._made)  # of two datasets in one training neither has the other's items
        self._items: dict[int, dict[str, Any]] = {}

    def __len__(self) -> int:
        return self.num_items

    def __getitem__(self, index: int) -> dict[str, Any]:
        """A copy, of which the training may do what it wants."""
        if not 0 <= index < self.num_items:
            raise IndexError(f"there are {self.num_items} items, and no {index}")
        if index not in self._items:
            count = len(self.dataset)
            with seeded(self.seed, index):
                item = self.dataset[index % count if self.num_items >= count else index * count // self.num_items]
            if not hasattr(item.get("data_samples"), "set_metainfo"):
                raise TypeError("DrawnOnceDataset: items need data samples: let the pipeline end with PackInputs")
            item["data_samples"].set_metainfo(dict(drawn_once=(self._number, index)))
            self._items[index] = item
        return copy.deepcopy(self._items[index])
