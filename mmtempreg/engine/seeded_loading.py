"""Data loading whose order and random augmentation are a function of (seed, rank, epoch, position).

PyTorch's workers draw from generators whose state depends on all that they have loaded before, and on how many they
are. Here each sample that is drawn carries its own seed, through the index that the worker is sent: a run can be taken
up at any batch without loading what came before, and the number of workers does not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from torch.utils.data import DataLoader, Dataset

from .. import datasets  # noqa: F401, so that a worker that is spawned names the files of its errors
from ..utils.seeding import seed_everything


class SeededIndex(int):
    """The index of a sample, and what its random augmentation is seeded with."""

    entropy: tuple[int, ...]

    def __new__(cls, index: int, entropy: tuple[int, ...]) -> SeededIndex:
        self = super().__new__(cls, index)
        self.entropy = entropy
        return self

    def __getnewargs__(self) -> tuple[int, tuple[int, ...]]:  # type: ignore[override]  # how a worker gets it
        return int(self), self.entropy


class SeededBatches:
    """A batch sampler: the batches of another one, each index with its seed.

    Args:
        batches: Gives lists of indices; one round is an epoch. May be endless.
        seed: Seed of the run.
        rank: Number of this process.
        epoch: Number of the epoch that comes first.
        skip: This many batches are passed over first, in as many epochs as it takes.
    """

    def __init__(
        self, batches: Iterable[list[int]], *, seed: int, rank: int = 0, epoch: int = 0, skip: int = 0
    ) -> None:
        self.batches = batches
        self.seed = seed
        self.rank = rank
        self.epoch = epoch
        self.skip = skip

    @property
    def sampler(self) -> SeededBatches:
        """Sampler that MMEngine's `DistSamplerSeedHook` tells the epoch."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Says which epoch comes next, to the sampler inside as well."""
        self.epoch = epoch
        inner: Any = getattr(self.batches, "sampler", None)
        if hasattr(inner, "set_epoch"):
            inner.set_epoch(epoch)

    def __iter__(self) -> Iterator[list[SeededIndex]]:
        for number, batch in enumerate(self.batches):
            if self.skip > 0:
                self.skip -= 1
                continue
            yield [SeededIndex(i, (self.seed, self.rank, self.epoch, number, k)) for k, i in enumerate(batch)]

    def __len__(self) -> int:
        return len(self.batches)  # type: ignore[arg-type]


def parts_of(dataset: Any) -> Iterator[Any]:
    """A dataset, the datasets it wraps, and the transforms of their pipelines, also those inside others."""
    yield dataset
    for name in ("dataset", "datasets", "source", "pipeline", "transforms"):
        inner = getattr(dataset, name, None)
        for part in inner if isinstance(inner, (list, tuple)) else [inner]:
            if part is not None:
                yield from parts_of(part)


class SeededDataset(Dataset):
    """Another dataset, whose random augmentation is seeded by the `SeededIndex` it is asked for.

    MMagic's `DegradationsWithShuffle` (RealESRGAN) shuffles its list in place, so that its order depends on every
    sample that a worker has loaded: it gets the list of the config again before each sample.
    """

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset
        self._shuffled = [(part, list(part.degradations)) for part in parts_of(dataset) if hasattr(part, "shuffle_idx")]

    def __getitem__(self, index: int) -> Any:
        self._seed(index)
        return self.dataset[int(index)]

    @property
    def __getitems__(self) -> Callable[[Sequence[int]], list[Any]] | None:
        """Whole batches, of a dataset that gives them: each seeded by its first index."""
        return self._batch if hasattr(self.dataset, "__getitems__") else None

    def _batch(self, indices: Sequence[int]) -> list[Any]:
        self._seed(indices[0])
        return self.dataset.__getitems__([int(index) for index in indices])

    def _seed(self, index: int) -> None:
        if isinstance(index, SeededIndex):
            seed_everything(*index.entropy)
            for transform, degradations in self._shuffled:
                transform.degradations = list(degradations)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getattr__(self, name: str) -> Any:
        if name == "dataset" or name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.dataset, name)


def seeded_loader(loader: DataLoader, batches: SeededBatches) -> DataLoader:
    """A data loader like `loader`, over the same dataset, that loads `batches`."""
    return DataLoader(
        SeededDataset(loader.dataset),
        batch_sampler=batches,
        num_workers=loader.num_workers,
        collate_fn=loader.collate_fn,
        pin_memory=loader.pin_memory,
        timeout=loader.timeout,
        worker_init_fn=loader.worker_init_fn,
        multiprocessing_context=loader.multiprocessing_context,
        prefetch_factor=loader.prefetch_factor,
        persistent_workers=loader.persistent_workers,
    )


class EndlessBatches:
    """Stands in for the endless iterator of MMEngine's `IterBasedTrainLoop`.

    Args:
        loader: Over `SeededBatches` that pass over what a resumed run has seen already.
        passed: How many batches that are; MMEngine's loop asks for them first and throws them away.
    """

    def __init__(self, loader: DataLoader, passed: int) -> None:
        self._loader = loader
        self._passed = passed
        self._iterator: Iterator[Any] | None = None

    def __iter__(self) -> EndlessBatches:
        return self

    def __next__(self) -> Any:
        if self._passed > 0:
            self._passed -= 1
            return None
        while True:
            fresh = self._iterator is None
            if self._iterator is None:
                self._iterator = iter(self._loader)
            batch = next(self._iterator, None)
            if batch is not None:
                return batch
            batches: Any = self._loader.batch_sampler
            if fresh and batches.skip == 0 and len(batches) == 0:
                raise ValueError(
                    f"the data has {len(self._loader.dataset)} images, which are less than a batch, and drop_last=True "  # type: ignore[arg-type]
                    "leaves out what is less: lower train_dataloader.batch_size"
                )
            self._iterator = None
            batches.set_epoch(batches.epoch + 1)
