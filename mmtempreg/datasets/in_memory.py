"""Training data that is prepared once and stays in memory, also a GPU's, and comes out in whole batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import torch
from annotated_types import Interval
from mmagic.registry import DATASETS
from mmagic.structures import DataSample
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ..utils.validation import Edge, Share, Whole, check_arguments


@DATASETS.register_module()
class InMemoryDataset(Dataset):
    """Another dataset of 8-bit photographs and radiance of one size, read once; batches are crops of it, mirrored.

    What is left to do for a batch is a look-up, on the device where the data lie, and MMagic's preprocessing of each
    single item falls away: where the network takes milliseconds, this is most of a step. For `HDRDataPreprocessor`.

    A batch is `inputs`, (N, 3, h, w) uint8, and `data_samples`, one `DataSample` with `gt_img`, (N, 3, h, w) float32,
    both RGB and in the memory order `channels_last`. Crops and mirroring are drawn from torch's global generator
    (`ExactResumeHook` seeds it). In the config:

        train_dataloader = dict(
            num_workers=0, persistent_workers=False,
            dataset=dict(type='InMemoryDataset', device='cuda', crop_size=(128, 128),
                         dataset=dict(type='ProceduralHDRDataset', num_images=10000, size=128, seed=0)))

    Args:
        dataset: The other dataset, or its config; `img` and `gt` of its items are (H, W, 3), RGB. Its pipeline, if it
            has one, may only hold what is not random.
        device: 'cpu', or 'cuda' for the GPU of the process. 15 bytes a pixel: 2.5 GB for 10,000 images of 128x128.
        crop_size: (height, width) of the crops; None: the images.
        flip_ratio: How often images are mirrored, along each axis.
        num_workers: Processes that read the other dataset.
        indices: The first so many of the images; None: all.

    Attributes:
        images: (M, H, W, 3) uint8.
        radiance: (M, H, W, 3) float32.

    Raises:
        ValueError: If images differ in size, are no RGB, or hold no crop of this size.
    """

    @check_arguments
    def __init__(
        self,
        dataset: dict | Any,
        *,
        device: str = "cpu",
        crop_size: tuple[Edge, Edge] | None = None,
        flip_ratio: Share = 0.5,
        num_workers: Annotated[int, Interval(ge=0, le=1024)] = 0,
        indices: Whole | None = None,
    ) -> None:
        self.source: Any = DATASETS.build(dataset) if isinstance(dataset, dict) else dataset
        self.metainfo = getattr(self.source, "metainfo", {})
        self.flip_ratio = flip_ratio
        count = len(self.source) if indices is None else min(indices, len(self.source))
        self.images, self.radiance = _read(self.source, count, torch.device(device), num_workers)
        height, width = self.images.shape[1:3]
        self.crop_size = (height, width) if crop_size is None else crop_size
        if self.crop_size[0] > height or self.crop_size[1] > width:
            raise ValueError(f"images of {width}x{height} hold no crop_size={self.crop_size} (height, width)")

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """A batch of one."""
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        """One batch, which a collate function has nothing to add to."""
        rows = self._along(len(indices), self.images.shape[1], self.crop_size[0])[:, :, None]
        columns = self._along(len(indices), self.images.shape[2], self.crop_size[1])[:, None, :]
        which = torch.tensor([int(i) for i in indices], device=rows.device)[:, None, None]
        image, radiance = (held[which, rows, columns].permute(0, 3, 1, 2) for held in (self.images, self.radiance))
        return [dict(inputs=image, data_samples=DataSample(gt_img=radiance))]

    def _along(self, number: int, size: int, length: int) -> Tensor:
        """(N, length): where crops read along one axis, forwards or backwards."""
        first = torch.randint(size - length + 1, (number, 1))
        ahead = torch.arange(length).expand(number, length)
        backwards = torch.rand(number, 1) < self.flip_ratio
        read = first + torch.where(backwards, length - 1 - ahead, ahead)
        return read.to(self.images.device, non_blocking=True)


def _read(source: Any, count: int, device: torch.device, num_workers: int) -> tuple[Tensor, Tensor]:
    """The photographs (M, H, W, 3) uint8 and radiance (M, H, W, 3) float32 of a dataset's items."""
    pairs = _Pairs(source, count)
    # a generator of its own: reading takes nothing from the one that the run draws from
    loader: Any = DataLoader(pairs, batch_size=None, num_workers=num_workers, generator=torch.Generator())
    held: list[Tensor] = []
    for i, pair in enumerate(loader):
        if not held:
            held = [torch.empty((count, *part.shape), dtype=part.dtype, device=device) for part in pair]
        for array, part in zip(held, pair):
            if part.shape != array.shape[1:]:
                raise ValueError(f"image {i} is {tuple(part.shape)}, those before {tuple(array.shape[1:])}")
            array[i] = part
    return held[0], held[1]


class _Pairs(Dataset):
    """Photograph and radiance of a dataset's items."""

    def __init__(self, source: Any, count: int) -> None:
        self.source, self.count = source, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        item = self.source[index]
        for key in ("img", "gt"):
            if (order := item.get(f"{key}_channel_order")) != "rgb":
                raise ValueError(f"InMemoryDataset takes RGB; {key} of {type(self.source).__name__} is {order}")
        return torch.from_numpy(item["img"].copy()), torch.from_numpy(item["gt"]).float()
